//! The operations on listings.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::db::search::Words;
use crate::error::{INVALID_PARAMETER, ROLE_REQUIRED, Result};
use crate::http::{Access, Answer, Call, Operation, Param, RateClass, delete, get, patch, post, put};
use crate::money::{Currency, Money};
use crate::page::Page;

use super::model::{ChangeListing, CreateListing, ListingId, SeenListing, Status, folded};
use super::search::{self, Search, Sort};
use super::{commands, queries};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/services", offer)
            .named("createService", "Offer a service")
            .access(Access::Signed, "an account with role freelancer or both")
            .rate(RateClass::CreateListing)
            .body::<CreateListing>(json!({
                "title": "A logo that fits on a coin", "description": "Three drafts, then two rounds of changes.",
                "category": "Design", "price": "49.90", "delivery_days": 5, "tags": ["logo", "branding"]
            }))
            .answers::<SeenListing>(201, "The service.")
            .located()
            .problems(&[&ROLE_REQUIRED])
            .versioned(),
        get("/services", list)
            .named("listServices", "Find services")
            .about("Published services, newest first unless `sort` says otherwise. Filters narrow together.")
            .access(Access::Anyone, "anyone")
            .public()
            .query(filters())
            .paged()
            .answers::<Page<SeenListing>>(200, "A page of services."),
        get("/services/{id}", show)
            .named("getService", "Read a service")
            .access(Access::Anyone, "anyone; a draft only its freelancer and an administrator")
            .public()
            .answers::<SeenListing>(200, "The service.")
            .versioned(),
        changing(put("/services/{id}", change).named("updateService", "Change a service")),
        changing(patch("/services/{id}", change).named("patchService", "Change a service")),
        delete("/services/{id}", archive)
            .named("deleteService", "Archive a service")
            .about("It can no longer be found or ordered. Open orders go on and its reviews stay readable.")
            .access(Access::Signed, "its freelancer, an administrator")
            .answers_nothing("It is archived.")
            .versioned(),
    ];
    operations.into_iter().map(|operation| operation.tagged("Services")).collect()
}

fn changing(operation: Operation) -> Operation {
    operation
        .about("Changes the fields given and leaves the others. Orders already placed keep what they were placed with.")
        .access(Access::Signed, "its freelancer")
        .body::<ChangeListing>(json!({ "price": "59.90", "status": "paused" }))
        .answers::<SeenListing>(200, "The service.")
        .versioned()
}

fn filters() -> Vec<Param> {
    let text = || json!({ "type": "string" });
    let decimal = || json!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$" });
    let words: Vec<&str> = Sort::ALL.iter().map(|sort| sort.as_str()).collect();
    let statuses: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    vec![
        Param::new(
            "q",
            "Full text over title, tags and description: every word must occur, punctuation means nothing.",
            json!({ "type": "string", "maxLength": MAX_QUERY }),
        ),
        Param::new("category", "Repeat it for any of several; case means nothing.", text()).repeatable(),
        Param::new("tag", "One of its tags; case means nothing.", text()),
        Param::new("min_price", "An exact decimal of `currency`.", decimal()),
        Param::new("max_price", "An exact decimal of `currency`.", decimal()),
        Param::new(
            "currency",
            "Only services of this currency. Where prices are compared the marketplace's own unless said.",
            <Currency as crate::form::Field>::schema(),
        ),
        Param::new("freelancer_id", "Of one freelancer; `me` is you.", text()),
        Param::new("min_rating", "The least average, 1 to 5 with at most two decimals.", decimal()),
        Param::new(
            "max_delivery_days",
            "The longest delivery.",
            json!({ "type": "integer", "minimum": 1, "maximum": 365 }),
        ),
        Param::new(
            "status",
            "`published` unless said; another only with `freelancer_id=me`.",
            json!({ "type": "string", "enum": statuses, "default": "published" }),
        ),
        Param::new(
            "sort",
            "`relevance` with `q`, otherwise `newest`, unless said. `price` and `-price` compare one currency.",
            json!({ "type": "string", "enum": words }),
        ),
    ]
}

/// More characters than this are no query but a text.
const MAX_QUERY: usize = 200;
/// More categories than this are no choice but a list.
const MAX_CATEGORIES: usize = 20;

