//! What the freelancers of the tests have made.

use serde_json::{Value, json};

use super::{Person, TestApp};

impl TestApp {
    /// An item in the portfolio of `seller`.
    pub async fn portfolio_item(&self, seller: &Person, title: &str) -> Value {
        let body = json!({ "title": title, "url": "https://example.com/work" });
        self.post("/profiles/me/portfolio", seller, body).await.expect(201).json()
    }
}
