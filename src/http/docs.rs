//! The pages for people: the API reference and what each problem means. Nothing is loaded from another host.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderName, HeaderValue, header};

use crate::app::App;
use crate::error::{self, Error, Problem, Result};

use super::edge::Edge;

const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// `/docs`, `/openapi.json` and `/problems/{code}`.
pub(super) fn pages(edge: Arc<Edge>) -> [(&'static str, MethodRouter<App>); 5] {
    let document = Arc::clone(&edge);
    [
        ("/docs", get(|| async { page("text/html; charset=utf-8", include_str!("docs/index.html")) })),
        ("/docs/docs.css", get(|| async { page("text/css; charset=utf-8", include_str!("docs/docs.css")) })),
        (
            "/docs/docs.js",
            get(|| async { page("text/javascript; charset=utf-8", include_str!("docs/docs.js")) }),
        ),
        ("/openapi.json", get(move || describe(document))),
        ("/problems/{code}", get(move |Path(code): Path<String>| async move { problem(&edge, &code) })),
    ]
}

async fn describe(edge: Arc<Edge>) -> Result<Response> {
    let written = tokio::task::spawn_blocking(move || edge.document()).await;
    let document = written.map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

fn page(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, text).into_response()
}

fn problem(edge: &Edge, code: &str) -> Response {
    match edge.problems.get(code) {
        Some(Problem { code, status, title, about, .. }) => {
            let text = format!("{code} (status {status})\n\n{title}.\n\n{about}\n");
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        None => error::NOT_FOUND
            .error("there is no problem with this code: /docs lists them by operation")
            .into_response(),
    }
}
