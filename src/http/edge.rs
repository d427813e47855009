//! The router: the operations of the table, and the pages beside them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::app::App;
use crate::error::{self, Problem};

use super::docs;
use super::openapi;
use super::operation::Operation;
use super::passage::{Passage, PassageLayer};
use super::server::Peer;

/// What the pages beside the operations show.
pub struct Edge {
    operations: Vec<Arc<Operation>>,
    public_url: String,
    document: OnceLock<Bytes>,
    pub(super) problems: BTreeMap<&'static str, &'static Problem>,
}

impl Edge {
    pub(super) fn new(operations: Vec<Arc<Operation>>, public_url: String) -> Self {
        let general = error::PROBLEMS.iter().copied();
        let of_services = operations.iter().flat_map(|operation| operation.problems.iter().copied());
        let problems = general.chain(of_services).map(|problem| (problem.code, problem)).collect();
        Self { operations, public_url, document: OnceLock::new(), problems }
    }

    /// What `/openapi.json` serves; written when it is first asked for, as that takes a while and several megabytes.
    pub(super) fn document(&self) -> Bytes {
        self.document.get_or_init(|| print(&self.operations, &self.public_url).into()).clone()
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
        let present = paths.remove(operation.path).unwrap_or_default();
        paths.insert(operation.path, present.merge(handler));
        table.push(operation);
    }
    let edge = Arc::new(Edge::new(table.clone(), app.config().public_url()));
    let own: [(&str, MethodRouter<App>); 3] =
        [("/livez", get(|| async { "alive\n" })), ("/readyz", get(ready)), ("/metrics", get(metrics))];
    let pages: Vec<(&str, MethodRouter<App>)> = docs::pages(edge).into_iter().chain(own).collect();
    let beside: Vec<&str> = pages.iter().map(|(path, _)| *path).collect();
    let passage = Arc::new(Passage::new(&table, &beside, app.config().public_url.as_deref()));
    let mut router = Router::new();
    for (path, handler) in pages.into_iter().chain(paths) {
        router = router.route(path, handler);
    }
    let origins = cors(&app);
    let router = router
        .fallback(|| async {
            error::NOT_FOUND.error("no such path: /openapi.json lists every operation, /docs shows them")
        })
        .method_not_allowed_fallback(|| async {
            error::METHOD_NOT_ALLOWED.error("this path does not know the method: see the Allow header")
        });
    let router = match origins {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(PassageLayer(passage)).with_state(app)
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
