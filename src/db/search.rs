//! Full text over listings: the one thing whose SQL differs by engine. Every word must occur in title, tags or
//! description; case, accents and punctuation mean nothing. An engine keeps the folded words of each listing and says
//! which listings hold some; what a word is, it is never asked.

mod words;

use super::{Conn, Json, Sql, Tx, postgres, sqlite};
use crate::error::Result;
use crate::id::Id;
use crate::params;

pub(super) use words::Entry;
pub use words::Words;

/// Where the words of a query must occur, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    Anywhere,
    Title,
    /// Anywhere, but not all of them in the title.
    BesideTitle,
}

/// What the transaction's engine calls by this name.
macro_rules! of_engine {
    ($tx:expr, $name:ident) => {
        match $tx.conn {
            Conn::Sqlite(_) => sqlite::search::$name,
            Conn::Postgres(_) => postgres::search::$name,
        }
    };
}

/// Walks the index as `f` and the listing of each entry as `s`; ordered by [`newest`] it stops where the limit says.
pub fn walk(tx: &Tx) -> &'static str {
    of_engine!(tx, WALK)
}

/// The column of [`walk`] that grows with each new listing.
pub fn newest(tx: &Tx) -> &'static str {
    of_engine!(tx, NEWEST)
}

/// Appends the condition of [`walk`] that a listing is older than `listing`.
pub fn older<K>(tx: &Tx, sql: &mut Sql, listing: Id<K>) {
    of_engine!(tx, older)(sql, listing.cast());
}

/// Appends the condition of [`walk`] that a listing holds `words` in that place.
pub fn holds(tx: &Tx, sql: &mut Sql, words: &Words, within: Within) {
    of_engine!(tx, holds)(sql, words, within);
}

/// Puts a listing's words into the index, in the transaction that writes the listing.
pub fn index<K>(tx: &Tx, listing: Id<K>, title: &str, tags: &[String], description: &str) -> Result<()> {
    of_engine!(tx, index)(tx, listing.cast(), &Entry::new(title, tags, description))
}

/// Takes a listing out of the index.
pub fn remove<K>(tx: &Tx, listing: Id<K>) -> Result<()> {
    of_engine!(tx, remove)(tx, listing.cast())
}

/// Tells of every listing that is found by other words than it holds, until `tell` wants no more: of none, if every write
/// kept them together.
pub fn differing(tx: &Tx, mut tell: impl FnMut(String) -> bool) -> Result<()> {
    let (joined, stored) = (of_engine!(tx, JOINED), of_engine!(tx, STORED));
    let mut more = true;
    let offered = format!(
        "select s.id, s.title, s.tags, s.description, {stored}
         from services s left join service_search f on {joined} where s.archived_at is null"
    );
    tx.each(&offered, params![], |row| {
        let (id, title): (Id<()>, String) = (row.next()?, row.next()?);
        let (Json(tags), description): (Json<Vec<String>>, String) = (row.next()?, row.next()?);
        let (found_by, entry) = (row.next::<Option<String>>()?, Entry::new(&title, &tags, &description));
        if found_by != Some(of_engine!(tx, as_stored)(&entry)) {
            more = tell(format!("service {id} is not found by exactly the words it holds"));
        }
        Ok(more)
    })?;
    let strays = format!(
        "select s.id from service_search f left join services s on {joined}
         where s.id is null or s.archived_at is not null"
    );
    tx.each(&strays, params![], |row| {
        more = more
            && tell(match row.next::<Option<Id<()>>>()? {
                Some(id) => format!("service {id} is archived and still in the search index"),
                None => "the search index holds words of no service".to_owned(),
            });
        Ok(more)
    })
}
