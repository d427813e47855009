//! What a handler answers: small enough to be stored under an idempotency key and given again byte for byte.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

use super::problem;

/// A listing with a description of some sentences.
const USUAL_BYTES: usize = 1_024;
/// Twenty of them.
const USUAL_PAGE_BYTES: usize = 16 * 1_024;

/// A status, a JSON body and the few headers that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, Cow<'static, str>)>,
    pub(super) body: Vec<u8>,
    pub(super) replayed: bool,
}

impl Answer {
    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self> {
        Self::json_of(status, body, USUAL_BYTES)
    }

    /// `bytes` is a guess: what is longer grows, and every growth is a copy.
    fn json_of(status: StatusCode, value: &impl Serialize, bytes: usize) -> Result<Self> {
        let mut body = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut body, value)?;
        Ok(Self {
            status,
            headers: vec![(header::CONTENT_TYPE, "application/json".into())],
            body,
            replayed: false,
        })
    }

    pub fn ok(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, body)
    }

    /// A page of a list.
    pub fn page(body: &impl Serialize) -> Result<Self> {
        Self::json_of(StatusCode::OK, body, USUAL_PAGE_BYTES)
    }

    pub fn created(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::CREATED, body)
    }

    pub fn accepted(body: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// Something other than JSON.
    pub fn text(media_type: &'static str, body: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![(header::CONTENT_TYPE, media_type.into()), (header::VARY, "Accept".into())],
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
        answer.headers = vec![(header::CONTENT_TYPE, problem::MEDIA_TYPE.into())];
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
        let short = digest.iter().take(6).fold(0_u64, |short, byte| short << 8 | u64::from(*byte));
        self.header(header::ETAG, format!("\"{version}.{short:012x}\""))
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value.into()));
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
        self.headers.iter().find(|(name, _)| name == header::ETAG).map(|(_, value)| &**value)
    }

    /// Whether the idempotency key keeps it: successes, and the refusal that was recorded.
    pub(super) fn is_kept(&self) -> bool {
        self.status.is_success() || self.status == StatusCode::PAYMENT_REQUIRED
    }

    /// 304 without a body when the reader has this already.
    pub(super) fn unless_known(mut self, asked: &HeaderMap) -> Self {
        let if_none_match = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let known = match (self.etag_value(), if_none_match) {
            (Some(etag), Some(list)) => {
                list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
            }
            _ => false,
        };
        if known && self.status == StatusCode::OK {
            self.status = StatusCode::NOT_MODIFIED;
            self.body.clear();
            self.headers.retain(|(name, _)| name != header::CONTENT_TYPE);
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        // Room for those that every answer carries, too.
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in self.headers {
            let value = match value {
                Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
                Cow::Owned(text) => HeaderValue::try_from(text),
            };
            if let Ok(value) = value {
                headers.insert(name, value);
            }
        }
        if self.replayed {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        // As a body and no more: bytes would be given a media type where there are none of them.
        (self.status, headers, Body::from(self.body)).into_response()
    }
}
