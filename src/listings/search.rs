//! The public lists: filters, orders, and statements that walk an index in the order of the answer, so that a page costs
//! what it holds.

use crate::actor::UserId;
use crate::db::search::{self, Within, Words};
use crate::db::{Sql, Tx};
use crate::error::Result;
use crate::money::Currency;
use crate::users::Card;
use crate::words;

use super::model::{Listing, ListingId, SeenListing, Status};
use super::queries::{CARD_COLUMNS, COLUMNS, listing_with_card};

words! {
    /// The order of a list.
    pub enum Sort {
        Newest = "newest",
        Cheapest = "price",
        Dearest = "-price",
        Rating = "rating",
        /// Every word in the title first, then the others; each newest first.
        Relevance = "relevance",
    }
}

/// What is looked for. Its `Debug` form names the list in cursors: the same filters in the same order.
#[derive(Debug)]
pub struct Search {
    pub words: Option<Words>,
    /// Folded, any of them.
    pub categories: Vec<String>,
    /// Folded.
    pub tag: Option<String>,
    /// Set when prices are compared: those of one currency.
    pub currency: Option<Currency>,
    pub min_price_minor: Option<i64>,
    pub max_price_minor: Option<i64>,
    pub freelancer: Option<UserId>,
    /// The freelancer's own in this status; everyone else finds what is listed.
    pub own: Option<Status>,
    pub min_rating_centi: Option<i64>,
    pub max_delivery_days: Option<u32>,
    pub sort: Sort,
}

impl Search {
    /// Whether one statement walks just the rows of its page: nothing that the walk meets is left out.
    pub fn is_glance(&self) -> bool {
        let by_age = self.sort == Sort::Newest;
        let by_price = matches!(self.sort, Sort::Cheapest | Sort::Dearest);
        let priced = self.currency.is_some() || self.min_price_minor.or(self.max_price_minor).is_some();
        let filters = [self.tag.is_some(), self.freelancer.is_some(), !self.categories.is_empty()];
        self.words.is_none()
            && self.own.is_none()
            && self.max_delivery_days.is_none()
            && self.categories.len() <= 1
            && filters.iter().filter(|filters| **filters).count() <= 1
            && (self.tag.is_none() && self.freelancer.is_none() || by_age)
            && (!priced || by_price)
            && (self.min_rating_centi.is_none() || self.sort == Sort::Rating)
    }
}

/// A row of a list.
pub struct Found {
    listing: Listing,
    freelancer: Card,
    /// What the list is ordered by before the age.
    rank: i64,
}

/// Where a page ended: rank and id of its last row.
pub type Seen = (i64, ListingId);

impl Found {
    pub fn key(&self) -> Seen {
        (self.rank, self.listing.id)
    }

    pub fn seen(self) -> SeenListing {
        SeenListing::new(self.listing, self.freelancer)
    }
}

/// What a statement walks through.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Walk {
    Words,
    Tag,
    Table,
}

/// At most `rows` rows after `after`.
pub fn list(tx: &Tx, search: &Search, after: Option<Seen>, rows: i64) -> Result<Vec<Found>> {
    if search.words.is_none() || search.sort != Sort::Relevance {
        return run(tx, search, Within::Anywhere, after, rows, |listing| match search.sort {
            Sort::Cheapest | Sort::Dearest => listing.price.minor(),
            Sort::Rating => listing.rating.centi(),
            Sort::Newest | Sort::Relevance => 0,
        });
    }
    let mut found = Vec::new();
    for (tier, within) in [(0, Within::Title), (1, Within::BesideTitle)] {
        let reached = after.map_or(0, |(tier, _)| tier);
        let left = rows - i64::try_from(found.len()).unwrap_or(rows);
        if tier >= reached && left > 0 {
            let after = after.filter(|_| tier == reached);
            found.extend(run(tx, search, within, after, left, |_| tier)?);
        }
    }
    Ok(found)
}

fn run(
    tx: &Tx,
    search: &Search,
    within: Within,
    after: Option<Seen>,
    rows: i64,
    rank: impl Fn(&Listing) -> i64,
) -> Result<Vec<Found>> {
    statement(tx, search, within, after, rows).all(tx, |row| {
        let (listing, freelancer) = listing_with_card(row)?;
        Ok(Found { rank: rank(&listing), listing, freelancer })
    })
}

