//! Several processes on one database: nothing is done twice, nothing is lost with the one that dies.

use std::sync::Arc;
use std::time::Duration;

use guildhall::app::Parts;
use guildhall::config::Service;
use guildhall::db::Tx;
use guildhall::events::{self, Watch};
use guildhall::params;
use guildhall::test_clock;
use guildhall::time::Time;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::payments::unknown::only_begin;
use crate::support::{Person, TestApp, Troubles};

const DAY: Duration = Duration::from_secs(86_400);
/// After it, nothing that was sent is still on its way.
const ARRIVED: Duration = Duration::from_secs(21);
/// As many beats as it takes to give a silent node up.
const PATIENCE: usize = 13;

/// Like `troubles.parts()`, at the time of `app`.
fn at_the_time_of(app: &TestApp, troubles: &Troubles) -> Parts {
    Parts { clock: Arc::clone(app.app.db().clock()), ..troubles.parts() }
}

impl TestApp {
    /// A second process with the same settings, at the same time.
    fn second(&self) -> TestApp {
        self.beside(at_the_time_of(self, &Troubles::default()), |_| {})
    }

    /// Says once that it lives.
    async fn beat(&self) {
        Watch::default().beat(&self.app).await.unwrap();
    }

    /// Listens until it gives up whoever stays silent.
    async fn outlive_the_others(&self) {
        let mut watch = Watch::default();
        for _ in 0..PATIENCE {
            watch.beat(&self.app).await.unwrap();
        }
    }

    /// Who holds a timer now, of those that are set.
    async fn holders(&self) -> Vec<Option<events::NodeId>> {
        let held = |tx: &Tx| {
            tx.all("select leased_by from timers where kind = 'payment_ask'", params![], |row| row.next())
        };
        self.app.db().read(held).await.unwrap()
    }

    async fn nodes(&self) -> Vec<events::NodeId> {
        let all =
            |tx: &Tx| tx.all("select id from nodes order by started_at, id", params![], |row| row.next());
        self.app.db().read(all).await.unwrap()
    }
}

async fn ordered(app: &TestApp) -> (Person, Person, Value) {
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.pending_order(&buyer, &seller).await;
    (buyer, seller, order)
}

#[tokio::test]
async fn what_a_dead_node_was_asking_is_asked_at_once_by_another() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.beat().await;
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    let second = app.second();
    second.settle().await;
    assert_eq!(second.charges().await, 0, "the first may still be at it");
    second.outlive_the_others().await;
    assert_eq!(second.nodes().await, [second.app.node().id]);
    second.settle().await;
    assert_eq!(second.charges().await, 0, "what the first sent may still be on its way");
    second.advance(ARRIVED).await;
    assert_eq!(second.order(&buyer, &order).await["status"], "active");
    second.audit().await;
}

#[tokio::test]
async fn a_request_that_outlives_the_death_of_its_node_charges_once() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    app.beat().await;
    let second = app.second();
    let gate = troubles.hold();
    let thawed = async {
        gate.entered().await;
        second.outlive_the_others().await;
        second.settle().await;
        second.advance(ARRIVED).await;
        assert_eq!(second.order(&buyer, &order).await["status"], "active");
        gate.open();
    };
    let (answer, ()) = tokio::join!(app.pay(&buyer, &order, "pm_card_visa"), thawed);
    assert_eq!(answer.expect(201).json()["status"], "success");
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn a_node_that_comes_back_registers_anew_and_leaves_the_new_owners_timer_alone() {
    let (troubles, others) = (Troubles::default(), Troubles::default());
    let app = troubles.app().await;
    let second = app.beside(at_the_time_of(&app, &others), |_| {});
    let (buyer, _, order) = ordered(&app).await;
    app.beat().await;
    only_begin(&app, &buyer, &order, "pm_sandbox_pending").await;
    app.app.db().clock().advance(Duration::from_secs(31));
    let (gate, others_gate) = (troubles.hold(), others.hold());
    let frozen = async {
        gate.entered().await;
        assert_eq!(app.holders().await, [Some(app.app.node().id)]);
        second.outlive_the_others().await;
        let thawed = async {
            others_gate.entered().await;
            gate.open();
        };
        tokio::join!(second.settle(), thawed);
    };
    let first_returns = async {
        app.settle().await;
        assert_eq!(app.holders().await, [None], "asked again in two seconds, as the provider wishes");
        app.beat().await;
        assert_eq!(app.nodes().await.len(), 2, "it is back");
        others_gate.open();
    };
    tokio::join!(first_returns, frozen);
    assert_eq!(app.holders().await, [None]);
    app.advance(Duration::from_secs(3)).await;
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    app.audit().await;
}

