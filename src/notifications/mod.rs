//! The inbox: what people are told, once per event, and what they write to each other.

use crate::http::Operation;

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    Vec::new()
}
