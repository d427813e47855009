//! What the people of the tests order from each other.

use guildhall::events::{self, Event};
use guildhall::id::Id;
use guildhall::orders::{self, Order, OrderId, Status};
use guildhall::params;
use serde_json::{Value, json};

use super::{Person, Reply, TestApp};

/// A buyer, a seller, an administrator, somebody else, and a listing to order.
pub struct Cast {
    pub buyer: Person,
    pub seller: Person,
    pub admin: Person,
    pub stranger: Person,
    pub listing: Value,
}

/// What the database knows of an order, to compare before and after.
#[derive(Debug, PartialEq)]
pub struct Stored {
    /// Every column, as text.
    pub row: String,
    /// Its own events, not those of its payment.
    pub events: Vec<String>,
    /// The timers that are set for it.
    pub timers: Vec<String>,
}

impl TestApp {
    pub async fn cast(&self) -> Cast {
        let seller = self.seller().await;
        let listing = self.listing(&seller).await;
        let (buyer, admin, stranger) = (self.buyer().await, self.admin().await, self.stranger().await);
        Cast { buyer, seller, admin, stranger, listing }
    }

    /// An order of `buyer` for `listing`, waiting for its payment.
    pub async fn placed(&self, buyer: &Person, listing: &Value) -> Value {
        self.post("/orders", buyer, json!({ "service_id": listing["id"] })).await.expect(201).json()
    }

    /// An order that is paid for.
    pub async fn active(&self, buyer: &Person, listing: &Value) -> Value {
        let order = self.placed(buyer, listing).await;
        self.pay(buyer, &order, "pm_card_visa").await.expect(201);
        self.get(&order_path(&order), buyer).await.expect(200).json()
    }

    /// An order that stands at `status`, on the shortest way there.
    pub async fn order_at(&self, status: Status, cast: &Cast) -> Value {
        let order = match status {
            Status::Pending | Status::Cancelled => self.placed(&cast.buyer, &cast.listing).await,
            _ => self.active(&cast.buyer, &cast.listing).await,
        };
        match status {
            Status::Pending | Status::Active => {}
            Status::Delivered => drop(self.ask(&order, &cast.seller, "delivered").await.expect(200)),
            Status::Completed => drop(self.ask(&order, &cast.buyer, "completed").await.expect(200)),
            Status::Cancelled => drop(self.ask(&order, &cast.buyer, "cancelled").await.expect(200)),
            Status::Disputed => drop(self.ask(&order, &cast.buyer, "disputed").await.expect(200)),
        }
        self.get(&order_path(&order), &cast.buyer).await.expect(200).json()
    }

    /// Asks for a status.
    pub async fn ask(&self, order: &Value, by: &Person, status: &str) -> Reply {
        self.put(&order_path(order), by, json!({ "status": status })).await
    }

    /// The order as it is stored.
    pub async fn stored(&self, order: &Value) -> Stored {
        let id = id_of(order);
        let happened = self.happened(order).await;
        let own = |event: &Event| event.kind.starts_with("order_");
        let events = happened.iter().filter(|event| own(event)).map(|event| event.kind.clone()).collect();
        let read = move |tx: &guildhall::db::Tx| {
            let timers =
                tx.all("select kind from timers where subject_id = $1 order by kind", params![id], |row| {
                    row.next::<String>()
                })?;
            Ok((orders::find(tx, id)?, timers))
        };
        let (row, timers) = self.app.db().read(read).await.unwrap();
        Stored { row: format!("{:?}", row.unwrap()), events, timers }
    }

    /// The order's row.
    pub async fn order_row(&self, order: &Value) -> Order {
        let id = id_of(order);
        self.app.db().read(move |tx| orders::find(tx, id)).await.unwrap().unwrap()
    }

    /// Everything that happened to the order, oldest first.
    pub async fn happened(&self, order: &Value) -> Vec<Event> {
        let id = id_of(order);
        let mut events = self.app.db().read(move |tx| events::of_subject(tx, id, None, 1_000)).await.unwrap();
        events.reverse();
        events
    }
}

/// The path of an order.
pub fn order_path(order: &Value) -> String {
    format!("/orders/{}", order["id"].as_str().unwrap())
}

pub fn id_of(order: &Value) -> OrderId {
    Id::from_wire(order["id"].as_str().unwrap())
}
