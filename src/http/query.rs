//! Query strings: only the parameters that the operation declares, each once unless it is repeatable.

use crate::error::{Error, INVALID_PARAMETER, Result};

use super::operation::{Operation, Param};

/// The parameters of one request.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Query {
    pub(super) fn parse(text: Option<&str>, operation: &Operation) -> Result<Self> {
        let known: Vec<&'static str> = operation.query.iter().map(|param| param.name).collect();
        let mut query = Self { pairs: Vec::new(), known };
        for (name, value) in url::form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            match operation.query.iter().find(|param| param.name == name) {
                None => return Err(query.unknown(&name)),
                Some(Param { repeatable: false, .. }) if query.text(&name).is_some() => {
                    return Err(query.bad(&name, "may be given once"));
                }
                Some(_) if value.contains(['\u{FFFD}', '\0']) => {
                    return Err(query.bad(&name, "is not percent-encoded UTF-8 text"));
                }
                Some(_) => query.pairs.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(query)
    }

    fn unknown(&self, name: &str) -> Error {
        let known = match self.known.as_slice() {
            [] => "it takes none".to_owned(),
            names => format!("it knows {}", names.join(", ")),
        };
        INVALID_PARAMETER
            .error(format!("this operation has no query parameter `{}`: {known}", shortened(name)))
    }

    fn bad(&self, name: &str, why: &str) -> Error {
        INVALID_PARAMETER.error(format!("the query parameter `{}` {why}", shortened(name)))
    }

    /// The value as it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeatable parameter.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value as `parse` understands it; `expected` completes “must be …”.
    pub fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match parse(text) {
                Some(value) => Ok(Some(value)),
                None => Err(self.bad(name, &format!("must be {expected}"))),
            },
        }
    }
}

/// A client's own words in an error stay short.
fn shortened(name: &str) -> String {
    name.chars().filter(|symbol| !symbol.is_control()).take(40).collect()
}
