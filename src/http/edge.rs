//! The router: the operations of the table, the pages beside them, and what every request passes on its way in and out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::app::App;
use crate::db;
use crate::error::{self, Error, Problem};
use crate::id::Id;

use super::docs;
use super::openapi;
use super::operation::Operation;
use super::problem::REQUEST_ID;
use super::server::Peer;

/// What the pages beside the operations show.
pub struct Edge {
    pub(super) document: String,
    pub(super) problems: BTreeMap<&'static str, &'static Problem>,
}

impl Edge {
    pub(super) fn new(operations: &[Arc<Operation>], public_url: &str) -> Self {
        let general = error::PROBLEMS.iter().copied();
        let of_services = operations.iter().flat_map(|operation| operation.problems.iter().copied());
        let problems = general.chain(of_services).map(|problem| (problem.code, problem)).collect();
        Self { document: print(operations, public_url), problems }
    }
}

/// The text that `/openapi.json` serves.
pub fn printed_document(operations: Vec<Operation>, public_url: &str) -> String {
    let operations: Vec<Arc<Operation>> = operations.into_iter().map(Arc::new).collect();
    print(&operations, public_url)
}

fn print(operations: &[Arc<Operation>], public_url: &str) -> String {
    format!("{:#}", openapi::document(operations, public_url))
}

/// Everything that answers, for [`super::server::serve`] and for tests.
pub fn router(app: App, operations: Vec<Operation>) -> Router {
    let mut table = Vec::new();
    let mut paths: BTreeMap<&'static str, MethodRouter<App>> = BTreeMap::new();
    for mut operation in operations {
        let handler = std::mem::take(&mut operation.handler);
        let operation = Arc::new(operation);
        let handler = handler.route_layer(axum::Extension(Arc::clone(&operation)));
        let present = paths.remove(operation.path).unwrap_or_default();
        paths.insert(operation.path, present.merge(handler));
        table.push(operation);
    }
    let edge = Arc::new(Edge::new(&table, &app.config().public_url()));
    let pages = docs::pages(Arc::clone(&edge))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    let mut router = pages;
    for (path, handler) in paths {
        router = router.route(path, handler);
    }
    let origins = cors(&app);
    let router = router
        .fallback(|| async {
            error::NOT_FOUND.error("no such path: /openapi.json lists every operation, /docs shows them")
        })
        .method_not_allowed_fallback(|| async {
            error::METHOD_NOT_ALLOWED.error("this path does not know the method: see the Allow header")
        })
        .layer(middleware::from_fn(measure))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), identify));
    let router = match origins {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.with_state(app)
}

/// One operation alone, for who asks from inside this process.
pub fn alone(app: App, mut operation: Operation) -> Router {
    let handler = std::mem::take(&mut operation.handler);
    let path = operation.path;
    Router::new().route(path, handler.route_layer(axum::Extension(Arc::new(operation)))).with_state(app)
}

/// Off unless origins are configured; never with credentials, for tokens travel in a header.
fn cors(app: &App) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        app.config().cors_origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect();
    let exposed =
        ["etag", "link", "location", "x-request-id", "retry-after", "ratelimit", "idempotency-replayed"];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_MATCH,
                header::IF_NONE_MATCH,
                HeaderName::from_static("idempotency-key"),
            ])
            .expose_headers(exposed.map(HeaderName::from_static))
            .max_age(std::time::Duration::from_secs(600))
    })
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    metrics::counter!("panics_total").increment(1);
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::broken(format!("panic: {}", message.unwrap_or("without a message"))).into_response()
}

/// Gives the request its id and the answer the headers that all carry.
async fn identify(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = Id::<()>::from_uuid(uuid::Uuid::now_v7()).to_string();
    let with_token = request.headers().contains_key(header::AUTHORIZATION);
    let page = request.uri().path().starts_with("/docs");
    let mut response = db::with_patience(REQUEST_ID.scope(id.clone(), next.run(request))).await;
    let headers = response.headers_mut();
    headers.insert("x-request-id", HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("")));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    if let Some(base) = &app.config().public_url {
        absolute(headers, base.trim_end_matches('/'));
    }
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(if with_token { "no-store" } else { "no-cache" }),
        );
    }
    if !page {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        );
    }
    response
}

/// Behind a proxy with a path of its own, only whole addresses lead back here.
fn absolute(headers: &mut HeaderMap, base: &str) {
    for (name, before) in [(header::LOCATION, "/"), (header::LINK, "</")] {
        let relative = headers.get(&name).and_then(|value| value.to_str().ok()?.strip_prefix(before));
        let whole = relative.map(|rest| format!("{}{base}/{rest}", before.trim_end_matches('/')));
        if let Some(value) = whole.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Counts and times requests by operation, and logs one line each.
async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or("none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let labels =
        [("method", known(&method).to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_seconds", "route" => route.clone()).record(started.elapsed());
    let id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
    tracing::info!(%method, route, status, elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), request_id = id, "answered");
    response
}

/// The method as a label. A client may invent methods without end, and each label is kept for good.
fn known(method: &Method) -> &str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if KNOWN.contains(method) { method.as_str() } else { "other" }
}

/// 200 when requests can be served, 503 with the dependency that keeps them from it.
async fn ready(State(app): State<App>) -> Response {
    let database = match app.db().check().await {
        Ok(()) => "ok",
        Err(_) => "unavailable",
    };
    let ready = database == "ok" && !app.is_draining();
    let body = serde_json::json!({ "ready": ready, "checks": { "database": database, "accepting": !app.is_draining() } });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// Prometheus' text format, for loopback peers only and where it has no address of its own. A proxy on this machine is a
/// loopback peer that speaks for others.
async fn metrics(State(app): State<App>, request: Request) -> Response {
    let loopback =
        request.extensions().get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let for_another =
        ["x-forwarded-for", "forwarded"].iter().any(|name| request.headers().contains_key(*name));
    if loopback && !for_another && app.config().metrics_listen.is_none() {
        exposition(&app)
    } else {
        error::not_found().into_response()
    }
}

fn exposition(app: &App) -> Response {
    match app.metrics() {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        None => error::not_found().into_response(),
    }
}

/// `/metrics` alone, for an address of its own.
pub fn metrics_router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(|State(app): State<App>| async move { exposition(&app) }))
        .fallback(|| async { error::NOT_FOUND.error("this address serves /metrics only") })
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_methods_share_one_label() {
        let label = |name: &str| known(&Method::from_bytes(name.as_bytes()).expect("a token")).to_owned();
        assert_eq!(["GET", "PATCH", "BREW", "get"].map(label), ["GET", "PATCH", "other", "other"]);
    }
}