/// What the parameters ask for; `None` when `q` has no word, so that nothing can be found.
fn search(call: &Call) -> Result<Option<Search>> {
    let query = &call.query;
    let q = query.parsed("q", "at most 200 characters", |text| {
        (text.chars().count() <= MAX_QUERY).then(|| text.to_owned())
    })?;
    let sort = query.parsed("sort", "newest, price, -price, rating or relevance", Sort::parse)?;
    if sort == Some(Sort::Relevance) && q.is_none() {
        return Err(INVALID_PARAMETER
            .error("`sort=relevance` orders what `q` found: send `q` too, or another `sort`"));
    }
    let sort = sort.unwrap_or(if q.is_some() { Sort::Relevance } else { Sort::Newest });
    let named = query.parsed("currency", "an ISO 4217 code in capitals, such as USD", Currency::parse)?;
    let currency = named.unwrap_or(call.app.config().market.currency);
    let amount = |name| {
        let expected = format!("an exact decimal of {currency}, such as {}", Money::new(4_990, currency));
        query.parsed(name, &expected, |text| minor(text, currency))
    };
    let (min_price_minor, max_price_minor) = (amount("min_price")?, amount("max_price")?);
    let compares =
        min_price_minor.or(max_price_minor).is_some() || matches!(sort, Sort::Cheapest | Sort::Dearest);
    let freelancer = query.text("freelancer_id").map(|text| call.resolve_user(text)).transpose()?;
    let status = query.parsed("status", "published, draft or paused", Status::parse)?;
    let own = status.filter(|status| *status != Status::Published);
    if own.is_some() && !freelancer.is_some_and(|id| call.actor.is(id)) {
        return Err(INVALID_PARAMETER
            .error("`status` other than published shows only what is yours: send `freelancer_id=me` too"));
    }
    let search = Search {
        words: q.as_deref().and_then(Words::parse),
        categories: categories(call)?,
        tag: query.text("tag").map(folded),
        currency: named.or(compares.then_some(currency)),
        min_price_minor,
        max_price_minor,
        freelancer,
        own,
        min_rating_centi: query.parsed("min_rating", "a decimal from 1 to 5, such as 4.5", centi)?,
        max_delivery_days: query.parsed("max_delivery_days", "an integer from 1 to 365", days)?,
        sort,
    };
    Ok((q.is_none() || search.words.is_some()).then_some(search))
}

fn categories(call: &Call) -> Result<Vec<String>> {
    let mut categories: Vec<String> = call.query.all("category").map(folded).collect();
    categories.sort_unstable();
    categories.dedup();
    match categories.len() {
        0..=MAX_CATEGORIES => Ok(categories),
        _ => Err(INVALID_PARAMETER.error("`category` may be repeated 20 times: ask twice for more")),
    }
}

/// A bound of a price: an amount, or nothing at all.
fn minor(text: &str, currency: Currency) -> Option<i64> {
    let zero = matches!(text.strip_prefix('0'), Some("" | ".0" | ".00" | ".000"));
    if zero { Some(0) } else { Money::parse(text, currency).ok().map(Money::minor) }
}

/// Hundredths of a rating from 1 to 5.
fn centi(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 1 || !(1..=2).contains(&fraction.len()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok().filter(|centi| (100..=500).contains(centi))
}

fn days(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|days| digits && (1..=365).contains(days))
}

async fn list(call: Call) -> Result<Answer> {
    let (page, search) = (call.page()?, search(&call)?);
    let Some(search) = search else {
        return Answer::ok(&Page::<SeenListing> { data: vec![], next_cursor: None });
    };
    let (is_glance, has_words) = (search.is_glance(), search.words.is_some());
    let answer = move |tx: &Tx, call: &Call| {
        let name = format!("services {search:?}");
        let found = search::list(tx, &search, page.after(&name)?, page.rows())?;
        let page = page.page(&name, found, search::Found::key)?.map(search::Found::seen);
        call.list(&page, page.next_cursor.as_deref())
    };
    // How long the full text looks is not known before it has looked.
    match (is_glance, has_words) {
        (true, _) => call.glance(answer).await,
        (false, true) => call.read_aside(answer).await,
        (false, false) => call.read(answer).await,
    }
}

async fn offer(call: Call<CreateListing>) -> Result<Answer> {
    call.write(|tx, call| {
        let id = commands::create(tx, &call.actor, &call.body)?;
        seen(tx, &call.actor, id, Answer::created).map(|answer| answer.at(format!("/services/{id}")))
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.glance(|tx, call| seen(tx, &call.actor, call.id("id"), Answer::ok)).await
}

async fn change(call: Call<ChangeListing>) -> Result<Answer> {
    call.write(|tx, call| {
        let id = call.id("id");
        commands::change(tx, &call.actor, id, &call.body, &call.expected())?;
        seen(tx, &call.actor, id, Answer::ok)
    })
    .await
}

async fn archive(call: Call) -> Result<Answer> {
    call.write(|tx, call| {
        commands::archive(tx, &call.actor, call.id("id"), &call.expected())?;
        Answer::no_content()
    })
    .await
}

/// The answer with one listing: its version is its owner's, the digest covers the freelancer's card and the rating.
fn seen(tx: &Tx, actor: &Actor, id: ListingId, answer: fn(&SeenListing) -> Result<Answer>) -> Result<Answer> {
    let (listing, card) = queries::visible(tx, actor, id)?;
    let version = listing.version;
    let seen = SeenListing::new(listing, card);
    Ok(answer(&seen)?.etag(version, &(&seen.freelancer, &seen.rating)))
}
