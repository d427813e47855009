//! What the people of the tests offer.

use guildhall::db::{Tx, search};
use serde_json::{Value, json};

use super::{Person, TestApp};

impl TestApp {
    /// A published listing of `seller`: 49.90 USD, seven days.
    pub async fn listing(&self, seller: &Person) -> Value {
        self.listing_with(seller, json!({})).await
    }

    /// The same with other fields.
    pub async fn listing_with(&self, seller: &Person, fields: Value) -> Value {
        let mut body = json!({
            "title": "A logo that fits on a coin", "description": "Three drafts, then two rounds of changes.",
            "category": "Design", "price": "49.90", "tags": ["logo", "branding"]
        });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/services", seller, body).await.expect(201).json()
    }

    /// Where the search index and the listings do not agree.
    pub async fn search_differences(&self) -> Vec<String> {
        let look = |tx: &Tx| {
            let mut found = Vec::new();
            search::differing(tx, |witness| {
                found.push(witness);
                true
            })?;
            Ok(found)
        };
        self.app.db().read(look).await.unwrap()
    }
}

/// The path of a listing.
pub fn path_of(listing: &Value) -> String {
    format!("/services/{}", listing["id"].as_str().unwrap())
}
