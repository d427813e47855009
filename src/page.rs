//! Keyset pages: a cursor names the last row seen, so page 1,000 costs what page 1 costs and rows that arrive move nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{INVALID_CURSOR, Result};

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }

    pub fn try_map<U>(self, each: impl FnMut(T) -> Result<U>) -> Result<Page<U>> {
        let data = self.data.into_iter().map(each).collect::<Result<_>>()?;
        Ok(Page { data, next_cursor: self.next_cursor })
    }
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub struct PageRequest {
    limit: usize,
    cursor: Option<String>,
}

impl PageRequest {
    pub fn new(limit: usize, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The first page of `limit` rows, for callers inside.
    pub fn first(limit: usize) -> Self {
        Self { limit, cursor: None }
    }

    /// How many rows to select: one more than the page, to know whether another follows.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(100) + 1
    }

    /// The key of the last row seen. `list` names the list and its order, so that a cursor of another one is refused.
    pub fn after<K: DeserializeOwned>(&self, list: &str) -> Result<Option<K>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = open(cursor, list).and_then(|json| serde_json::from_slice(&json).ok());
        match key {
            Some(key) => Ok(Some(key)),
            None => Err(INVALID_CURSOR
                .error("send the next_cursor of the page before, unchanged and with the same parameters")),
        }
    }

    /// Cuts the surplus row off and names the last one that stays.
    pub fn page<T, K: Serialize>(
        &self,
        list: &str,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Page<T>> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next_cursor = match rows.last() {
            Some(last) if more => Some(seal(&serde_json::to_vec(&key(last))?, list)),
            _ => None,
        };
        Ok(Page { data: rows, next_cursor })
    }
}

fn mark(json: &[u8], list: &str) -> Vec<u8> {
    let digest = Sha256::new().chain_update(list.as_bytes()).chain_update([0]).chain_update(json).finalize();
    digest.iter().take(6).copied().collect()
}

fn seal(json: &[u8], list: &str) -> String {
    let mut bytes = mark(json, list);
    bytes.extend_from_slice(json);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn open(cursor: &str, list: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (seen, json) = bytes.split_at_checked(6)?;
    (mark(json, list) == seen).then(|| json.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list_and_cannot_be_altered() {
        let first = PageRequest::first(2);
        let page = first.page("newest", vec![1, 2, 3], |last| *last).expect("serializes");
        assert_eq!(page.data, [1, 2]);
        let cursor = page.next_cursor.expect("a third row follows");
        let next =
            |cursor: &str, list: &str| PageRequest::new(2, Some(cursor.to_owned())).after::<i64>(list).ok();
        assert_eq!(next(&cursor, "newest"), Some(Some(2)));
        assert_eq!(next(&cursor, "price"), None);
        assert_eq!(next(&cursor[1..], "newest"), None);
        assert_eq!(next("", "newest"), None);
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert!(
            PageRequest::first(2)
                .page("n", vec![1, 2], |last| *last)
                .expect("serializes")
                .next_cursor
                .is_none()
        );
    }
}