#[tokio::test]
async fn a_late_take_does_not_free_what_another_node_holds() {
    let (troubles, others) = (Troubles::default(), Troubles::default());
    let app = troubles.app().await;
    let second = app.beside(at_the_time_of(&app, &others), |_| {});
    let (buyer, _, order) = ordered(&app).await;
    app.beat().await;
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    app.app.db().clock().advance(Duration::from_secs(31));
    let (gate, others_gate) = (troubles.hold(), others.hold());
    troubles.add(crate::support::Trouble::BeforeItHappens);
    let thawing = async {
        gate.entered().await;
        second.outlive_the_others().await;
        let late = async {
            others_gate.entered().await;
            gate.open();
        };
        tokio::join!(second.settle(), late);
    };
    let failing_late = async {
        app.settle().await;
        assert_eq!(app.holders().await, [Some(second.app.node().id)], "not put off by the first");
        others_gate.open();
    };
    tokio::join!(failing_late, thawing);
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    assert_eq!(app.holders().await, []);
    app.audit().await;
}

#[tokio::test]
async fn a_silent_node_is_buried_by_one_of_several() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.beat().await;
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    let (second, third) = (app.second(), app.second());
    let (mut one, mut other) = (Watch::default(), Watch::default());
    for _ in 0..PATIENCE {
        let (heard, also_heard) = tokio::join!(one.beat(&second.app), other.beat(&third.app));
        heard.and(also_heard).unwrap();
    }
    assert_eq!(second.nodes().await.len(), 2, "those that beat live");
    tokio::join!(second.settle(), third.settle());
    app.app.db().clock().advance(ARRIVED);
    tokio::join!(second.settle(), third.settle());
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn what_a_node_holds_when_it_leaves_is_anybodys() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    events::enter(&app.app).await.unwrap();
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    events::leave(&app.app).await.unwrap();
    assert_eq!((app.nodes().await, app.holders().await), (vec![], vec![None]));
    app.second().advance(ARRIVED).await;
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    app.audit().await;
}

#[tokio::test]
async fn two_workers_meet_every_deadline_once() {
    let app = TestApp::new().await;
    let second = app.second();
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    for _ in 0..100 {
        app.post("/orders", &buyer, json!({ "service_id": listing["id"] })).await.expect(201);
    }
    app.app.db().clock().advance(2 * DAY);
    tokio::join!(app.settle(), second.settle());
    for count in [
        "select count(*) from orders where status = 'cancelled'",
        "select count(*) from events where kind = 'order_cancelled'",
    ] {
        assert_eq!(app.count(count).await, 100, "{count}");
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_pay_at_once_on_several_nodes_are_all_served() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let nodes = [app.second(), app.second(), app].map(Arc::new);
    let mut crowd = JoinSet::new();
    for number in 0..24 {
        let (node, buyer) = (Arc::clone(&nodes[number % nodes.len()]), buyer.clone());
        let order = json!({ "service_id": listing["id"] });
        crowd.spawn(async move {
            let order = node.post("/orders", &buyer, order).await.expect(201).json();
            node.pay(&buyer, &order, "pm_card_visa").await.expect(201);
        });
    }
    crowd.join_all().await;
    assert_eq!(nodes[0].charges().await, 24);
    nodes[0].verify().await;
}

#[tokio::test]
async fn a_second_worker_meets_the_deadlines_that_the_first_is_too_busy_for() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let second = app.second();
    let (buyer, seller, order) = ordered(&app).await;
    let unpaid = app.pending_order(&buyer, &seller).await;
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    app.app.db().clock().advance(Duration::from_secs(31));
    let gate = troubles.hold();
    let elsewhere = async {
        gate.entered().await;
        app.app.db().clock().advance(2 * DAY - Duration::from_secs(31));
        second.settle().await;
        let buyer = second.log_in("buyer").await;
        assert_eq!(second.order(&buyer, &unpaid).await["status"], "cancelled");
        gate.open();
    };
    tokio::join!(app.settle(), elsewhere);
    app.audit().await;
}

