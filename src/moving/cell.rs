//! One value of a table: as the database gives and takes it, and as the stream spells it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::db::{Json, Param, Row};
use crate::error::Result;
use crate::id::Id;
use crate::time::Time;

/// What a column holds, whatever each engine calls that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Id,
    Time,
    Integer,
    Text,
    Boolean,
    Json,
    Bytes,
}

/// A value of its kind, or null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Id(Option<Id<()>>),
    Time(Option<Time>),
    Integer(Option<i64>),
    Text(Option<String>),
    Boolean(Option<bool>),
    Json(Option<Json<Value>>),
    Bytes(Option<Vec<u8>>),
}

impl Kind {
    /// Its name in the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Time => "time",
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Json => "json",
            Self::Bytes => "bytes",
        }
    }

    /// The next column of a row.
    pub(super) fn read(self, row: &Row) -> Result<Cell> {
        Ok(match self {
            Self::Id => Cell::Id(row.next()?),
            Self::Time => Cell::Time(row.next()?),
            Self::Integer => Cell::Integer(row.next()?),
            Self::Text => Cell::Text(row.next()?),
            Self::Boolean => Cell::Boolean(row.next()?),
            Self::Json => {
                Cell::Json(row.next::<Option<Json<Value>>>()?.map(|Json(value)| Json(canonical(value))))
            }
            Self::Bytes => Cell::Bytes(row.next()?),
        })
    }

    /// What the stream spells; `None` when that is no value of this kind. A document whose text is `null` would be taken
    /// for no document, so none is stored.
    pub(super) fn parse(self, spelled: Value) -> Option<Cell> {
        Some(match (self, spelled) {
            (Self::Id, Value::Null) => Cell::Id(None),
            (Self::Id, Value::String(text)) => Cell::Id(Some(Id::from_uuid(Uuid::try_parse(&text).ok()?))),
            (Self::Time, Value::Null) => Cell::Time(None),
            (Self::Time, Value::Number(micros)) => Cell::Time(Some(Time::from_micros(micros.as_i64()?))),
            (Self::Integer, Value::Null) => Cell::Integer(None),
            (Self::Integer, Value::Number(number)) => Cell::Integer(Some(number.as_i64()?)),
            (Self::Text, Value::Null) => Cell::Text(None),
            (Self::Text, Value::String(text)) => Cell::Text(Some(text)),
            (Self::Boolean, Value::Null) => Cell::Boolean(None),
            (Self::Boolean, Value::Bool(flag)) => Cell::Boolean(Some(flag)),
            (Self::Json, Value::Null) => Cell::Json(None),
            (Self::Json, document) => Cell::Json(Some(Json(document))),
            (Self::Bytes, Value::Null) => Cell::Bytes(None),
            (Self::Bytes, Value::String(text)) => Cell::Bytes(Some(STANDARD.decode(text).ok()?)),
            _ => return None,
        })
    }
}

impl Cell {
    pub fn param(&self) -> &dyn Param {
        match self {
            Self::Id(value) => value,
            Self::Time(value) => value,
            Self::Integer(value) => value,
            Self::Text(value) => value,
            Self::Boolean(value) => value,
            Self::Json(value) => value,
            Self::Bytes(value) => value,
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(value) => value.serialize(serializer),
            Self::Time(value) => value.map(Time::as_micros).serialize(serializer),
            Self::Integer(value) => value.serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
            Self::Boolean(value) => value.serialize(serializer),
            Self::Json(value) => value.as_ref().map(|Json(document)| document).serialize(serializer),
            Self::Bytes(value) => value.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer),
        }
    }
}

/// The same document with the members of every object in the order of their names: an engine may forget any other.
fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, member)| (name, canonical(member))).collect();
            members.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(Map::from_iter(members))
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_is_read_back_as_it_was_spelled() {
        let id = "018f0000-0000-7000-8000-000000000001";
        let cells = [
            Cell::Id(Some(Id::from_wire(id))),
            Cell::Time(Some(Time::from_micros(-1))),
            Cell::Integer(Some(i64::MIN)),
            Cell::Text(Some("a \"line\"\nand ünïcode\u{0}".to_owned())),
            Cell::Boolean(Some(false)),
            Cell::Json(Some(Json(json!({ "a": [null, 1, "x"] })))),
            Cell::Bytes(Some(vec![0, 255, 10])),
        ];
        let spelled = serde_json::to_string(&cells).expect("spells");
        let shown = r#""018f0000-0000-7000-8000-000000000001",-1,-9223372036854775808,"a \"line\"\nand ünïcode\u0000",false"#;
        assert_eq!(spelled, format!(r#"[{shown},{{"a":[null,1,"x"]}},"AP8K"]"#));
        let kinds = [Kind::Id, Kind::Time, Kind::Integer, Kind::Text, Kind::Boolean, Kind::Json, Kind::Bytes];
        let values: Vec<Value> = serde_json::from_str(&spelled).expect("is JSON");
        let parsed: Vec<_> = kinds
            .iter()
            .zip(values)
            .map(|(kind, value)| kind.parse(value).expect("is of its kind"))
            .collect();
        assert_eq!(parsed, cells);
        for kind in kinds {
            let null = kind.parse(Value::Null).expect("may be null");
            assert_eq!(serde_json::to_string(&null).expect("spells"), "null");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_no_value() {
        let wrong = [
            (Kind::Id, json!("me")),
            (Kind::Time, json!("2026-01-01T00:00:00Z")),
            (Kind::Integer, json!(1.5)),
            (Kind::Integer, json!(u64::MAX)),
            (Kind::Text, json!(1)),
            (Kind::Boolean, json!(1)),
            (Kind::Bytes, json!("not base64")),
        ];
        for (kind, value) in wrong {
            assert_eq!(kind.parse(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn members_are_sorted_at_every_depth() {
        let document = json!({ "b": [{ "z": 1, "a": 2 }], "a": { "d": 1, "c": 2 } });
        assert_eq!(canonical(document).to_string(), r#"{"a":{"c":2,"d":1},"b":[{"a":2,"z":1}]}"#);
    }
}
