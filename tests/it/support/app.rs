//! A whole application on a fresh database, without a network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use guildhall::app::{self, App, Parts};
use guildhall::config::Config;
use guildhall::events;
use guildhall::http::router;
use guildhall::http::server::Peer;
use guildhall::providers::sandbox::telling::Telling;
use guildhall::users::passwords::Cost;
use guildhall::verify;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Home, Person, Reply};

/// Answers requests like the program, and refuses to be dropped while something is left to do.
pub struct TestApp {
    pub app: App,
    router: Router,
    pub home: Arc<Home>,
    /// What it left undone is another one's by now.
    is_dead: bool,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings than the default ones; limits are off unless they are turned on.
    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::made_of(Self::parts(), configure).await
    }

    /// The parts of a test: passwords are cheap, and the sandbox tells nothing by itself, so that nothing happens behind a
    /// test's back.
    pub fn parts() -> Parts {
        Parts { password_cost: Cost::CHEAP, telling: Telling(false), ..Parts::default() }
    }

    /// With other parts, a provider for instance.
    pub async fn made_of(parts: Parts, configure: impl FnOnce(&mut Config)) -> Self {
        let home = Home::new();
        let mut config = Config { rate_limit: false, test_clock: true, ..home.config() };
        configure(&mut config);
        let app = App::open(config, parts).unwrap();
        app.db().migrate().await.unwrap();
        Self { router: router(app.clone(), app::operations()), app, home: Arc::new(home), is_dead: false }
    }

    /// A further process on the same database, with a provider and services of its own.
    pub fn beside(&self, parts: Parts, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.app.config().clone();
        configure(&mut config);
        let app = App::open(config, parts).unwrap();
        Self {
            router: router(app.clone(), app::served(app.config())),
            app,
            home: Arc::clone(&self.home),
            is_dead: false,
        }
    }

    /// It stops as it stands, and another process goes on with the same database and the same clock.
    pub fn restarted(mut self, parts: Parts) -> Self {
        let clock = Arc::clone(self.app.db().clock());
        self.is_dead = true;
        self.beside(Parts { clock, ..parts }, |_| {})
    }

    /// A request, by `person` or by nobody.
    pub async fn send<'p>(
        &self,
        method: &str,
        path: &str,
        by: impl Into<Option<&'p Person>>,
        body: impl Into<Option<Value>>,
    ) -> Reply {
        let token = by.into().map(|person| person.token.clone());
        self.request(method, path, token.as_deref(), &[], body.into()).await
    }

    pub async fn get<'p>(&self, path: &str, by: impl Into<Option<&'p Person>>) -> Reply {
        self.send("GET", path, by, None).await
    }

    pub async fn post<'p>(
        &self,
        path: &str,
        by: impl Into<Option<&'p Person>>,
        body: impl Into<Option<Value>>,
    ) -> Reply {
        self.send("POST", path, by, body).await
    }

    pub async fn put<'p>(
        &self,
        path: &str,
        by: impl Into<Option<&'p Person>>,
        body: impl Into<Option<Value>>,
    ) -> Reply {
        self.send("PUT", path, by, body).await
    }

    pub async fn delete<'p>(&self, path: &str, by: impl Into<Option<&'p Person>>) -> Reply {
        self.send("DELETE", path, by, None).await
    }

    /// A request with headers of one's own.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(json) => {
                let text = json.to_string();
                request =
                    request.header("content-type", "application/json").header("content-length", text.len());
                Body::from(text)
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// Any request at all.
    pub async fn raw(&self, mut request: Request<Body>) -> Reply {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Runs everything that is due.
    pub async fn settle(&self) {
        events::settle(&self.app).await.unwrap();
    }

    /// Every invariant holds: for the end of a test that did much.
    pub async fn verify(&self) {
        let violations = verify::run(self.app.db()).await.unwrap();
        assert!(violations.is_empty(), "{}", verify::report(&violations));
    }

    /// Moves the clock and runs everything that became due.
    pub async fn advance(&self, span: Duration) {
        self.app.db().clock().advance(span);
        self.settle().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.is_dead || std::thread::panicking() {
            return;
        }
        let app = self.app.clone();
        let left = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { events::settle(&app).await.unwrap() })
        });
        assert_eq!(
            left.join().unwrap(),
            0,
            "a test ended with work that was due: call settle() and look at its outcome"
        );
    }
}
