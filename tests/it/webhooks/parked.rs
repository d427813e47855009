//! Events about what nobody here knows yet, or ever will.

use std::time::Duration;

use guildhall::{params, webhooks};
use serde_json::json;

use super::{A_WHILE, DAY, about_payment, event};
use crate::payments::ordered;
use crate::payments::unknown::only_begin;
use crate::support::{TestApp, Trouble, Troubles};

const HOUR: Duration = Duration::from_secs(3_600);

/// More often than that nothing is looked for once it is late.
const LOOKS: usize = 6;

#[tokio::test]
async fn what_is_not_known_yet_is_looked_for_again() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let early = only_begin(&app, &buyer, &order, "pm_card_visa").await;
    let payment = json!({ "id": early });
    app.tell(&about_payment("evt_1", "charge.succeeded", &payment)).await.expect(200);
    app.settle().await;
    assert_eq!(app.states().await, ["parked"], "the provider has no such charge");
    app.ask_the_provider(early).await;
    app.advance(A_WHILE).await;
    assert_eq!(app.states().await, ["done"]);
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn what_stays_unknown_is_given_up_after_a_day() {
    let app = TestApp::new().await;
    app.tell(&event("evt_1", "charge.succeeded", "charge", "ch_of_another_shop", None)).await.expect(200);
    app.tell(&event("evt_2", "refund.created", "refund", "re_1", Some("refund-unknown"))).await.expect(200);
    for hours in 0..23 {
        app.settle().await;
        assert_eq!(app.states().await, ["parked", "parked"], "after {hours} hours");
        app.advance(Duration::from_secs(3_600)).await;
    }
    app.advance(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(app.states().await, ["ignored", "ignored"]);
    assert_eq!(app.cases().await, Vec::<String>::new());
}

impl TestApp {
    /// The provider has taken money for an order by a charge that nobody here asked for, and tells of it.
    async fn told_of_a_stray_charge(&self) {
        let (buyer, _, order) = ordered(self).await;
        self.pay(&buyer, &order, "pm_card_visa").await.expect(201);
        self.write(|tx| {
            tx.execute(
                "insert into sandbox_charges (id, key, amount_minor, currency, method, status, created_at)
                 values ('ch_stray', 'by hand', 4990, 'USD', 'pm_card_visa', 'succeeded', $1)",
                params![tx.now()],
            )
        })
        .await;
        let mut told = event("evt_1", "charge.succeeded", "charge", "ch_stray", Some("by hand"));
        told["data"]["object"]["metadata"]["order_id"] = order["id"].clone();
        self.tell(&told).await.expect(200);
    }

    /// Hours in which nothing becomes known.
    async fn wait_in_vain(&self) {
        for _ in 0..LOOKS {
            self.advance(HOUR).await;
        }
    }
}

#[tokio::test]
async fn a_stray_charge_that_names_an_order_is_a_case() {
    let app = TestApp::new().await;
    app.told_of_a_stray_charge().await;
    app.advance(DAY - Duration::from_secs(1)).await;
    assert_eq!(app.states().await, ["parked"]);
    app.wait_in_vain().await;
    assert_eq!(
        (app.states().await, app.cases().await),
        (vec!["ignored".to_owned()], vec!["unknown_charge".to_owned()])
    );
}

#[tokio::test]
async fn a_stray_charge_is_looked_at_until_the_provider_answers() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    app.told_of_a_stray_charge().await;
    app.settle().await;
    for _ in 1..LOOKS {
        app.advance(HOUR).await;
    }
    troubles.add(Trouble::BeforeItHappens);
    app.advance(DAY).await;
    assert_eq!((app.states().await, app.cases().await), (vec!["parked".to_owned()], vec![]));
    app.advance(HOUR).await;
    assert_eq!(
        (app.states().await, app.cases().await),
        (vec!["ignored".to_owned()], vec!["unknown_charge".to_owned()])
    );
}

#[tokio::test]
async fn a_program_that_was_away_for_a_day_gives_nothing_up_unseen() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let early = only_begin(&app, &buyer, &order, "pm_card_visa").await;
    let payment = json!({ "id": early });
    app.tell(&about_payment("evt_1", "charge.succeeded", &payment)).await.expect(200);
    app.settle().await;
    app.app.db().clock().advance(DAY * 2);
    app.tell(&event("evt_2", "charge.succeeded", "charge", "ch_of_another_shop", None)).await.expect(200);
    app.settle().await;
    assert_eq!(app.states().await, ["parked", "parked"]);
    app.ask_the_provider(early).await;
    app.advance(Duration::from_secs(60)).await;
    assert_eq!(app.states().await, ["done", "parked"]);
}

#[tokio::test]
async fn events_are_remembered_for_ninety_days() {
    let app = TestApp::new().await;
    app.tell(&event("evt_1", "quantum.entangled", "quantum", "q_1", None)).await.expect(200);
    app.app.db().clock().advance(DAY * 89);
    assert!(app.write(|tx| webhooks::forget_old(tx, 10)).await);
    assert_eq!(app.states().await, ["ignored"]);
    app.app.db().clock().advance(DAY * 2);
    assert!(app.write(|tx| webhooks::forget_old(tx, 10)).await);
    assert_eq!(app.states().await, Vec::<String>::new());
}
