//! How one value is read, and what is said when it cannot be.

use serde_json::{Value, json};

use super::Node;
use crate::error::FieldError;
use crate::id::Id;
use crate::money::Currency;

/// A value, or everything that is wrong with it.
pub type Read<T> = Result<T, Vec<Wrong>>;

/// One mistake, at a pointer below the field.
#[derive(Debug)]
pub struct Wrong {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Wrong {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: String::new(), code, detail: detail.into() }
    }

    /// `expected` and what stood there instead.
    pub fn kind(expected: &str, found: &Node) -> Vec<Self> {
        vec![Self::new("invalid_type", format!("send {expected}, not {}", found.kind()))]
    }

    /// The same mistake inside the member or item `name`.
    #[must_use]
    pub fn inside(mut self, name: &str) -> Self {
        self.pointer = format!("/{}{}", name.replace('~', "~0").replace('/', "~1"), self.pointer);
        self
    }

    pub(super) fn under(self, field: &str) -> FieldError {
        let Self { pointer, code, detail } = self.inside(field);
        FieldError { pointer, code, detail }
    }
}

/// A type that a field of a form can have.
pub trait Field: Sized {
    fn read(node: &Node) -> Read<Self>;

    /// Its JSON Schema.
    fn schema() -> Value;

    /// The value of a field that was left out; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// What to send, in the words of an error.
    fn expected() -> String {
        "it".to_owned()
    }
}

/// May be left out, or be null.
impl<T: Field> Field for Option<T> {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::Null => Ok(None),
            _ => T::read(node).map(Some),
        }
    }

    fn schema() -> Value {
        let mut schema = T::schema();
        match schema.get("type").cloned() {
            Some(Value::String(kind)) => {
                schema["type"] = json!([kind, "null"]);
                if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                    words.push(Value::Null);
                }
            }
            _ => schema = json!({ "anyOf": [schema, { "type": "null" }] }),
        }
        schema
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A field of a PUT: left out it keeps its value. `Change<Option<T>>` can be cleared with null.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<T> {
    Keep,
    To(T),
}

impl<T> Change<T> {
    /// The new value, or the present one.
    pub fn or(self, present: T) -> T {
        match self {
            Self::Keep => present,
            Self::To(value) => value,
        }
    }

    pub fn given(self) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::To(value) => Some(value),
        }
    }

    pub fn as_ref(&self) -> Change<&T> {
        match self {
            Self::Keep => Change::Keep,
            Self::To(value) => Change::To(value),
        }
    }

    pub fn is_given(&self) -> bool {
        matches!(self, Self::To(_))
    }
}

impl<T: Field> Field for Change<T> {
    fn read(node: &Node) -> Read<Self> {
        T::read(node).map(Self::To)
    }

    fn schema() -> Value {
        T::schema()
    }

    fn absent() -> Option<Self> {
        Some(Self::Keep)
    }
}

/// The id of something else. A malformed one is the id of nothing: its user answers 404.
#[derive(Debug)]
pub struct IdRef<K>(pub Id<K>);

impl<K> Field for IdRef<K> {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::String(text) => Ok(Self(Id::from_wire(text))),
            _ => Err(Wrong::kind("an id as a string", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "uuid" })
    }

    fn expected() -> String {
        "an id".to_owned()
    }
}

impl Field for bool {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::Bool(value) => Ok(*value),
            _ => Err(Wrong::kind("true or false", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn expected() -> String {
        "true or false".to_owned()
    }
}

impl Field for Currency {
    fn read(node: &Node) -> Read<Self> {
        let Node::String(code) = node else {
            return Err(Wrong::kind("an ISO 4217 code such as \"USD\"", node));
        };
        Self::parse(code).ok_or_else(|| {
            vec![Wrong::new(
                "invalid_currency",
                "send an ISO 4217 code in capitals, such as \"USD\" or \"JPY\"",
            )]
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "enum": Self::codes(), "examples": ["USD"] })
    }
}

/// A list reads its items and points at the wrong ones by number.
impl<T: Field> Field for Vec<T> {
    fn read(node: &Node) -> Read<Self> {
        let Node::Array(items) = node else { return Err(Wrong::kind("a list", node)) };
        let mut read = Vec::with_capacity(items.len());
        let mut wrongs = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match T::read(item) {
                Ok(value) => read.push(value),
                Err(more) => wrongs.extend(more.into_iter().map(|wrong| wrong.inside(&index.to_string()))),
            }
        }
        if wrongs.is_empty() { Ok(read) } else { Err(wrongs) }
    }

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn expected() -> String {
        "a list".to_owned()
    }
}

/// An integer within `range`; a string that looks like one is refused by name.
pub fn integer(node: &Node, range: std::ops::RangeInclusive<i64>) -> Read<i64> {
    let expected = format!("an integer from {} to {}", range.start(), range.end());
    match node {
        Node::Number(text) => match text.parse::<i64>() {
            Ok(value) if range.contains(&value) => Ok(value),
            Ok(_) => Err(vec![Wrong::new("out_of_range", format!("send {expected}"))]),
            Err(_) => Err(vec![Wrong::new(
                "invalid_type",
                format!("send {expected}, without fraction or exponent"),
            )]),
        },
        _ => Err(Wrong::kind(&expected, node)),
    }
}

/// One of a closed set of words.
pub fn word<T>(node: &Node, words: &[&str], parse: impl Fn(&str) -> Option<T>) -> Read<T> {
    let expected = || {
        format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
    };
    match node {
        Node::String(text) => {
            parse(text).ok_or_else(|| vec![Wrong::new("invalid_value", format!("send {}", expected()))])
        }
        _ => Err(Wrong::kind(&expected(), node)),
    }
}
