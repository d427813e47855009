//! The one error type: what a client can do about it, or what went wrong inside. Every refusal is a [`Problem`] that
//! its service declares beside its rules; `http/` turns it into RFC 9457 problem+json.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use crate::db::Fault;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A kind of refusal: its code is fixed for clients, its page is served at `/problems/{code}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// What it means and what to do, for the page.
    pub about: &'static str,
    /// The members that its document can carry beside the ones that all have.
    pub members: &'static [&'static str],
}

impl Problem {
    /// This problem as an error; `detail` says what happened and the mend.
    pub fn error(&'static self, detail: impl Into<Cow<'static, str>>) -> Error {
        Error::Refused(Box::new(Refusal {
            problem: self,
            detail: detail.into(),
            members: Map::new(),
            retry_after_s: None,
        }))
    }
}

/// Why an operation does not happen.
#[derive(Debug)]
pub enum Error {
    /// The client may act on it: everything but 422 `validation_failed` and 500.
    Refused(Box<Refusal>),
    /// 422 `validation_failed`: every wrong field at once.
    Invalid(Vec<FieldError>),
    /// The database said no. Where a unique violation is an answer, the call that understands it maps it.
    Database(Fault),
    /// A bug or a broken surrounding: logged once at the edge, 500.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// One refusal: its kind, the words for this case, and members that the problem document carries beside them.
#[derive(Debug)]
pub struct Refusal {
    pub problem: &'static Problem,
    pub detail: Cow<'static, str>,
    pub members: Map<String, Value>,
    pub retry_after_s: Option<u64>,
}

/// A field of the body that is wrong. `pointer` is a JSON pointer (RFC 6901), `detail` says the mend.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Error {
    /// Adds a member to the problem document, one that the problem declares: `current`, `allowed`, `blockers`.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl serde::Serialize) -> Self {
        if let Self::Refused(refusal) = &mut self {
            let problem = refusal.problem;
            debug_assert!(problem.members.contains(&member), "{} does not declare `{member}`", problem.code);
            let value = serde_json::to_value(value).unwrap_or(Value::Null);
            refusal.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Says when trying again can help.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.retry_after_s = Some(seconds.max(1));
        }
        self
    }

    /// One wrong field, found after the form was read.
    pub fn field(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: format!("/{name}"), code, detail: detail.into() }])
    }

    /// An invariant of our own that does not hold.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Internal(what.into().into())
    }

    /// Whether this is that refusal.
    pub fn is(&self, problem: &Problem) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.problem == problem)
    }
}

