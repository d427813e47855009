//! What a handler answers: small enough to be stored under an idempotency key and given again byte for byte.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

use super::problem;

/// A status, a JSON body and the few headers that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) replayed: bool,
}

impl Answer {
    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(body)?;
        Ok(Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body,
            replayed: false,
        })
    }

    pub fn ok(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, body)
    }

    pub fn created(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::CREATED, body)
    }

    pub fn accepted(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// Something other than JSON.
    pub fn text(media_type: &str, body: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![("content-type".into(), media_type.into()), ("vary".into(), "Accept".into())],
            body: body.into_bytes(),
            replayed: false,
        }
    }

    pub fn no_content() -> Result<Self> {
        Ok(Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: Vec::new(), replayed: false })
    }

    /// A refusal that has effects, a declined payment for instance: kept under its key like a success.
    pub fn refusal(error: &Error) -> Result<Self> {
        let (status, body) = problem::document(error);
        let mut answer = Self::json(status, &body)?;
        answer.headers = vec![("content-type".into(), problem::MEDIA_TYPE.into())];
        Ok(answer)
    }

    /// Where the thing can be read.
    #[must_use]
    pub fn at(self, location: String) -> Self {
        self.header(header::LOCATION, location)
    }

    /// The strong ETag of a single resource: its version, and a digest of what is embedded from elsewhere.
    #[must_use]
    pub fn etag(self, version: i64, embedded: &impl Serialize) -> Self {
        let digest = Sha256::digest(serde_json::to_vec(embedded).unwrap_or_default());
        let short = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>();
        self.header(header::ETAG, format!("\"{version}.{short}\""))
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name.as_str().to_owned(), value));
        self
    }

    /// Whether it says that the outcome is still to come.
    pub fn is_accepted(&self) -> bool {
        self.status == StatusCode::ACCEPTED
    }

    /// Another member of its JSON object: for the one who asked, after the answer was kept for whoever asks again.
    pub fn also(mut self, name: &str, value: &impl Serialize) -> Result<Self> {
        let mut body: Map<String, Value> = serde_json::from_slice(&self.body)?;
        body.insert(name.to_owned(), serde_json::to_value(value)?);
        self.body = serde_json::to_vec(&body)?;
        Ok(self)
    }

    pub(super) fn etag_value(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.as_str())
    }

    /// Whether the idempotency key keeps it: successes, and the refusal that was recorded.
    pub(super) fn is_kept(&self) -> bool {
        self.status.is_success() || self.status == StatusCode::PAYMENT_REQUIRED
    }

    /// 304 without a body when the reader has this already.
    pub(super) fn unless_known(mut self, if_none_match: Option<&str>) -> Self {
        let known = match (self.etag_value(), if_none_match) {
            (Some(etag), Some(list)) => {
                list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
            }
            _ => false,
        };
        if known && self.status == StatusCode::OK {
            self.status = StatusCode::NOT_MODIFIED;
            self.body.clear();
            self.headers.retain(|(name, _)| name != "content-type");
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        if self.replayed {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        (self.status, headers, self.body).into_response()
    }
}
