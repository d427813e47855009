//! One request to Stripe and what its answer means: done, definitely refused, or unanswered. Never sends anything twice.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::secret::Secret;
use crate::tls;

use super::super::Unanswered;
use super::breaker::Breaker;
use super::form::Form;
use super::objects::{ApiError, Refusal};

/// The version of the API whose words this module knows; an account's own default may be another.
const VERSION: &str = "2025-09-30.clover";

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Below the patience of those who ask, so that the reason is told.
const ANSWER_WITHIN: Duration = Duration::from_secs(18);
const MOST_IN_FLIGHT: usize = 8;
/// A page of a hundred objects is far below it.
const MOST_BYTES: usize = 16 * 1_024 * 1_024;

pub(super) struct Client {
    http: reqwest::Client,
    /// Without a final slash.
    base: String,
    seats: Semaphore,
    breaker: Breaker,
}

/// A request: `call` names it in metrics.
pub(super) struct Ask {
    pub call: &'static str,
    pub method: Method,
    pub path: String,
    pub form: Form,
    /// What changes something carries one.
    pub key: Option<String>,
}

impl Ask {
    pub fn get(call: &'static str, path: impl Into<String>, form: Form) -> Self {
        Self { call, method: Method::GET, path: path.into(), form, key: None }
    }

    pub fn post(call: &'static str, path: impl Into<String>, form: Form, key: impl Into<String>) -> Self {
        Self { call, method: Method::POST, path: path.into(), form, key: Some(key.into()) }
    }
}

/// What was done or read.
#[derive(Debug)]
pub(super) struct Answered<T> {
    pub object: T,
    /// It is the first answer to its key again: how things stood then.
    pub replayed: bool,
}

/// Why it was not done, or that nobody knows.
#[derive(Debug)]
pub(super) enum Failed {
    /// Definitely not done.
    Refused(Box<Refusal>),
    Unanswered(Unanswered),
}

impl From<Unanswered> for Failed {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unanswered(unanswered)
    }
}

impl Client {
    pub fn new(base: &str, key: &Secret) -> Result<Self, String> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_| "the secret key has characters that no key has".to_owned())?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, bearer),
            (header::HeaderName::from_static("stripe-version"), HeaderValue::from_static(VERSION)),
        ]);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client())
            .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| format!("cannot talk to Stripe: {error}"))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            seats: Semaphore::new(MOST_IN_FLIGHT),
            breaker: Breaker::default(),
        })
    }

    /// Sends it once.
    pub async fn send<T: DeserializeOwned>(&self, ask: Ask) -> Result<Answered<T>, Failed> {
        let call = ask.call;
        let sent = self.attempt(ask).await;
        let outcome = match &sent {
            Ok(_) => "done",
            Err(Failed::Refused(_)) => "refused",
            Err(Failed::Unanswered(Unanswered::NotNow { .. })) => "not_now",
            Err(Failed::Unanswered(Unanswered::Misconfigured(_))) => "misconfigured",
            Err(Failed::Unanswered(Unanswered::Unknown(_))) => "unknown",
        };
        metrics::counter!("provider_calls_total", "call" => call, "outcome" => outcome).increment(1);
        match &sent {
            Ok(_) | Err(Failed::Refused(_)) => metrics::gauge!("payment_provider_misconfigured").set(0),
            Err(Failed::Unanswered(Unanswered::Misconfigured(why))) => {
                metrics::gauge!("payment_provider_misconfigured").set(1);
                tracing::error!(call, why, "Stripe does not accept our credentials or settings");
            }
            Err(Failed::Unanswered(why)) => tracing::warn!(call, %why, "no answer from Stripe"),
        }
        sent
    }

    async fn attempt<T: DeserializeOwned>(&self, ask: Ask) -> Result<Answered<T>, Failed> {
        let began = Instant::now();
        if let Some(left) = self.breaker.open_for(began) {
            return Err(not_now("Stripe did not answer several times in a row", Some(left)));
        }
        let busy = || not_now("too many requests to Stripe are under way", Some(Duration::from_secs(1)));
        let _seat = match tokio::time::timeout(ANSWER_WITHIN / 2, self.seats.acquire()).await {
            Ok(Ok(seat)) => seat,
            _ => return Err(busy()),
        };
        let left = ANSWER_WITHIN.saturating_sub(began.elapsed());
        let read = match self.exchange(ask, left).await {
            Ok((status, headers, body)) => classify(status, &headers, &body),
            Err(unanswered) => Err(unanswered.into()),
        };
        match &read {
            // Whoever is limited by Stripe has an answer of Stripe's.
            Ok(_) | Err(Failed::Refused(_)) => self.breaker.answered(),
            Err(Failed::Unanswered(Unanswered::NotNow { retry_after: Some(_), .. })) => {
                self.breaker.answered()
            }
            Err(Failed::Unanswered(_)) => self.breaker.failed(Instant::now()),
        }
        read
    }

    async fn exchange(&self, ask: Ask, within: Duration) -> Result<(u16, HeaderMap, Vec<u8>), Unanswered> {
        let form = ask.form.encoded();
        let mut url = format!("{}{}", self.base, ask.path);
        if ask.method == Method::GET && !form.is_empty() {
            url = format!("{url}?{form}");
        }
        let mut request = self.http.request(ask.method.clone(), url).timeout(within);
        if ask.method == Method::POST {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request = request.header(header::CONTENT_TYPE, kind).body(form);
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        let mut answer = request.send().await.map_err(lost)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(cut_off)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Unanswered::Unknown("the answer does not end".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }
}

/// Without a connection nothing was sent.
fn lost(error: reqwest::Error) -> Unanswered {
    let connecting = error.is_connect();
    let why = chain(error);
    match connecting {
        true => Unanswered::NotNow { why: format!("Stripe cannot be reached: {why}"), retry_after: None },
        false => Unanswered::Unknown(why),
    }
}

fn cut_off(error: reqwest::Error) -> Unanswered {
    Unanswered::Unknown(format!("the answer was cut off: {}", chain(error)))
}

/// The error with its causes; its URL says nothing that the call's name does not.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn not_now(why: &str, retry_after: Option<Duration>) -> Failed {
    Failed::Unanswered(Unanswered::NotNow { why: why.to_owned(), retry_after })
}

