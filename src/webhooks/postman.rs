//! Carries the sandbox's events to the door where a provider's events arrive: a real request, with its headers and its
//! bytes, without a network between. So it works on any node and behind any proxy.

use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::alone;
use crate::id::Id;
use crate::providers::sandbox::{self, telling};

use super::routes;

/// Delivers one event; an error means that it was not heard and is sent again.
pub fn deliver(app: App, event: Id<()>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        let Some(sending) = app.db().write(move |tx| telling::to_send(tx, event)).await? else {
            return Ok(());
        };
        if let Some(forged) = &sending.forged {
            let answer = knock(&app, &sending.raw, forged).await?;
            if answer.is_success() {
                return Err(Error::broken("a forged event was believed"));
            }
        }
        let times = if sending.twice { 2 } else { 1 };
        for _ in 0..times {
            let answer = knock(&app, &sending.raw, &sending.signature).await?;
            if !answer.is_success() {
                return Err(Error::broken(format!("the sandbox was not heard: {answer}")));
            }
        }
        app.db().write(move |tx| telling::heard(tx, event)).await
    })
}

async fn knock(app: &App, raw: &[u8], signature: &str) -> Result<StatusCode> {
    let request = Request::post("/webhooks/sandbox")
        .header(header::CONTENT_TYPE, "application/json")
        .header(sandbox::SIGNATURE, signature)
        .body(Body::from(raw.to_vec()))
        .map_err(|wrong| Error::Internal(Box::new(wrong)))?;
    let Ok(answer) = alone(app.clone(), routes::door()).oneshot(request).await;
    Ok(answer.status())
}