/// Gives a constraint violation its meaning at the call that understands it.
pub trait OnConstraint<T> {
    /// `constraint` names the table and its columns joined by `_`; the violated one must start with it.
    fn on_unique(self, constraint: &str, answer: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_unique(self, constraint: &str, answer: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|error| match error {
            Error::Database(Fault::Unique(name)) if name.starts_with(constraint) => answer(),
            other => other,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{}: {}", refusal.problem.code, refusal.detail),
            Self::Invalid(errors) => {
                f.write_str("validation_failed")?;
                errors.iter().try_for_each(|error| write!(f, "; {} {}", error.pointer, error.detail))
            }
            Self::Database(fault) => write!(f, "database: {fault}"),
            Self::Internal(cause) => {
                write!(f, "{cause}")?;
                let mut source = cause.source();
                while let Some(next) = source {
                    write!(f, ": {next}")?;
                    source = next.source();
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Database(fault)
    }
}
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// Declares problems: `NAME = status "code" "Title" "About"`, and `with ["member"]` where their documents carry more.
#[macro_export]
macro_rules! problems {
    ($($name:ident = $status:literal $code:literal $title:literal $about:literal $(with [$($member:literal),*])?;)*) => {
        $(
            #[doc = $title]
            pub static $name: $crate::error::Problem = $crate::error::Problem {
                code: $code,
                status: $status,
                title: $title,
                about: $about,
                members: &[$($($member),*)?],
            };
        )*
        /// Every problem declared here, for the problem pages and the API document.
        pub static PROBLEMS: &[&$crate::error::Problem] = &[$(&$name),*];
    };
}

/// The refusals that belong to no service.
pub mod general {
    problems! {
        INVALID_REQUEST = 400 "invalid_request" "The request cannot be parsed" "The body is not one JSON object that can be read: it is malformed, nests deeper than 32, repeats a key or is not UTF-8. The detail says where.";
        INVALID_PARAMETER = 400 "invalid_parameter" "A query parameter is unknown, repeated or bad" "The detail names the parameter and lists the ones this operation knows.";
        INVALID_CURSOR = 400 "invalid_cursor" "The cursor is not one of this list" "Use `next_cursor` of the previous page unchanged and with the same filters, or leave `cursor` out to start at the first page.";
        UNAUTHENTICATED = 401 "unauthenticated" "Credentials are needed" "Send `Authorization: Bearer <access_token>`; POST /users/login gives a token.";
        INVALID_TOKEN = 401 "invalid_token" "The token is not valid" "It is unknown, revoked, or its account is gone or suspended. Log in again with POST /users/login.";
        TOKEN_EXPIRED = 401 "token_expired" "The access token has expired" "Access tokens live 15 minutes. POST /users/refresh with your refresh_token gives the next pair.";
        FORBIDDEN = 403 "forbidden" "You may not do this" "You may know that it exists, but this operation is not yours. The detail says whose it is.";
        ROLE_REQUIRED = 403 "role_required" "Another role is needed" "Buying needs the role buyer or both, selling freelancer or both. PUT /users/me changes the role.";
        NOT_FOUND = 404 "not_found" "There is nothing here for you" "No such thing exists, or it is private to others. Check the id.";
        METHOD_NOT_ALLOWED = 405 "method_not_allowed" "The path does not know this method" "The `Allow` header lists the methods that it knows.";
        REQUEST_TIMEOUT = 408 "request_timeout" "The request came too slowly" "Send the whole body within 15 seconds.";
        STALE_VERSION = 412 "stale_version" "It has changed since you read it" "Read it again and repeat the change with the new `ETag` in `If-Match`.";
        BODY_TOO_LARGE = 413 "body_too_large" "The body is too large" "A JSON body may have 64 KiB, a provider's event 256 KiB.";
        UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type" "The body is not JSON" "Send `Content-Type: application/json` and no `Content-Encoding`.";
        VALIDATION_FAILED = 422 "validation_failed" "Some fields are wrong" "`errors` names each with a JSON pointer and says the mend. Nothing was changed." with ["errors"];
        INVALID_IDEMPOTENCY_KEY = 400 "invalid_idempotency_key" "The Idempotency-Key is not usable" "Send one header of 1 to 255 visible ASCII characters, a UUID for instance.";
        IDEMPOTENCY_KEY_REUSED = 422 "idempotency_key_reused" "The Idempotency-Key was used for another request" "A key stands for one request. Use a new key for a new request, or send the first body again.";
        IDEMPOTENCY_IN_PROGRESS = 409 "idempotency_in_progress" "The first request with this key is still running" "Wait a second and send it again: it gets the first answer.";
        TOO_MANY_REQUESTS = 429 "too_many_requests" "Too many requests" "Slow down: `Retry-After` says when to try again.";
        OVERLOADED = 503 "overloaded" "Too much to do just now" "Nothing was done. Try again after `Retry-After` seconds.";
        STORAGE_UNAVAILABLE = 503 "storage_unavailable" "The database cannot be used just now" "Nothing was done. Try again after `Retry-After` seconds.";
        OUTCOME_UNKNOWN = 503 "outcome_unknown" "It is not known whether this was done" "The database went away while it kept the change. Look whether it is there, or send the request again with the same Idempotency-Key: it happens once.";
        INTERNAL = 500 "internal" "Something went wrong on our side" "This is a bug. Give the request_id to whoever runs this marketplace.";
    }

    /// The 404 that private and absent things share, in the same bytes.
    pub fn not_found() -> super::Error {
        NOT_FOUND.error(
            "nothing with this id is here for you: check the id, and that you are logged in as its owner",
        )
    }
}

pub use general::*;
