//! RFC 9457: every refusal as `application/problem+json`, with the request's id.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::db::Fault;
use crate::error::{self, Error, Problem, Refusal};

pub(super) const MEDIA_TYPE: &str = "application/problem+json";

tokio::task_local! {
    /// The id of the request that this task answers.
    pub(super) static REQUEST_ID: RequestId;
}

/// By which a request is found in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RequestId(Uuid);

impl RequestId {
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub fn header(self) -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        HeaderValue::try_from(&*self.0.hyphenated().encode_lower(&mut text)).expect("hex and hyphens")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The status and the document of a refusal.
pub(super) fn document(error: &Error) -> (StatusCode, Value) {
    match error {
        Error::Refused(refusal) => render(refusal.problem, &refusal.detail, refusal.members.clone()),
        Error::Invalid(errors) => {
            let mut members = Map::new();
            let detail = match errors.as_slice() {
                [only] => only.detail.clone(),
                many => format!("{} fields are wrong: `errors` names each", many.len()),
            };
            members.insert("errors".to_owned(), json!(errors));
            render(&error::VALIDATION_FAILED, &detail, members)
        }
        Error::Database(fault) => {
            let (problem, detail) = of_fault(fault);
            render(problem, detail, Map::new())
        }
        Error::Internal(_) => render(
            &error::INTERNAL,
            "this is a bug: report the request_id to whoever runs this marketplace",
            Map::new(),
        ),
    }
}

fn of_fault(fault: &Fault) -> (&'static Problem, &'static str) {
    match fault {
        Fault::Overloaded => {
            (&error::OVERLOADED, "too many requests are waiting: nothing was done, try again in a second")
        }
        Fault::Busy | Fault::Storage(_) | Fault::TooSlow => (
            &error::STORAGE_UNAVAILABLE,
            "the database cannot be used just now: nothing was done, try again in a second",
        ),
        Fault::Away(_) => (
            &error::STORAGE_UNAVAILABLE,
            "the database cannot be reached just now: nothing was done, try again in a second",
        ),
        Fault::Unknown => (
            &error::OUTCOME_UNKNOWN,
            "the database went away while it kept this: it may have been done. Look, or send the request again with the same Idempotency-Key",
        ),
        Fault::Unique(_) | Fault::Other(_) => {
            (&error::INTERNAL, "this is a bug: report the request_id to whoever runs this marketplace")
        }
    }
}

fn render(problem: &Problem, detail: &str, members: Map<String, Value>) -> (StatusCode, Value) {
    let mut document = json!({
        "type": format!("/problems/{}", problem.code),
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
        "request_id": request_id(),
    });
    if let Some(object) = document.as_object_mut() {
        object.extend(members);
    }
    (StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), document)
}

/// Empty where no request is answered.
fn request_id() -> String {
    REQUEST_ID.try_with(RequestId::to_string).unwrap_or_default()
}

/// Rate-limit and credential headers that go with a refusal.
fn add_headers(error: &Error, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    match response_status(error) {
        401 => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        408 => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        status @ (429 | 503) => {
            let seconds = match error {
                Error::Refused(refusal) => retry_after(refusal),
                _ => 1,
            };
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            if status == 429 {
                let value = format!("\"default\";r=0;t={seconds}");
                headers.insert(
                    "ratelimit",
                    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("\"default\";r=0")),
                );
            }
        }
        _ => {
            if let Error::Refused(refusal) = error
                && let Some(seconds) = refusal.retry_after_s
            {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
    }
}

fn retry_after(refusal: &Refusal) -> u64 {
    refusal.retry_after_s.unwrap_or(1)
}

fn response_status(error: &Error) -> u16 {
    match error {
        Error::Refused(refusal) => refusal.problem.status,
        Error::Invalid(_) => 422,
        Error::Database(fault) => of_fault(fault).0.status,
        Error::Internal(_) => 500,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, body) = document(&self);
        match status.as_u16() {
            500 => tracing::error!(error = %self, request_id = request_id(), "internal error"),
            503 => tracing::warn!(error = %self, request_id = request_id(), "unavailable"),
            _ => {}
        }
        let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        add_headers(&self, &mut response);
        response
    }
}
