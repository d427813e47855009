//! What freelancers do with their listings. The listing, its tags and its words in the index change together.

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::config::Market;
use crate::db::{Json, Tx, search};
use crate::error::{Error, FORBIDDEN, FieldError, Result};
use crate::events;
use crate::form::{Amount, Change, Unchecked};
use crate::money::{Currency, Money};
use crate::params;
use crate::version::Expected;

use super::model::{
    ChangeListing, CreateListing, DeliveryDays, Listing, ListingId, SeenListing, Status, Tags, folded,
};
use super::queries::visible;

/// Offers something.
pub fn create(tx: &Tx, actor: &Actor, input: &Unchecked<CreateListing>) -> Result<ListingId> {
    let freelancer = actor.require_seller()?;
    let price = new_price(input, tx.wired::<Market>().currency);
    let (form, price) = together(input.check(), price)?;
    let id: ListingId = tx.new_id();
    let status = form.status.unwrap_or(Status::Published);
    let tags = form.tags.unwrap_or_default();
    let DeliveryDays(delivery_days) = form.delivery_days.unwrap_or(DeliveryDays::DEFAULT);
    let category = form.category.as_str();
    tx.send(
        "insert into services (id, freelancer_id, title, description, category, category_folded, price_minor, currency,
             delivery_days, tags, status, listed, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        params![
            id, freelancer, form.title.as_str(), form.description.as_str(), category, folded(category), price.minor(),
            price.currency(), delivery_days, Json(&tags.0), status, status == Status::Published, tx.now()
        ],
    )?;
    tag(tx, id, &tags.0)?;
    search::index(tx, id, form.title.as_str(), &tags.0, form.description.as_str())?;
    let body = json!({ "freelancer_id": freelancer, "title": form.title.as_str(), "status": status });
    events::append(tx, actor, "listing_created", id, body)?;
    Ok(id)
}

/// Changes what is given; what changes nothing leaves version and time alone.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    id: ListingId,
    input: &Unchecked<ChangeListing>,
    expected: &Expected,
) -> Result<()> {
    let (present, card) = visible(tx, actor, id)?;
    if !actor.is(present.freelancer_id) {
        return Err(
            FORBIDDEN.error("only its freelancer may change a service: offer your own with POST /services")
        );
    }
    let price = changed_price(input, present.price);
    let form = input.check_against(&SeenListing::new(present.clone(), card));
    let (form, price) = together(form, price)?;
    expected.check(present.version)?;
    let changed = applied(form, price, &present);
    if changed == present { Ok(()) } else { store(tx, actor, &changed) }
}

/// The listing as the form wants it.
fn applied(form: ChangeListing, price: Money, present: &Listing) -> Listing {
    let mut listing = present.clone();
    listing.price = price;
    if let Change::To(title) = form.title {
        listing.title = title.into_string();
    }
    if let Change::To(description) = form.description {
        listing.description = description.into_string();
    }
    if let Change::To(category) = form.category {
        listing.category = category.into_string();
    }
    if let Change::To(DeliveryDays(days)) = form.delivery_days {
        listing.delivery_days = days;
    }
    if let Change::To(Tags(tags)) = form.tags {
        listing.tags = tags;
    }
    listing.status = form.status.or(listing.status);
    listing
}

fn store(tx: &Tx, actor: &Actor, listing: &Listing) -> Result<()> {
    tx.send(
        "update services set title = $2, description = $3, category = $4, category_folded = $5, price_minor = $6,
             currency = $7, delivery_days = $8, tags = $9, status = $10,
             listed = ($10 = 'published' and not seller_suspended),
             version = version + 1, updated_at = $11
         where id = $1",
        params![
            listing.id,
            listing.title,
            listing.description,
            listing.category,
            folded(&listing.category),
            listing.price.minor(),
            listing.price.currency(),
            listing.delivery_days,
            Json(&listing.tags),
            listing.status,
            tx.now()
        ],
    )?;
    untag(tx, listing.id)?;
    tag(tx, listing.id, &listing.tags)?;
    search::index(tx, listing.id, &listing.title, &listing.tags, &listing.description)?;
    let body =
        json!({ "freelancer_id": listing.freelancer_id, "title": listing.title, "status": listing.status });
    events::append(tx, actor, "listing_changed", listing.id, body)?;
    Ok(())
}

