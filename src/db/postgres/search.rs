//! Full text with `tsvector`, written out instead of made by a text search configuration. A word of the title is kept once
//! more behind a `^`: weights would say the same, but the index knows no weights, and the planner could not tell how rare a
//! word is in titles. A word is letters, digits and marks, so nothing in the quotes needs an escape.

use std::collections::BTreeSet;

use crate::db::search::{Entry, Within, Words};
use crate::db::{Sql, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::params;

pub const WALK: &str = "service_search f join services s on s.id = f.service_id";
pub const NEWEST: &str = "s.id";
pub const JOINED: &str = "s.id = f.service_id";
pub const STORED: &str = "cast(f.words as text)";

pub fn older(sql: &mut Sql, listing: Id<()>) {
    sql.push("s.id < ").bind(listing);
}

pub fn holds(sql: &mut Sql, words: &Words, within: Within) {
    let all = |mark: &str| words.iter().map(|word| format!("'{mark}{word}'")).collect::<Vec<_>>().join(" & ");
    let query = match within {
        Within::Anywhere => all(""),
        Within::Title => all("^"),
        Within::BesideTitle => format!("{} & !({})", all(""), all("^")),
    };
    sql.push("f.words").push(MATCH).push("cast(cast(").bind(query).push(" as text) as tsquery)");
}

const MATCH: &str = " @@ ";

/// Whether a statement is to be planned for its values each time: the index of rare words is the wrong one for common
/// words, and a plan for any words walks all that there is.
pub fn depends_on_words(text: &str) -> bool {
    text.contains(MATCH)
}

pub fn index(tx: &Tx, listing: Id<()>, entry: &Entry) -> Result<()> {
    tx.execute(
        "insert into service_search (service_id, words) values ($1, cast(cast($2 as text) as tsvector))
         on conflict (service_id) do update set words = excluded.words",
        params![listing, as_stored(entry)],
    )?;
    Ok(())
}

pub fn remove(tx: &Tx, listing: Id<()>) -> Result<()> {
    tx.execute("delete from service_search where service_id = $1", params![listing])?;
    Ok(())
}

/// The vector as the server writes it, in the order of the bytes.
pub fn as_stored(entry: &Entry) -> String {
    let anywhere = entry.title.iter().chain(&entry.others).map(|word| format!("'{word}'"));
    let in_title = entry.title.iter().map(|word| format!("'^{word}'"));
    Vec::from_iter(anywhere.chain(in_title).collect::<BTreeSet<_>>()).join(" ")
}
