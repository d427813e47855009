//! How values are stored: ids as 16 bytes, times as microseconds, JSON as text. And [`Sql`], a statement that grows.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::id::Id;
use crate::money::Currency;
use crate::time::Time;

/// A value that can be bound to a statement.
pub trait Param: ToSql + Send + Sync {}
impl<T: ToSql + Send + Sync> Param for T {}

/// A value that can be read from a row.
pub trait FromDb: FromSql {}
impl<T: FromSql> FromDb for T {}

impl<K> ToSql for Id<K> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_uuid().as_bytes())))
    }
}
impl<K> FromSql for Id<K> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes: [u8; 16] = value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)?;
        Ok(Self::from_uuid(uuid::Uuid::from_bytes(bytes)))
    }
}

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_micros().into())
    }
}
impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
}

impl ToSql for Currency {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.code().into())
    }
}
impl FromSql for Currency {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A JSON document in a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<T: serde::Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}
impl<T: serde::de::DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A statement put together from conditions, each with its parameter. Only fixed text is pushed: values are bound.
pub struct Sql {
    text: String,
    params: Vec<Box<dyn Param>>,
}

impl Sql {
    pub fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends the next `$n` and binds `value` to it.
    pub fn bind(&mut self, value: impl Param + 'static) -> &mut Self {
        self.params.push(Box::new(value));
        self.text.push_str(&format!("${}", self.params.len()));
        self
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn params(&self) -> Vec<&dyn Param> {
        self.params.iter().map(AsRef::as_ref).collect()
    }

    /// Runs it on `tx`, mapping every row.
    pub fn all<T>(
        &self,
        tx: &super::Tx,
        map: impl FnMut(&super::Row) -> crate::error::Result<T>,
    ) -> crate::error::Result<Vec<T>> {
        tx.all(&self.text, &self.params(), map)
    }
}

/// A closed vocabulary that is the same word in JSON, in SQL and in Rust.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),* }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }

        $crate::stored_word!($name);

        impl $crate::form::Field for $name {
            fn read(node: &$crate::form::Node) -> $crate::form::Read<Self> {
                $crate::form::word(node, &[$($word),*], Self::parse)
            }
            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": Self::ALL })
            }
        }
    };
}

/// How a [`words!`] enum is stored: as its word.
#[doc(hidden)]
#[macro_export]
macro_rules! stored_word {
    ($name:ident) => {
        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                Self::parse(value.as_str()?).ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
        }
    };
}
