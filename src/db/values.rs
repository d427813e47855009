//! How values are stored in either engine: ids as 16 bytes or `uuid`, times as microseconds or `timestamptz`, JSON as
//! text or `jsonb`. And [`Sql`], a statement that grows.

use std::fmt::Write;

use bytes::BytesMut;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, Type};

use crate::id::Id;
use crate::money::Currency;
use crate::time::Time;

/// Why a value cannot be sent or read.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// A value as both engines store it.
pub trait Stored {
    /// The type that it is sent to PostgreSQL with: nothing is left to the server's guess.
    const POSTGRES: Type;

    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>>;

    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError>;
}

/// A value that can be bound to a statement.
pub trait Param: Send + Sync {
    fn sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>>;
    fn postgres_type(&self) -> Type;
    fn postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError>;
}

impl<T: Stored + Send + Sync> Param for T {
    fn sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sqlite()
    }
    fn postgres_type(&self) -> Type {
        T::POSTGRES
    }
    fn postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.to_postgres(out)
    }
}

/// A value that can be read from a row.
pub trait FromDb: Sized {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self>;

    fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError>;

    fn from_postgres_null() -> Result<Self, BoxedError> {
        Err("a null where a value was expected".into())
    }
}

impl<T: Stored + ?Sized> Stored for &T {
    const POSTGRES: Type = T::POSTGRES;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        (**self).to_sqlite()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        (**self).to_postgres(out)
    }
}

impl<T: Stored> Stored for Option<T> {
    const POSTGRES: Type = T::POSTGRES;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_ref().map_or(Ok(ToSqlOutput::Owned(rusqlite::types::Value::Null)), Stored::to_sqlite)
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.as_ref().map_or(Ok(IsNull::Yes), |value| value.to_postgres(out))
    }
}
impl<T: FromDb> FromDb for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }
    fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        T::from_postgres(kind, raw).map(Some)
    }
    fn from_postgres_null() -> Result<Self, BoxedError> {
        Ok(None)
    }
}

impl Stored for str {
    const POSTGRES: Type = Type::TEXT;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.extend_from_slice(self.as_bytes());
        Ok(IsNull::No)
    }
}
impl Stored for String {
    const POSTGRES: Type = Type::TEXT;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sqlite()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.as_str().to_postgres(out)
    }
}
impl FromDb for String {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::column_result(value)
    }
    fn from_postgres(_: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        Ok(std::str::from_utf8(raw)?.to_owned())
    }
}

impl Stored for [u8] {
    const POSTGRES: Type = Type::BYTEA;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.extend_from_slice(self);
        Ok(IsNull::No)
    }
}
impl Stored for Vec<u8> {
    const POSTGRES: Type = Type::BYTEA;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_slice().to_sqlite()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.as_slice().to_postgres(out)
    }
}
impl FromDb for Vec<u8> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::column_result(value)
    }
    fn from_postgres(_: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        Ok(raw.to_vec())
    }
}

/// Whole numbers of any width are stored alike, as 64 bits; what a statement computes may be narrower.
macro_rules! stored_integer {
    ($($kind:ty),*) => {$(
        impl Stored for $kind {
            const POSTGRES: Type = Type::INT8;
            fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(i64::from(*self).into())
            }
            fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
                out.extend_from_slice(&i64::from(*self).to_be_bytes());
                Ok(IsNull::No)
            }
        }
        impl FromDb for $kind {
            fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::column_result(value)
            }
            fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
                Ok(Self::try_from(integer(kind, raw)?)?)
            }
        }
    )*};
}
stored_integer!(i64, i32, u32);

fn integer(kind: &Type, raw: &[u8]) -> Result<i64, BoxedError> {
    match *kind {
        Type::INT2 => Ok(i16::from_be_bytes(raw.try_into()?).into()),
        Type::INT4 => Ok(i32::from_be_bytes(raw.try_into()?).into()),
        Type::INT8 => Ok(i64::from_be_bytes(raw.try_into()?)),
        _ => Err(format!("{kind} is no whole number: write cast(… as bigint)").into()),
    }
}