/// Takes a listing away for good. Its open orders go on and its reviews stay.
pub fn archive(tx: &Tx, actor: &Actor, id: ListingId, expected: &Expected) -> Result<()> {
    let (listing, _) = visible(tx, actor, id)?;
    if !actor.is(listing.freelancer_id) && !actor.is_admin() {
        return Err(FORBIDDEN.error("only its freelancer or an administrator may archive a service"));
    }
    expected.check(listing.version)?;
    put_away(tx, actor, listing.freelancer_id, listing.id)
}

/// Archives everything that `freelancer` offers: the account is gone.
pub fn archive_all_of(tx: &Tx, freelancer: UserId) -> Result<()> {
    let offered: Vec<ListingId> = tx.all(
        "select id from services where freelancer_id = $1 and archived_at is null",
        params![freelancer],
        |row| row.next(),
    )?;
    offered.into_iter().try_for_each(|id| put_away(tx, &Actor::System, freelancer, id))
}

fn put_away(tx: &Tx, actor: &Actor, freelancer: UserId, id: ListingId) -> Result<()> {
    tx.send(
        "update services set archived_at = $2, listed = false, version = version + 1, updated_at = $2 where id = $1",
        params![id, tx.now()],
    )?;
    untag(tx, id)?;
    search::remove(tx, id)?;
    events::append(tx, actor, "listing_archived", id, json!({ "freelancer_id": freelancer }))?;
    Ok(())
}

/// Hides what a suspended freelancer offers from lists and buyers, or shows it again.
pub fn seller_suspended(tx: &Tx, freelancer: UserId, suspended: bool) -> Result<()> {
    tx.send(
        "update services set seller_suspended = $2,
             listed = (not $2 and status = 'published' and archived_at is null)
         where freelancer_id = $1",
        params![freelancer, suspended],
    )
}

fn tag(tx: &Tx, id: ListingId, tags: &[String]) -> Result<()> {
    for tag in tags {
        tx.send(
            "insert into service_tags (tag_folded, service_id) values ($1, $2)",
            params![folded(tag), id],
        )?;
    }
    Ok(())
}

fn untag(tx: &Tx, id: ListingId) -> Result<()> {
    tx.send("delete from service_tags where service_id = $1", params![id])
}

/// Puts the words of every listing into an empty index, some listings at a time.
pub fn index_all(tx: &Tx) -> Result<()> {
    let mut after = ListingId::from_uuid(uuid::Uuid::nil());
    loop {
        let listings: Vec<(ListingId, String, Vec<String>, String)> = tx.all(
            "select id, title, tags, description from services
             where archived_at is null and id > $1 order by id limit 500",
            params![after],
            |row| {
                let (id, title, Json(tags)) = (row.next()?, row.next()?, row.next()?);
                Ok((id, title, tags, row.next()?))
            },
        )?;
        let Some((last, ..)) = listings.last() else { return Ok(()) };
        after = *last;
        for (id, title, tags, description) in &listings {
            search::index(tx, *id, title, tags, description)?;
        }
    }
}

/// What two fields of a form mean together; `None` when one of them is wrong by itself.
type Combined = Option<Result<Money, FieldError>>;

fn new_price(input: &Unchecked<CreateListing>, usual: Currency) -> Combined {
    let currency = input.peek::<Option<Currency>>("currency")?.unwrap_or(usual);
    Some(input.peek::<Amount>("price")?.of(currency, "price"))
}

/// A price alone is in the present currency. A currency alone keeps the number, if the new currency has such amounts.
fn changed_price(input: &Unchecked<ChangeListing>, present: Money) -> Combined {
    let currency = input.peek::<Change<Currency>>("currency")?.or(present.currency());
    match input.peek::<Change<Amount>>("price")? {
        Change::To(price) => Some(price.of(currency, "price")),
        Change::Keep if currency == present.currency() => Some(Ok(present)),
        Change::Keep => Some(Amount::from(present).of(currency, "price").map_err(|wrong| FieldError {
            detail: format!("send the price in {currency} too: {}", wrong.detail),
            ..wrong
        })),
    }
}

/// The form and the price that it names, or every mistake in both.
fn together<F>(form: Result<F>, price: Combined) -> Result<(F, Money)> {
    match (form, price) {
        (Ok(form), Some(Ok(price))) => Ok((form, price)),
        (Ok(_), Some(Err(wrong))) => Err(Error::Invalid(vec![wrong])),
        (Err(Error::Invalid(mut wrongs)), Some(Err(wrong))) => {
            wrongs.push(wrong);
            Err(Error::Invalid(wrongs))
        }
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(Error::broken("a form was taken whose price is wrong")),
    }
}
