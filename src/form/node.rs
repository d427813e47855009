//! JSON as it was written: numbers keep their digits, a repeated key is an error, nesting is bounded. (serde_json's own
//! `Value` keeps the last of repeated keys and turns decimals into floats.)

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 32;

/// A JSON value. A number is the text that stood there.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Why a body is no JSON that we take.
#[derive(Debug, PartialEq)]
pub struct Malformed(pub String);

impl Node {
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not UTF-8".to_owned()))?;
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| Malformed(error.to_string()))?;
        Self::from_raw(raw.get(), 1)
    }

    fn from_raw(text: &str, depth: usize) -> Result<Self, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed(format!("it nests deeper than {MAX_DEPTH}")));
        }
        let malformed = |error: serde_json::Error| Malformed(error.to_string());
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(malformed)?;
                let read =
                    |(name, raw): (String, &RawValue)| Ok((name, Self::from_raw(raw.get(), depth + 1)?));
                Self::Object(members.into_iter().map(read).collect::<Result<_, Malformed>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
                Self::Array(
                    items
                        .into_iter()
                        .map(|raw| Self::from_raw(raw.get(), depth + 1))
                        .collect::<Result<_, _>>()?,
                )
            }
            Some(b'"') => Self::String(serde_json::from_str(text).map_err(malformed)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, in the words of an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Whether a client sent back what it had been given.
    pub fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(mine), Value::Bool(other)) => mine == other,
            (Self::Number(mine), Value::Number(other)) => mine.parse::<f64>().ok() == other.as_f64(),
            (Self::String(mine), Value::String(other)) => mine == other,
            (Self::Array(mine), Value::Array(other)) => {
                mine.len() == other.len() && mine.iter().zip(other).all(|(mine, other)| mine.equals(other))
            }
            (Self::Object(mine), Value::Object(other)) => {
                mine.len() == other.len()
                    && mine.iter().all(|(name, mine)| other.get(name).is_some_and(|other| mine.equals(other)))
            }
            _ => false,
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(value.to_string()),
            Value::String(value) => Self::String(value.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

/// The members of an object, each key once.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format_args!("the key `{name}` is repeated")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Err(serde::de::Error::custom("expected an object"))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
