//! A request whose body counts as it came, byte for byte: a signature is over it. No credentials are looked at, no media type
//! is asked for, nothing is parsed.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use http::HeaderMap;

use crate::actor::Actor;
use crate::app::App;
use crate::error::{self, Error, Result};

use super::call::{client_address, collect};
use super::operation::Operation;
use super::query::Query;

/// One such request.
pub struct RawCall {
    pub app: App,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    path: Vec<(String, String)>,
}

impl RawCall {
    /// A word of the path.
    pub fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}

impl FromRequest<App> for RawCall {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let operation = parts.extensions.get::<Arc<Operation>>().cloned();
        let operation =
            operation.ok_or_else(|| Error::broken("a handler outside the table of operations"))?;
        app.rate_limits().count(&Actor::Nobody, client_address(app, &parts), operation.rate)?;
        Query::parse(parts.uri.query(), &operation)?;
        let most =
            operation.raw.as_ref().ok_or_else(|| Error::broken("a raw body that is not declared"))?.most;
        let bytes = collect(&parts.headers, body, most).await?;
        let path =
            RawPathParams::from_request_parts(&mut parts, app).await.map_err(|_| error::not_found())?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { app: app.clone(), headers: parts.headers, bytes, path })
    }
}
