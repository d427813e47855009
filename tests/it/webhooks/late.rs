//! What a provider tells late, page by page, or about things that nobody here can mend.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use guildhall::app::Parts;
use guildhall::db::Db;
use guildhall::id::Id;
use guildhall::providers::{
    Answering, Charge, NoticePage, Outcome, Provider, Sandbox, TransferOutcome, TransferRequest, Unanswered,
};
use guildhall::time::Time;
use guildhall::webhooks;
use serde_json::json;

use super::event;
use crate::payments::ordered;
use crate::support::TestApp;
use crate::support::payments::charges_are_the_sandboxs;

/// What was asked for, and where the second page is lost once.
#[derive(Clone, Default)]
struct Heard {
    asked: Arc<Mutex<Vec<Option<String>>>>,
    is_lost: Arc<Mutex<bool>>,
}

/// A sandbox that tells in two pages, and says its fee of 0.88 only when it is looked at.
struct Slow {
    sandbox: Sandbox,
    heard: Heard,
}

impl Deref for Slow {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Slow {
    fn notices<'a>(&'a self, from: Time, rest: Option<&'a str>) -> Answering<'a, NoticePage> {
        Box::pin(async move {
            self.heard.asked.lock().unwrap().push(rest.map(str::to_owned));
            match rest {
                None => {
                    let told = self.sandbox.notices(from, None).await?;
                    Ok(NoticePage { rest: Some("page 2".to_owned()), ..told })
                }
                Some(_) if std::mem::take(&mut *self.heard.is_lost.lock().unwrap()) => {
                    Err(Unanswered::Unknown("the line is cut".to_owned()))
                }
                Some(_) => Ok(NoticePage::default()),
            }
        })
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        Box::pin(async move {
            Ok(self.sandbox.look(charge).await?.map(|outcome| match outcome {
                Outcome::Succeeded { reference, captured, .. } => {
                    Outcome::Succeeded { reference, captured, fee: Some(captured.with_minor(88)) }
                }
                other => other,
            }))
        })
    }
}

struct Told {
    sandbox: Slow,
}

impl Provider for Told {
    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        self.sandbox.transfer(transfer)
    }

    charges_are_the_sandboxs!();
}

impl Heard {
    async fn app(&self) -> TestApp {
        let heard = self.clone();
        let make = move |db: &Db| -> Arc<dyn Provider> {
            Arc::new(Told { sandbox: Slow { sandbox: Sandbox::new(db.clone()), heard } })
        };
        TestApp::made_of(Parts { provider: Box::new(make), ..TestApp::parts() }, |_| {}).await
    }
}

#[tokio::test]
async fn a_listing_that_was_cut_off_goes_on_where_it_was() {
    let heard = Heard::default();
    let app = heard.app().await;
    *heard.is_lost.lock().unwrap() = true;
    let nobody = Id::from_uuid(uuid::Uuid::nil());
    webhooks::catch_up(app.app.clone(), nobody).await.unwrap_err();
    webhooks::catch_up(app.app.clone(), nobody).await.unwrap();
    webhooks::catch_up(app.app.clone(), nobody).await.unwrap();
    let rest = || Some("page 2".to_owned());
    assert_eq!(*heard.asked.lock().unwrap(), [None, rest(), rest(), None, rest()]);
}

#[tokio::test]
async fn a_fee_that_is_told_after_the_charge_is_booked_once() {
    let app = Heard::default().app().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    assert_eq!(app.balance("costs").await, 0);
    let key = format!("payment-{}", payment["id"].as_str().unwrap());
    for id in ["evt_1", "evt_2"] {
        app.tell(&event(id, "charge.updated", "charge", "ch_told", Some(&key))).await.expect(200);
        app.settle().await;
        assert_eq!(app.balance("costs").await, -88);
    }
    app.verify().await;
}

#[tokio::test]
async fn a_payout_that_did_not_reach_its_bank_is_a_case() {
    let app = TestApp::new().await;
    let (_, seller) = app.paid_people().await;
    let sql = "select reference from payout_accounts";
    let account: String =
        app.app.db().read(move |tx| tx.one(sql, guildhall::params![], |row| row.next())).await.unwrap();
    let mut failed = event("evt_1", "payout.failed", "payout", "po_1", None);
    failed["account"] = json!(account);
    let mut paid = event("evt_2", "payout.paid", "payout", "po_2", None);
    paid["account"] = json!(account);
    for told in [&failed, &failed, &paid] {
        app.tell(told).await.expect(200);
    }
    app.settle().await;
    let admin = app.admin().await;
    let cases = app.get("/admin/cases?open=true&kind=payout_failed", &admin).await.expect(200).json();
    assert_eq!(cases["data"].as_array().unwrap().len(), 1, "{cases}");
    assert_eq!(cases["data"][0]["detail"]["theirs"]["account"], account.as_str());
    drop(seller);
    app.verify().await;
}