/// One statement; if words are looked for, those that hold them in that place.
fn statement(tx: &Tx, search: &Search, within: Within, after: Option<Seen>, rows: i64) -> Sql {
    let by_age = matches!(search.sort, Sort::Newest | Sort::Relevance);
    let walk = match (&search.words, &search.tag) {
        // In another order than by age the matches are sorted: looking each row of an index up in them takes far longer.
        (Some(_), _) => Walk::Words,
        (None, Some(_)) if by_age && search.freelancer.is_none() => Walk::Tag,
        _ => Walk::Table,
    };
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(", ").push(CARD_COLUMNS).push(" from ");
    sql.push(match walk {
        Walk::Words => search::walk(tx),
        Walk::Tag => "service_tags t join services s on s.id = t.service_id",
        Walk::Table => "services s",
    });
    sql.push(" left join users u on u.id = s.freelancer_id where ");
    filter(&mut sql, search, walk, after);
    if let Some(words) = &search.words {
        sql.push(" and ");
        search::holds(tx, &mut sql, words, within);
    }
    match (walk, &search.tag) {
        (Walk::Tag, Some(tag)) => {
            sql.push(" and t.tag_folded = ").bind(tag.clone());
        }
        (_, Some(tag)) => {
            sql.push(
                " and exists (select 1 from service_tags t where t.service_id = s.id and t.tag_folded = ",
            );
            sql.bind(tag.clone()).push(")");
        }
        _ => {}
    }
    order(tx, &mut sql, search.sort, walk, after);
    sql.push(" limit ").bind(rows);
    sql
}

/// The conditions that need no walk of their own. What is wrapped (`+n`, `t || ''`) keeps a condition from choosing the
/// index: a range, or the currency that most share, must not win over the order of the answer, and nothing over a
/// freelancer, whose listings are few.
fn filter(sql: &mut Sql, search: &Search, walk: Walk, after: Option<Seen>) {
    let of_one = search.freelancer.is_some();
    match search.own {
        None => sql.push("s.listed"),
        Some(status) => sql.push("s.archived_at is null and s.status = ").bind(status),
    };
    if let Some(freelancer) = search.freelancer {
        sql.push(" and s.freelancer_id = ").bind(freelancer);
    }
    if let [category] = search.categories.as_slice() {
        let wrapped = of_one || walk == Walk::Tag;
        sql.push(if wrapped { " and s.category_folded || '' = " } else { " and s.category_folded = " });
        sql.bind(category.clone());
    } else if let [first, others @ ..] = search.categories.as_slice() {
        sql.push(" and s.category_folded || '' in (").bind(first.clone());
        for category in others {
            sql.push(", ").bind(category.clone());
        }
        sql.push(")");
    }
    let ordered = matches!(search.sort, Sort::Cheapest | Sort::Dearest) && !of_one;
    let (currency, price) = match ordered {
        true => (" and s.currency = ", " and s.price_minor"),
        false => (" and s.currency || '' = ", " and +s.price_minor"),
    };
    if let Some(named) = search.currency {
        sql.push(currency).bind(named);
    }
    // The bound that the page before has passed is implied, and would keep the index from starting at the cursor.
    let passed = |sort| after.is_some() && search.sort == sort;
    if let Some(minor) = search.min_price_minor.filter(|_| !passed(Sort::Cheapest)) {
        sql.push(price).push(" >= ").bind(minor);
    }
    if let Some(minor) = search.max_price_minor.filter(|_| !passed(Sort::Dearest)) {
        sql.push(price).push(" <= ").bind(minor);
    }
    if let Some(centi) = search.min_rating_centi {
        let ordered = search.sort == Sort::Rating && !of_one;
        let rating = if ordered { " and s.rating_centi" } else { " and +s.rating_centi" };
        sql.push(rating).push(" >= ").bind(centi);
    }
    if let Some(days) = search.max_delivery_days {
        sql.push(" and s.delivery_days <= ").bind(days);
    }
}

