//! Orders that are over, and what people were told meanwhile.

use guildhall::error::Result;
use serde_json::Value;

use super::{Person, TestApp};

impl TestApp {
    /// An order of `buyer` that is paid and accepted.
    pub async fn finished(&self, buyer: &Person, listing: &Value) -> Value {
        let order = self.active(buyer, listing).await;
        self.ask(&order, buyer, "completed").await.expect(200).json()
    }

    /// Changes the database behind the application's back.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&guildhall::db::Tx) -> Result<T> + Send + 'static,
    ) -> T {
        self.app.db().write(work).await.unwrap()
    }

    /// What stands in somebody's inbox, newest first.
    pub async fn inbox(&self, of: &Person) -> Vec<Value> {
        let inbox = self.get("/notifications/me?limit=100", of).await.expect(200).json();
        inbox["data"].as_array().unwrap().clone()
    }

    /// The types in somebody's inbox, oldest first.
    pub async fn told(&self, of: &Person) -> Vec<String> {
        let inbox = self.inbox(of).await;
        inbox.iter().rev().map(|row| row["type"].as_str().unwrap().to_owned()).collect()
    }
}
