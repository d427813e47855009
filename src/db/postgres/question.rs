//! Values on their way to the server, as the driver wants them: of a statement that is run where they are, or of one that is
//! asked elsewhere and carries its own.

use std::fmt;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::db::{Fault, Param};

/// A statement with values of its own, for whoever waits elsewhere.
pub(super) struct Question {
    pub text: String,
    values: Vec<Value>,
}

/// As it goes to the server; `None` is null.
struct Value {
    kind: Type,
    bytes: Option<BytesMut>,
}

impl Question {
    pub fn new(text: &str, params: &[&dyn Param]) -> Result<Self, Fault> {
        let value = |param: &&dyn Param| {
            let mut bytes = BytesMut::new();
            let null = param.postgres(&mut bytes).map_err(Fault::Other)?;
            let bytes = matches!(null, IsNull::No).then_some(bytes);
            Ok(Value { kind: param.postgres_type(), bytes })
        };
        let values = params.iter().map(value).collect::<Result<_, Fault>>()?;
        Ok(Self { text: text.to_owned(), values })
    }

    /// One without values.
    pub fn bare(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    pub fn types(&self) -> Vec<Type> {
        self.values.iter().map(|value| value.kind.clone()).collect()
    }

    pub fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value as _).collect()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = &self.bytes else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

/// A value on its way to the server, which was told its type before.
pub(super) struct Bound<'v>(pub &'v dyn Param);

impl fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.postgres(out)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}
