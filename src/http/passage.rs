//! What every request passes on its way in and out: it gets its id and its operation, is counted, timed and logged, and its
//! answer the headers that all carry. One service around each route, since a layer each would cost a boxed future each.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use metrics::{Counter, Histogram};
use tower::{Layer, Service};

use crate::db;
use crate::error::Error;

use super::operation::Operation;
use super::problem::{REQUEST_ID, RequestId};

/// The target of the line about each answer in the log.
pub const ANSWERED: &str = module_path!();

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where the pages are, which load their own scripts.
const PAGES: &str = "/docs";

/// The paths that are known, and where the marketplace is reached.
pub(super) struct Passage {
    ways: HashMap<&'static str, Arc<Way>>,
    /// For what has no path of its own.
    elsewhere: Arc<Way>,
    /// Behind a proxy with a path of its own, only whole addresses lead back here.
    base: Option<String>,
}

/// One path: its operations, and how they are counted.
struct Way {
    operations: Vec<Arc<Operation>>,
    route: &'static str,
    seconds: Histogram,
    answered: RwLock<Vec<(&'static str, StatusCode, Counter)>>,
}

impl Passage {
    pub fn new(operations: &[Arc<Operation>], pages: &[&'static str], base: Option<&str>) -> Self {
        let mut ways: HashMap<&'static str, Way> = pages.iter().map(|path| (*path, Way::to(path))).collect();
        for operation in operations {
            let way = ways.entry(operation.path).or_insert_with(|| Way::to(operation.path));
            way.operations.push(Arc::clone(operation));
        }
        let base = base.map(|base| base.trim_end_matches('/').to_owned());
        let ways = ways.into_iter().map(|(path, way)| (path, Arc::new(way))).collect();
        Self { ways, elsewhere: Arc::new(Way::to("none")), base }
    }

    fn way(&self, request: &Request) -> &Arc<Way> {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        path.and_then(|path| self.ways.get(path)).unwrap_or(&self.elsewhere)
    }

    /// The headers that all answers carry.
    fn dress(&self, headers: &mut HeaderMap, id: RequestId, with_token: bool, is_page: bool) {
        headers.reserve(7);
        headers.insert(X_REQUEST_ID, id.header());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Some(base) = &self.base {
            absolute(headers, base);
        }
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
        if !headers.contains_key(header::CACHE_CONTROL) {
            let kept = if with_token { "no-store" } else { "no-cache" };
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        }
        if !is_page {
            let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

fn absolute(headers: &mut HeaderMap, base: &str) {
    for (name, before) in [(header::LOCATION, "/"), (header::LINK, "</")] {
        let relative = headers.get(&name).and_then(|value| value.to_str().ok()?.strip_prefix(before));
        let whole = relative.map(|rest| format!("{}{base}/{rest}", before.trim_end_matches('/')));
        if let Some(value) = whole.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
}

impl Way {
    fn to(route: &'static str) -> Self {
        let seconds = metrics::histogram!("http_request_seconds", "route" => route);
        Self { operations: Vec::new(), route, seconds, answered: RwLock::default() }
    }

    fn operation(&self, method: &Method) -> Option<&Arc<Operation>> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.operations.iter().find(|operation| operation.method == method)
    }

    /// Counts and times an answer, and logs one line.
    fn note(&self, method: &Method, status: StatusCode, began: Instant, id: RequestId) {
        let elapsed = began.elapsed();
        self.seconds.record(elapsed);
        self.count(known(method), status);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(%method, route = self.route, status = status.as_u16(), elapsed_us, request_id = %id, "answered");
    }

    fn count(&self, method: &'static str, status: StatusCode) {
        let counted = |(of, with, counter): &(&'static str, StatusCode, Counter)| {
            let same = *of == method && *with == status;
            if same {
                counter.increment(1);
            }
            same
        };
        if self.answered.read().unwrap_or_else(PoisonError::into_inner).iter().any(counted) {
            return;
        }
        let mut answered = self.answered.write().unwrap_or_else(PoisonError::into_inner);
        // Another may have been faster.
        if !answered.iter().any(counted) {
            let labels = [
                ("method", method.to_owned()),
                ("route", self.route.to_owned()),
                ("status", status.as_str().to_owned()),
            ];
            let counter = metrics::counter!("http_requests_total", &labels);
            counter.increment(1);
            answered.push((method, status, counter));
        }
    }
}

/// The method as a label. A client may invent methods without end, and each label is kept for good.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    metrics::counter!("panics_total").increment(1);
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::broken(format!("panic: {}", message.unwrap_or("without a message"))).into_response()
}

/// Puts [`Passing`] around each route.
#[derive(Clone)]
pub(super) struct PassageLayer(pub Arc<Passage>);

impl<S> Layer<S> for PassageLayer {
    type Service = Passing<S>;

    fn layer(&self, inner: S) -> Passing<S> {
        Passing { inner, passage: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
pub(super) struct Passing<S> {
    inner: S,
    passage: Arc<Passage>,
}

impl<S> Service<Request> for Passing<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let began = Instant::now();
        let id = RequestId::new();
        let passage = Arc::clone(&self.passage);
        let way = Arc::clone(passage.way(&request));
        let method = request.method().clone();
        if let Some(operation) = way.operation(&method) {
            request.extensions_mut().insert(Arc::clone(operation));
        }
        let with_token = request.headers().contains_key(header::AUTHORIZATION);
        let is_page = request.uri().path().starts_with(PAGES);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = pin!(answer);
            let caught = poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx)));
                polled.unwrap_or_else(|panic| Poll::Ready(Ok(panicked(panic.as_ref()))))
            });
            let mut response = db::with_patience(REQUEST_ID.scope(id, caught)).await?;
            way.note(&method, response.status(), began, id);
            passage.dress(response.headers_mut(), id, with_token, is_page);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_methods_share_one_label() {
        let label = |name: &str| known(&Method::from_bytes(name.as_bytes()).expect("a token"));
        assert_eq!(["GET", "PATCH", "BREW", "get"].map(label), ["GET", "PATCH", "other", "other"]);
    }
}