#[tokio::test]
async fn payments_and_their_timers_are_done_where_they_are_served() {
    let app = TestApp::new().await;
    let quick = || Parts { clock: Arc::clone(app.app.db().clock()), ..TestApp::parts() };
    let rest = app.beside(quick(), |config| config.services.retain(|service| *service != Service::Payments));
    let payments = app.beside(quick(), |config| config.services = vec![Service::Payments]);
    let (buyer, seller) = (rest.buyer().await, rest.seller().await);
    let (order, unpaid) =
        (rest.pending_order(&buyer, &seller).await, rest.pending_order(&buyer, &seller).await);
    rest.pay(&buyer, &order, "pm_card_visa").await.problem(404, "not_found");
    payments.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    payments.get("/orders", &buyer).await.problem(404, "not_found");
    rest.move_order(&seller, &order, "cancelled").await.expect(200);
    rest.settle().await;
    assert_eq!(rest.given_back().await, 0, "the refund waits for those who serve payments");
    payments.settle().await;
    assert_eq!(rest.given_back().await, 4990);
    rest.app.db().clock().advance(2 * DAY);
    let buyer = rest.log_in("buyer").await;
    payments.settle().await;
    assert_eq!(rest.order(&buyer, &unpaid).await["status"], "pending", "a deadline of orders");
    rest.settle().await;
    assert_eq!(rest.order(&buyer, &unpaid).await["status"], "cancelled");
    rest.audit().await;
}

#[tokio::test]
async fn housekeeping_is_done_by_any_node_and_scheduled_once() {
    let app = TestApp::new().await;
    let second = app.beside(TestApp::parts(), |config| config.services = vec![Service::Reviews]);
    tokio::join!(app.keep_house(), second.keep_house());
    assert_eq!(app.count("select count(*) from timers where kind = 'housekeeping'").await, 1);
    // What the provider may have told meanwhile is asked for where payments are served.
    app.settle().await;
}

#[tokio::test]
async fn a_node_is_seen_to_live_while_the_clock_stands_still() {
    let app = TestApp::new().await;
    app.beat().await;
    app.write(|tx| tx.execute("update nodes set seen_at = $1", params![tx.now().plus(DAY)])).await;
    let seen =
        || app.write(|tx| tx.one("select max(seen_at) from nodes", params![], |row| row.next::<Time>()));
    let mut before = seen().await;
    for _ in 0..2 {
        app.beat().await;
        let after = seen().await;
        assert!(after > before, "{after} {before}");
        before = after;
    }
}

#[tokio::test]
async fn a_session_that_ends_on_one_node_is_dead_on_the_others() {
    let app = TestApp::new().await;
    let second = app.second();
    let buyer = app.buyer().await;
    second.get("/users/me", &buyer).await.expect(200);
    app.post("/users/logout", &buyer, None).await.expect(204);
    second.get("/users/me", &buyer).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn the_test_clock_is_followed_by_every_node() {
    let app = TestApp::new().await;
    let second = app.beside(TestApp::parts(), |_| {});
    let admin = app.admin().await;
    second.post("/test/clock", &admin, json!({ "advance_s": 86_400 })).await.expect(200);
    test_clock::catch_up(&app.app).await.unwrap();
    let (ours, theirs) = (app.app.db().clock().now(), second.app.db().clock().now());
    assert!(theirs.since(ours) < Duration::from_secs(60), "{ours} {theirs}");
}