impl Stored for bool {
    const POSTGRES: Type = Type::BOOL;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql()
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.extend_from_slice(&[u8::from(*self)]);
        Ok(IsNull::No)
    }
}
impl FromDb for bool {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::column_result(value)
    }
    fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        match (kind, raw) {
            (&Type::BOOL, [byte]) => Ok(*byte != 0),
            _ => Err(format!("{kind} is no boolean").into()),
        }
    }
}

impl<K> Stored for Id<K> {
    const POSTGRES: Type = Type::UUID;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_uuid().as_bytes())))
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.extend_from_slice(self.as_uuid().as_bytes());
        Ok(IsNull::No)
    }
}
impl<K> FromDb for Id<K> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes: [u8; 16] = value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)?;
        Ok(Self::from_uuid(uuid::Uuid::from_bytes(bytes)))
    }
    fn from_postgres(_: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        Ok(Self::from_uuid(uuid::Uuid::from_slice(raw)?))
    }
}

/// PostgreSQL counts microseconds from 2000-01-01T00:00:00Z.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Its calendar, from there: 4714-11-24 before Christ up to the year 294277. What lies outside is compared as infinitely far.
const POSTGRES_CALENDAR: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

impl Stored for Time {
    const POSTGRES: Type = Type::TIMESTAMPTZ;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_micros().into())
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        let micros = match self.as_micros().saturating_sub(POSTGRES_EPOCH_MICROS) {
            before if before < POSTGRES_CALENDAR.start => i64::MIN,
            after if after >= POSTGRES_CALENDAR.end => i64::MAX,
            micros => micros,
        };
        out.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}
impl FromDb for Time {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
    fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        match *kind {
            Type::TIMESTAMPTZ => {
                let micros = i64::from_be_bytes(raw.try_into()?);
                Ok(Self::from_micros(micros.saturating_add(POSTGRES_EPOCH_MICROS)))
            }
            _ => Err(format!("{kind} is no moment").into()),
        }
    }
}

impl Stored for Currency {
    const POSTGRES: Type = Type::TEXT;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.code().into())
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        self.code().to_postgres(out)
    }
}
impl FromDb for Currency {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
    fn from_postgres(_: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        Self::parse(std::str::from_utf8(raw)?).ok_or_else(|| "no currency".into())
    }
}

/// A JSON document in a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<T: serde::Serialize> Stored for Json<T> {
    const POSTGRES: Type = Type::JSONB;
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
    fn to_postgres(&self, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.extend_from_slice(&[JSONB_VERSION]);
        out.extend_from_slice(&serde_json::to_vec(&self.0)?);
        Ok(IsNull::No)
    }
}
impl<T: serde::de::DeserializeOwned> FromDb for Json<T> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
    fn from_postgres(kind: &Type, raw: &[u8]) -> Result<Self, BoxedError> {
        let text = match *kind {
            Type::JSONB => raw.strip_prefix(&[JSONB_VERSION]).ok_or("an unknown form of jsonb")?,
            _ => raw,
        };
        Ok(Self(serde_json::from_slice(text)?))
    }
}

/// The first byte of a `jsonb` on the wire; the text follows.
const JSONB_VERSION: u8 = 1;

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
        let _ = write!(self.text, "${}", self.params.len());
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
            fn expected() -> String {
                format!("one of {}", [$($word),*].join(", "))
            }
        }
    };
}

/// How a [`words!`] enum is stored: as its word.
#[doc(hidden)]
#[macro_export]
macro_rules! stored_word {
    ($name:ident) => {
        impl $crate::db::Stored for $name {
            const POSTGRES: tokio_postgres::types::Type = tokio_postgres::types::Type::TEXT;
            fn to_sqlite(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                self.as_str().to_sqlite()
            }
            fn to_postgres(
                &self,
                out: &mut bytes::BytesMut,
            ) -> std::result::Result<tokio_postgres::types::IsNull, $crate::db::BoxedError> {
                self.as_str().to_postgres(out)
            }
        }
        impl $crate::db::FromDb for $name {
            fn from_sqlite(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                Self::parse(value.as_str()?).ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
            fn from_postgres(
                _: &tokio_postgres::types::Type,
                raw: &[u8],
            ) -> std::result::Result<Self, $crate::db::BoxedError> {
                let word = std::str::from_utf8(raw)?;
                Self::parse(word).ok_or_else(|| format!("`{word}` is no {}", stringify!($name)).into())
            }
        }
    };
}
