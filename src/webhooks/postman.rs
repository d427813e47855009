//! Carries the sandbox's events to the door where a provider's events arrive: a real request, with its headers and its
//! bytes, without a network between. So it works on any node and behind any proxy.

use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use http::{Request, header};
use tower::ServiceExt;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::alone;
use crate::id::Id;
use crate::providers::{sandbox, telling};

use super::routes;

/// Delivers one event; an error means that it was not heard and is sent again.
pub fn deliver(app: App, event: Id<()>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        let Some(sending) = app.db().write(move |tx| telling::to_send(tx, event)).await? else {
            return Ok(());
        };
        let request = Request::post("/webhooks/sandbox")
            .header(header::CONTENT_TYPE, "application/json")
            .header(sandbox::SIGNATURE, sending.signature)
            .body(Body::from(sending.raw))
            .map_err(|wrong| Error::Internal(Box::new(wrong)))?;
        let Ok(answer) = alone(app.clone(), routes::door()).oneshot(request).await;
        if !answer.status().is_success() {
            return Err(Error::broken(format!("the sandbox was not heard: {}", answer.status())));
        }
        app.db().write(move |tx| telling::heard(tx, event)).await
    })
}
