//! Full text with FTS5: a row of folded words for each listing, under the listing's `search_key`. The tokenizer only has
//! to split at spaces.

use crate::db::search::{Entry, Within, Words};
use crate::db::{Sql, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::params;

/// `cross join` keeps the index outside: the listings are looked up one by one, in its order.
pub const WALK: &str = "service_search f cross join services s on s.search_key = f.rowid";
pub const NEWEST: &str = "f.rowid";
pub const JOINED: &str = "s.search_key = f.rowid";
pub const STORED: &str = "f.title || '|' || f.others";

pub fn older(sql: &mut Sql, listing: Id<()>) {
    sql.push("f.rowid < (select search_key from services where id = ").bind(listing).push(")");
}

pub fn holds(sql: &mut Sql, words: &Words, within: Within) {
    let all = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" AND ");
    sql.push("service_search match ").bind(match within {
        Within::Anywhere => all,
        Within::Title => format!("title : ({all})"),
        Within::BesideTitle => format!("({all}) NOT title : ({all})"),
    });
}

pub fn index(tx: &Tx, listing: Id<()>, entry: &Entry) -> Result<()> {
    remove(tx, listing)?;
    tx.execute(
        "insert into service_search (rowid, title, others) select search_key, $2, $3 from services where id = $1",
        params![listing, spaced(entry.title.iter()), spaced(entry.others.iter())],
    )?;
    Ok(())
}

pub fn remove(tx: &Tx, listing: Id<()>) -> Result<()> {
    tx.execute(
        "delete from service_search where rowid = (select search_key from services where id = $1)",
        params![listing],
    )?;
    Ok(())
}

pub fn as_stored(entry: &Entry) -> String {
    format!("{}|{}", spaced(entry.title.iter()), spaced(entry.others.iter()))
}

fn spaced<'w>(words: impl Iterator<Item = &'w String>) -> String {
    words.map(String::as_str).collect::<Vec<_>>().join(" ")
}
