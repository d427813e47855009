//! The edge: one table of operations that drives the router, the API document, the rate classes and the authorization
//! test; and what every request goes through on its way to a command. Knows no service.

mod answer;
mod call;
pub mod docs;
mod edge;
pub mod idempotency;
mod limits;
mod openapi;
mod operation;
mod passage;
mod problem;
mod query;
mod raw;
pub mod server;

pub use answer::Answer;
pub use call::{Authentication, Begun, Call};
pub use edge::{Edge, alone, metrics_router, printed_document, router};
pub use limits::{RateClass, RateLimits};
pub use openapi::document;
pub use operation::{Access, Operation, Param, delete, get, patch, post, put};
pub use passage::ANSWERED;
pub use query::Query;
pub use raw::RawCall;