fn unknown(why: impl Into<String>) -> Failed {
    Failed::Unanswered(Unanswered::Unknown(why.into()))
}

/// What an answer means.
fn classify<T: DeserializeOwned>(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answered<T>, Failed> {
    let error = || serde_json::from_slice::<ApiError>(body).ok().map(|document| document.error);
    let said = || error().map_or_else(|| format!("status {status}"), |refusal| refusal.to_string());
    match status {
        200..=299 => match serde_json::from_slice(body) {
            Ok(object) => Ok(Answered { object, replayed: is_replayed(headers) }),
            Err(error) => Err(unknown(format!("an answer that cannot be read: {error}"))),
        },
        400 | 402 | 404 => match error() {
            // Another request has this key: what became of that one is not said.
            Some(refusal) if refusal.is_about_the_key() => Err(unknown(refusal.to_string())),
            Some(refusal) => Err(Failed::Refused(Box::new(refusal))),
            None => Err(unknown(format!("status {status} with an answer that cannot be read"))),
        },
        401 | 403 => Err(Failed::Unanswered(Unanswered::Misconfigured(said()))),
        409 | 429 => Err(not_now(&said(), Some(retry_after(headers)))),
        // What answers again to the letter is remembered there: whoever asks sees it by the number in front.
        _ => Err(unknown(format!("{status} {}", said()))),
    }
}

fn is_replayed(headers: &HeaderMap) -> bool {
    headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// What the answer asks for, from a second to five minutes.
fn retry_after(headers: &HeaderMap) -> Duration {
    let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    Duration::from_secs(asked.unwrap_or(1).clamp(1, 300))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const CARD_ERROR: &[u8] = br#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds",
        "message":"Your card has insufficient funds.","payment_intent":{"id":"pi_1","status":"requires_payment_method",
        "amount":1990,"currency":"usd","client_secret":"pi_1_secret_x"}}}"#;

    fn read(status: u16, body: &[u8]) -> Result<Answered<Value>, Failed> {
        classify(status, &HeaderMap::new(), body)
    }

    #[test]
    fn what_was_done_is_done() {
        let done = read(200, br#"{"id":"pi_1"}"#).expect("done");
        assert_eq!((done.object["id"].as_str(), done.replayed), (Some("pi_1"), false));
        let again = HeaderMap::from_iter([(
            header::HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        )]);
        assert!(classify::<Value>(200, &again, b"{}").expect("done").replayed);
    }

    #[test]
    fn a_refusal_is_definite() {
        let Err(Failed::Refused(refusal)) = read(402, CARD_ERROR) else { panic!("no refusal") };
        assert_eq!((refusal.code(), refusal.reference()), ("insufficient_funds".to_owned(), "pi_1"));
        let missing =
            br#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such thing"}}"#;
        for status in [400, 404] {
            let Err(Failed::Refused(refusal)) = read(status, missing) else { panic!("no refusal") };
            assert_eq!((refusal.code(), refusal.reference()), ("resource_missing".to_owned(), ""));
        }
    }

    #[test]
    fn a_key_that_stands_for_something_else_decides_nothing() {
        let body = br#"{"error":{"type":"idempotency_error","message":"Keys for idempotent requests can only be used with the same parameters"}}"#;
        assert!(matches!(read(400, body), Err(Failed::Unanswered(Unanswered::Unknown(_)))));
    }

    #[test]
    fn credentials_that_are_not_accepted_are_our_mistake() {
        for status in [401, 403] {
            let Err(Failed::Unanswered(Unanswered::Misconfigured(why))) =
                read(status, br#"{"error":{"type":"invalid_request_error","message":"Invalid API Key"}}"#)
            else {
                panic!("not misconfigured")
            };
            assert!(why.contains("Invalid API Key"), "{why}");
        }
    }

    #[test]
    fn whoever_is_limited_waits_as_long_as_he_is_told() {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        for status in [409, 429] {
            let limited = classify::<Value>(status, &headers, b"");
            let Err(Failed::Unanswered(Unanswered::NotNow { retry_after, .. })) = limited else {
                panic!("not limited")
            };
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_unknown() {
        for (status, body) in [
            (500, &br#"{"error":{"type":"api_error","message":"Something went wrong"}}"#[..]),
            (503, b""),
            (302, b""),
            (200, br#"{"id":"pi_1","#),
            (200, b""),
            (402, b"<html>"),
            (400, br#"{"error":"#),
        ] {
            assert!(
                matches!(read(status, body), Err(Failed::Unanswered(Unanswered::Unknown(_)))),
                "{status}"
            );
        }
    }

    #[test]
    fn the_secret_of_an_intent_is_in_no_message() {
        let Err(failed) = read(402, CARD_ERROR) else { panic!("no refusal") };
        assert!(!format!("{failed:?}").contains("secret_x"));
    }
}
