//! Full text over listings: the one thing whose SQL differs by engine. Every word must occur in title, tags or
//! description; case, accents and punctuation mean nothing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Tx;
use crate::error::Result;
use crate::params;

/// The words of a query in the engine's own notation.
#[derive(Debug, Clone)]
pub struct Words(Vec<String>);

impl Words {
    /// `None` when `text` holds no word.
    pub fn parse(text: &str) -> Option<Self> {
        let composed: String = text.nfc().collect();
        let separator = |symbol: char| !symbol.is_alphanumeric() && !is_combining_mark(symbol);
        let words: Vec<String> =
            composed.split(separator).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Matches rows that hold every word in any column.
    pub fn anywhere(&self) -> String {
        self.0.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" AND ")
    }

    /// Matches rows whose title holds every word.
    pub fn in_title(&self) -> String {
        format!("title : ({})", self.anywhere())
    }

    /// Matches rows that hold every word, but not all of them in the title.
    pub fn beside_title(&self) -> String {
        format!("({}) NOT title : ({})", self.anywhere(), self.anywhere())
    }
}

/// Walks the index as `f` and the listing of each entry as `s`; ordered by [`NEWEST`] it stops where the limit says.
pub const WALK: &str = "service_search f cross join services s on s.search_key = f.rowid";

/// The column of [`WALK`] that grows with each new listing.
pub const NEWEST: &str = "f.rowid";

/// The condition of [`WALK`] that the bound words match; their placeholder follows.
pub const MATCHES: &str = "service_search match ";

/// The search keys that the bound words match; their placeholder and `)` follow.
pub const MATCHING_KEYS: &str = "(select rowid from service_search where service_search match ";

/// Puts a listing's words into the index, in the transaction that writes the listing.
pub fn index(tx: &Tx, search_key: i64, title: &str, tags: &str, description: &str) -> Result<()> {
    remove(tx, search_key)?;
    tx.execute(
        "insert into service_search (rowid, title, tags, description) values ($1, $2, $3, $4)",
        params![search_key, title, tags, description],
    )?;
    Ok(())
}

/// Takes a listing out of the index.
pub fn remove(tx: &Tx, search_key: i64) -> Result<()> {
    tx.execute("delete from service_search where rowid = $1", params![search_key])?;
    Ok(())
}

/// The search keys whose words in the index differ from the listing's: none, if every write kept them together.
pub fn differing(tx: &Tx) -> Result<Vec<i64>> {
    tx.all(
        "select coalesce(s.search_key, f.rowid)
         from (select search_key, title, tags, description from services where archived_at is null) s
         full join (select rowid, title, tags, description from service_search) f on f.rowid = s.search_key
         where s.search_key is null or f.rowid is null
            or f.title <> s.title or f.tags <> s.tags or f.description <> s.description",
        params![],
        |row| row.next(),
    )
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn punctuation_separates_and_means_nothing() {
        let words = Words::parse("logo*, NEAR(\"brand\" OR x:y) %_").expect("has words");
        assert_eq!(words.anywhere(), r#""logo" AND "NEAR" AND "brand" AND "OR" AND "x" AND "y""#);
        assert!(Words::parse(" *\"()%_ ").is_none());
    }
}
