//! Full text with `tsvector`, written out instead of made by a text search configuration: each folded word once, with the
//! weight `A` if the title holds it. A word is letters, digits and marks, so nothing in the quotes needs an escape.

use std::collections::BTreeMap;

use crate::db::search::{Entry, Place, Words};
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

pub fn holds(sql: &mut Sql, words: &Words, place: Place) {
    let all =
        |weight: &str| words.iter().map(|word| format!("'{word}'{weight}")).collect::<Vec<_>>().join(" & ");
    let query = match place {
        Place::Anywhere => all(""),
        Place::Title => all(":A"),
        Place::BesideTitle => format!("{} & !({})", all(""), all(":A")),
    };
    sql.push("f.words @@ cast(cast(").bind(query).push(" as text) as tsquery)");
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

/// The vector as the server writes it: in the order of the bytes, a position at each word because only those have weights.
pub fn as_stored(entry: &Entry) -> String {
    let title = entry.title.iter().map(|word| (word, ":1A"));
    let words: BTreeMap<_, _> = title.chain(entry.others.iter().map(|word| (word, ":1"))).collect();
    words.iter().map(|(word, position)| format!("'{word}'{position}")).collect::<Vec<_>>().join(" ")
}
