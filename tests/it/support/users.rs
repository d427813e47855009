//! What happens to accounts in the tests.

use std::net::IpAddr;

use axum::body::Body;
use guildhall::app;
use guildhall::http::server::Peer;
use http::Request;
use serde_json::{Value, json};

use super::{Reply, TestApp};

impl TestApp {
    /// A try to log in by username from an address of one's own.
    pub async fn try_login(&self, address: &str, username: &str, password: &str) -> Reply {
        self.try_login_as(address, json!({ "username": username, "password": password })).await
    }

    /// The same with any body.
    pub async fn try_login_as(&self, address: &str, body: Value) -> Reply {
        let address: IpAddr = address.parse().unwrap();
        let text = body.to_string();
        let request = Request::post("/users/login")
            .header("content-type", "application/json")
            .header("content-length", text.len())
            .extension(Peer((address, 50_000).into()));
        self.raw(request.body(Body::from(text)).unwrap()).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Reply {
        self.post("/users/refresh", None, json!({ "refresh_token": refresh_token })).await
    }

    /// The operator's reset of a forgotten password.
    pub async fn reset_password(&self, name_or_email: &str, password: &str) {
        let hash = self.app.hasher().hash(password).await.unwrap();
        let whose = name_or_email.to_owned();
        let reset = move |tx: &guildhall::db::Tx| {
            guildhall::users::commands::reset_password(tx, &whose, &hash).map(|_| ())
        };
        self.app.db().write(reset).await.unwrap();
    }

    /// Forgets what is over, as the program does each hour.
    pub async fn keep_house(&self) {
        app::start_housekeeping(&self.app).await.unwrap();
        self.settle().await;
    }

    /// How many rows a statement counts.
    pub async fn count(&self, sql: &'static str) -> i64 {
        self.app.db().read(move |tx| tx.one(sql, &[], |row| row.next())).await.unwrap()
    }
}
