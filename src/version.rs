//! Optimistic locking: the version of a thing that a writer has seen.

use crate::error::{Result, STALE_VERSION};

/// The versions that a writer accepts, from `If-Match`; none means any.
#[derive(Debug, Clone, Default)]
pub struct Expected(Option<Vec<i64>>);

impl Expected {
    /// Accepts what stands at any version.
    pub fn any() -> Self {
        Self(None)
    }

    pub fn one_of(versions: Vec<i64>) -> Self {
        Self(Some(versions))
    }

    /// 412 when the thing has moved on.
    pub fn check(&self, current: i64) -> Result<()> {
        match &self.0 {
            Some(versions) if !versions.contains(&current) => Err(STALE_VERSION
                .error("it has changed since you read it: GET it again and send the new ETag in If-Match")),
            _ => Ok(()),
        }
    }
}
