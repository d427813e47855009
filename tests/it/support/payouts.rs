//! What the freelancers of the tests are paid.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Person, Reply, TestApp};

/// Longer than the clearance.
pub const CLEARANCE: Duration = Duration::from_secs(7 * 86_400 + 60);

impl TestApp {
    /// A seller with an account at the provider, and a buyer.
    pub async fn paid_people(&self) -> (Person, Person) {
        let (buyer, seller) = (self.buyer().await, self.seller().await);
        self.post("/payouts/account", &seller, None).await.expect(201);
        (buyer, seller)
    }

    /// Lets everything clear that was earned, and logs the seller in again.
    pub async fn cleared(&self) -> Person {
        self.advance(CLEARANCE).await;
        self.log_in("seller").await
    }

    /// A completed order of so much.
    pub async fn earned(&self, buyer: &Person, seller: &Person, price: &str, currency: &str) -> Value {
        let listing = json!({ "price": price, "currency": currency });
        let order = self.pending_order_with(buyer, seller, listing).await;
        self.pay(buyer, &order, "pm_card_visa").await.expect(201);
        self.move_order(buyer, &order, "completed").await.expect(200).json()
    }

    /// POST /payouts.
    pub async fn pay_out(&self, seller: &Person) -> Reply {
        self.post("/payouts", seller, None).await
    }

    /// The payout as it is now.
    pub async fn payout(&self, by: &Person, payout: &Value) -> Value {
        self.get(&format!("/payouts/{}", payout["id"].as_str().unwrap()), by).await.expect(200).json()
    }

    /// What a freelancer has with the house, in one currency.
    pub async fn balance_in(&self, seller: &Person, currency: &str) -> Value {
        let balances = self.get("/payouts/balance", seller).await.expect(200).json();
        let found =
            balances["data"].as_array().unwrap().iter().find(|balance| balance["currency"] == currency);
        found.cloned().unwrap_or(Value::Null)
    }

    /// What the provider's own books say was transferred, in minor units, and how often.
    pub async fn transferred(&self) -> (i64, i64) {
        let sum = "select cast(coalesce(sum(amount_minor), 0) as bigint) from sandbox_transfers";
        (self.count(sum).await, self.count("select count(*) from sandbox_transfers").await)
    }
}