/// Where the page begins, and the order that makes it so.
fn order(tx: &Tx, sql: &mut Sql, sort: Sort, walk: Walk, after: Option<Seen>) {
    let pair = match sort {
        Sort::Cheapest => Some(("s.price_minor", ">", "asc")),
        Sort::Dearest => Some(("s.price_minor", "<", "desc")),
        Sort::Rating => Some(("s.rating_centi", "<", "desc")),
        Sort::Newest | Sort::Relevance => None,
    };
    if let Some((column, beyond, direction)) = pair {
        if let Some((rank, id)) = after {
            sql.push(&format!(" and ({column}, s.id) {beyond} (")).bind(rank).push(", ").bind(id).push(")");
        }
        sql.push(&format!(" order by {column} {direction}, s.id {direction}"));
        return;
    }
    let column = match walk {
        Walk::Words => search::newest(tx),
        Walk::Tag => "t.service_id",
        Walk::Table => "s.id",
    };
    if let Some((_, id)) = after {
        sql.push(" and ");
        match walk {
            Walk::Words => search::older(tx, sql, id),
            Walk::Tag | Walk::Table => {
                sql.push(column).push(" < ").bind(id);
            }
        }
    }
    sql.push(&format!(" order by {column} desc"));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::db::{self, Db, Wiring};
    use crate::time::Clock;

    fn everything(sort: Sort) -> Search {
        Search {
            words: None,
            categories: Vec::new(),
            tag: None,
            currency: None,
            min_price_minor: None,
            max_price_minor: None,
            freelancer: None,
            own: None,
            min_rating_centi: None,
            max_delivery_days: None,
            sort,
        }
    }

    fn usd(sort: Sort) -> Search {
        Search { currency: Currency::parse("USD"), ..everything(sort) }
    }

    fn of_category(search: Search) -> Search {
        Search { categories: vec!["design".to_owned()], ..search }
    }

    /// The plan of the first page and of a later one, which must use the same index.
    async fn plans(db: &Db, search: Search) -> Vec<String> {
        let plan = move |tx: &Tx| {
            let mut steps = Vec::new();
            for after in [None, Some((500, ListingId::from_wire("")))] {
                let sql = statement(tx, &search, Within::Anywhere, after, 21);
                let explain = format!("explain query plan {}", sql.text());
                let page: Vec<String> = tx.all(&explain, &sql.params(), |row| {
                    let (_, _, _, step): (i64, i64, i64, String) =
                        (row.next()?, row.next()?, row.next()?, row.next()?);
                    Ok(step)
                })?;
                steps.push(page.join("; "));
            }
            Ok(steps)
        };
        db.read(plan).await.expect("explains")
    }

    #[tokio::test]
    async fn each_list_walks_the_index_of_its_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let db =
            Db::open(&db::Place::File(dir.path().join("db")), Arc::new(Clock::default()), Wiring::default())
                .expect("opens");
        db.migrate().await.expect("migrates");
        let me = Some(UserId::from_wire("018f0000-0000-7000-8000-000000000001"));
        let words = Words::parse("logo");
        let shapes = [
            ("INDEX services_newest ", everything(Sort::Newest)),
            (
                "services_newest",
                Search {
                    min_rating_centi: Some(400),
                    max_delivery_days: Some(3),
                    ..everything(Sort::Newest)
                },
            ),
            (
                "services_newest",
                Search { min_price_minor: Some(1), max_price_minor: Some(9), ..usd(Sort::Newest) },
            ),
            ("INDEX services_category ", of_category(everything(Sort::Newest))),
            ("INDEX services_category ", of_category(usd(Sort::Newest))),
            (
                "INDEX services_newest ",
                Search { categories: vec!["a".to_owned(), "b".to_owned()], ..everything(Sort::Newest) },
            ),
            ("INDEX services_price ", usd(Sort::Cheapest)),
            (
                "services_price",
                Search { min_price_minor: Some(1), max_price_minor: Some(9), ..usd(Sort::Dearest) },
            ),
            ("INDEX services_category_price ", of_category(usd(Sort::Cheapest))),
            ("INDEX services_category_price ", of_category(usd(Sort::Dearest))),
            ("INDEX services_rating ", everything(Sort::Rating)),
            ("INDEX services_rating ", Search { min_rating_centi: Some(400), ..everything(Sort::Rating) }),
            ("INDEX services_category_rating ", of_category(everything(Sort::Rating))),
            ("INDEX services_freelancer ", Search { freelancer: me, ..everything(Sort::Newest) }),
            (
                "services_freelancer",
                Search { freelancer: me, own: Some(Status::Draft), ..everything(Sort::Newest) },
            ),
            ("t USING PRIMARY KEY ", Search { tag: Some("logo".to_owned()), ..everything(Sort::Newest) }),
            ("f VIRTUAL TABLE ", Search { words: words.clone(), ..everything(Sort::Newest) }),
            (
                "f VIRTUAL TABLE",
                Search {
                    words: words.clone(),
                    tag: Some("a".to_owned()),
                    ..of_category(usd(Sort::Relevance))
                },
            ),
        ];
        for (index, search) in shapes {
            let shape = format!("{search:?}");
            let plans = plans(&db, search).await;
            for plan in &plans {
                let walked = plan.split("; ").next().unwrap_or_default();
                assert!(format!("{walked} ").contains(index), "{shape} walks: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{shape} sorts: {plan}");
            }
            let starts = ["id<?", "id)<(?", "id)>(?", ":M2<"];
            assert!(
                starts.iter().any(|start| plans[1].contains(start)),
                "{shape} reads from the start: {}",
                plans[1]
            );
        }
    }

    #[tokio::test]
    async fn every_text_is_a_query_that_runs() {
        use proptest::strategy::{Strategy, ValueTree};
        let dir = tempfile::tempdir().expect("a directory");
        let db =
            Db::open(&db::Place::File(dir.path().join("db")), Arc::new(Clock::default()), Wiring::default())
                .expect("opens");
        db.migrate().await.expect("migrates");
        let mut runner = proptest::test_runner::TestRunner::default();
        let texts = proptest::string::string_regex("(\\PC|[\"'*:^()+%_ -]|AND|OR|NOT|NEAR|title){1,24}")
            .expect("a regex");
        let texts: Vec<String> =
            (0..400).map(|_| texts.new_tree(&mut runner).expect("a text").current()).collect();
        let run = move |tx: &Tx| {
            for (text, sort) in texts.iter().zip([Sort::Relevance, Sort::Newest, Sort::Rating].iter().cycle())
            {
                if let Some(words) = Words::parse(text) {
                    let search = Search { words: Some(words), ..everything(*sort) };
                    let found = list(tx, &search, None, 2);
                    assert!(found.is_ok_and(|rows| rows.is_empty()), "{text:?}");
                }
            }
            Ok(())
        };
        db.read(run).await.expect("none of them is an error");
    }
}
