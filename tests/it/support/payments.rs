//! What the people of the tests pay, a provider that misbehaves, and an auditor of the books.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall::app::Parts;
use guildhall::db::Db;
use guildhall::money::{Currency, Money};
use guildhall::params;
use guildhall::payments;
use guildhall::providers::{
    Answering, Charge, ChargebackState, ChargebackStatus, Outcome, Provider, RefundOutcome, RefundRequest,
    Sandbox, TransferOutcome, TransferRequest, Unanswered,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{Person, Reply, TestApp};

impl TestApp {
    /// An order of the buyer for a new listing of the seller: 49.90 USD, pending.
    pub async fn pending_order(&self, buyer: &Person, seller: &Person) -> Value {
        self.pending_order_with(buyer, seller, json!({})).await
    }

    /// The same for a listing with other fields.
    pub async fn pending_order_with(&self, buyer: &Person, seller: &Person, listing: Value) -> Value {
        let listing = self.listing_with(seller, listing).await;
        self.post("/orders", buyer, json!({ "service_id": listing["id"] })).await.expect(201).json()
    }

    /// POST /payments with a method.
    pub async fn pay(&self, buyer: &Person, order: &Value, method: &str) -> Reply {
        let body = json!({ "order_id": order["id"], "payment_method": method });
        self.post("/payments", buyer, body).await
    }

    /// An active order and its payment.
    pub async fn paid(&self, buyer: &Person, seller: &Person) -> (Value, Value) {
        let order = self.pending_order(buyer, seller).await;
        let payment = self.pay(buyer, &order, "pm_card_visa").await.expect(201).json();
        (self.order(buyer, &order).await, payment)
    }

    /// An active order.
    pub async fn paid_order(&self, buyer: &Person, seller: &Person) -> Value {
        self.paid(buyer, seller).await.0
    }

    /// A completed order: paid, delivered, accepted.
    pub async fn completed_order(&self, buyer: &Person, seller: &Person) -> Value {
        let order = self.paid_order(buyer, seller).await;
        self.move_order(seller, &order, "delivered").await.expect(200);
        self.move_order(buyer, &order, "completed").await.expect(200).json()
    }

    /// The order as it is now.
    pub async fn order(&self, by: &Person, order: &Value) -> Value {
        self.get(&format!("/orders/{}", text(&order["id"])), by).await.expect(200).json()
    }

    pub async fn move_order(&self, by: &Person, order: &Value, status: &str) -> Reply {
        self.put(&format!("/orders/{}", text(&order["id"])), by, json!({ "status": status })).await
    }

    /// POST /payments/{id}/refunds.
    pub async fn refund(&self, by: &Person, payment: &Value, amount: Option<&str>) -> Reply {
        let mut body = json!({ "reason": "agreed upon" });
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        self.post(&format!("/payments/{}/refunds", text(&payment["id"])), by, body).await
    }

    /// The same for an order that is completed.
    pub async fn refund_after_release(&self, by: &Person, payment: &Value, amount: &str) -> Reply {
        let body = json!({ "reason": "agreed upon", "amount": amount, "after_release": true });
        self.post(&format!("/payments/{}/refunds", text(&payment["id"])), by, body).await
    }

    /// A completed order and its payment.
    pub async fn completed(&self, buyer: &Person, seller: &Person) -> (Value, Value) {
        let (order, payment) = self.paid(buyer, seller).await;
        (self.move_order(buyer, &order, "completed").await.expect(200).json(), payment)
    }

    /// Pays a freelancer everything at once; whether there was something and nothing stood against it.
    pub async fn pays_out(&self, seller: &Person, currency: &str) -> bool {
        self.write(|tx| tx.execute("update releases set available_at = created_at", &[])).await;
        assert!(self.post("/payouts/account", seller, None).await.status < 300);
        let reply = self.post("/payouts", seller, json!({ "currency": currency })).await;
        assert!(reply.status == 201 || reply.status == 409, "{}", reply.status);
        reply.status == 201
    }

    /// Tells that a bank takes a payment back, as the provider says it; whether there is such a payment.
    pub async fn charge_back(&self, payment: &Value, minor: i64, status: ChargebackStatus) -> bool {
        self.tell_of_chargeback("dp_1", payment, minor, status).await
    }

    /// The same with an id of its own.
    pub async fn tell_of_chargeback(
        &self,
        reference: &str,
        payment: &Value,
        minor: i64,
        status: ChargebackStatus,
    ) -> bool {
        let state = ChargebackState {
            reference: reference.to_owned(),
            charge: text(&payment["transaction_id"]).to_owned(),
            amount: Money::new(minor, Currency::parse(text(&payment["currency"])).unwrap()),
            status,
            reason: "fraudulent".to_owned(),
            evidence_due: None,
        };
        self.write(move |tx| payments::chargeback_told(tx, &state)).await
    }

    /// The open cases, by kind.
    pub async fn cases(&self) -> Vec<String> {
        self.write(|tx| {
            tx.all("select kind from cases where resolved_at is null order by id", params![], |row| {
                row.next()
            })
        })
        .await
    }

    /// The movements of an order that concern somebody: type, status and amount, oldest first.
    pub async fn movements(&self, of: &Person, order: &Value) -> Vec<(String, String, String)> {
        let path = format!("/payments/transactions?limit=100&order_id={}", text(&order["id"]));
        let rows = self.get(&path, of).await.expect(200).json();
        let rows = rows["data"].as_array().unwrap().clone();
        let field = |row: &Value, name: &str| text(&row[name]).to_owned();
        rows.iter()
            .rev()
            .map(|row| (field(row, "type"), field(row, "status"), field(row, "amount")))
            .collect()
    }

    /// The payment as it is now.
    pub async fn payment(&self, by: &Person, payment: &Value) -> Value {
        self.get(&format!("/payments/{}", text(&payment["id"])), by).await.expect(200).json()
    }

    /// A balance of the ledger, in minor units.
    pub async fn balance(&self, account: &str) -> i64 {
        let account = account.to_owned();
        let sum =
            "select cast(coalesce(sum(amount_minor), 0) as bigint) from ledger_lines where account = $1";
        self.number(sum, account).await
    }

    /// What escrow holds of an order, in minor units.
    pub async fn escrow(&self, order: &Value) -> i64 {
        self.balance(&format!("escrow:{}", text(&order["id"]))).await
    }

    /// The charges that succeeded in the provider's own books.
    pub async fn charges(&self) -> i64 {
        self.number("select count(*) from sandbox_charges where status = $1", "succeeded".to_owned()).await
    }

    /// What the provider's own books say was given back, in minor units.
    pub async fn given_back(&self) -> i64 {
        self.number(
            "select cast(coalesce(sum(amount_minor), 0) as bigint) from sandbox_refunds where id <> $1",
            String::new(),
        )
        .await
    }

    /// The open cases, as their administrator sees them.
    pub async fn open_cases(&self, admin: &Person) -> Vec<Value> {
        let listed = self.get("/admin/cases?open=true", admin).await.expect(200).json();
        listed["data"].as_array().unwrap().clone()
    }

    /// POST /admin/cases/{id}/resolve.
    pub async fn resolve_case(&self, admin: &Person, case: &Value, resolution: &str) -> Reply {
        let path = format!("/admin/cases/{}/resolve", text(&case["id"]));
        self.post(&path, admin, json!({ "resolution": resolution, "reason": "looked at it" })).await
    }

    async fn number(&self, sql: &'static str, param: String) -> i64 {
        self.app.db().read(move |tx| tx.one(sql, params![param], |row| row.next())).await.unwrap()
    }

    /// Runs what is due, then checks that our books keep their rules and agree with the provider's; for when no outcome
    /// is open.
    pub async fn audit(&self) {
        self.settle().await;
        self.keeps_its_rules().await;
        self.keeps(AGREEMENT).await;
    }

    /// Checks the rules that hold at any moment.
    pub async fn keeps_its_rules(&self) {
        self.keeps(RULES).await;
    }

    async fn keeps(&self, rules: &'static [(&'static str, &'static str)]) {
        let wrong = self.app.db().read(move |tx| broken(tx, rules)).await.unwrap();
        assert_eq!(wrong, Vec::<String>::new());
    }
}

/// Each rule as a query for what breaks it.
const RULES: &[(&str, &str)] = &[
    (
        "a journal does not sum to zero",
        "select journal_id from ledger_lines group by journal_id, currency having sum(amount_minor) <> 0",
    ),
    (
        "somebody's money is below zero",
        "select account from ledger_lines where account not in ('provider', 'fees', 'costs', 'losses')
             and account not like 'owed:%'
         group by account, currency having sum(amount_minor) < 0",
    ),
    (
        "an order was charged more than once",
        "select j.order_id from ledger_journals j join payments p on p.id = j.cause_id
         where j.kind = 'charge' and p.late_capture = false group by j.order_id having count(*) > 1",
    ),
    (
        "a payment's refunds do not sum to what it says",
        "select id from payments p where refunded_minor <>
         (select coalesce(sum(amount_minor), 0) from refunds where payment_id = p.id and status <> 'failed')",
    ),
    (
        "the parts do not sum to the whole",
        "select p.id from payments p where status = 'success' and amount_minor <> refunded_minor + charged_back_minor
         + (select coalesce(sum(l.amount_minor), 0) from ledger_journals j join ledger_lines l on l.journal_id = j.id
            where j.order_id = p.order_id and (l.account like 'escrow:%' or l.account like 'payable:%' or l.account = 'fees'
                 or l.account like 'owed:%' or l.account like 'payouts:%' or l.account like 'chargebacks:%'
                 or (l.account = 'provider' and j.kind in ('payout_sent', 'payout_returned'))))",
    ),
    (
        "a closed order holds money",
        "select o.id from orders o join ledger_journals j on j.order_id = o.id
         join ledger_lines l on l.journal_id = j.id
         where o.status in ('completed', 'cancelled') and l.account like 'escrow:%'
         group by o.id having sum(l.amount_minor) <> 0",
    ),
    (
        "a cancelled order kept its buyer's money",
        "select o.id from orders o join payments p on p.order_id = o.id
         where o.status = 'cancelled' and p.status = 'success' and p.refunded_minor + p.charged_back_minor <> p.amount_minor",
    ),
    (
        "an order that was begun is not paid",
        "select o.id from orders o where o.status not in ('pending', 'cancelled')
         and (select count(*) from payments p where p.order_id = o.id and p.status = 'success'
              and p.amount_minor = o.amount_minor + o.service_fee_minor and p.currency = o.currency) <> 1",
    ),
    (
        "what is reserved is not what is on its way back",
        "select o.id from orders o where
         (select coalesce(sum(l.amount_minor), 0) from ledger_journals j join ledger_lines l on l.journal_id = j.id
          where j.order_id = o.id and l.account like 'refunds:%')
         <> (select coalesce(sum(r.amount_minor), 0) from refunds r where r.order_id = o.id and r.status = 'pending')",
    ),
    (
        "a transaction does not stand as its cause",
        "select t.id from transactions t join payments p on p.id = t.cause_id where t.type = 'charge' and t.status <>
         case p.status when 'success' then 'success' when 'failed' then 'failed' else 'pending' end
         union all
         select t.id from transactions t join refunds r on r.id = t.cause_id where t.type = 'refund' and t.status <> r.status",
    ),
];

/// What our books and the provider's must agree on once every outcome is known.
const AGREEMENT: &[(&str, &str)] = &[
    (
        "the provider's charges are not ours",
        "select 1 where
         (select coalesce(sum(amount_minor), 0) from sandbox_charges where status = 'succeeded')
         <> (select coalesce(sum(amount_minor), 0) from payments where status = 'success' or late_capture = true)",
    ),
    (
        "the provider's refunds are not ours",
        "select 1 where
         (select coalesce(sum(amount_minor), 0) from sandbox_refunds)
         <> (select coalesce(sum(amount_minor), 0) from refunds where status = 'success')",
    ),
    (
        "the provider's transfers are not ours",
        "select 1 where
         (select coalesce(sum(amount_minor), 0) from sandbox_transfers)
         <> (select coalesce(sum(i.amount_minor), 0) from payout_items i join payouts p on p.id = i.payout_id
             where p.provider = 'sandbox' and i.status = 'paid')",
    ),
    (
        "what the provider owes us is not charges less refunds and transfers",
        "select 1 where
         (select coalesce(sum(amount_minor), 0) from sandbox_charges where status = 'succeeded')
         - (select coalesce(sum(amount_minor), 0) from sandbox_refunds)
         - (select coalesce(sum(amount_minor), 0) from sandbox_transfers)
         <> (select coalesce(-sum(l.amount_minor), 0) from ledger_lines l join ledger_journals j on j.id = l.journal_id
             where l.account = 'provider' and j.kind not like 'chargeback_%')",
    ),
];

fn broken(tx: &guildhall::db::Tx, rules: &[(&str, &str)]) -> guildhall::error::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (rule, sql) in rules {
        let times = tx.all(sql, params![], |_| Ok(()))?.len();
        if times > 0 {
            wrong.push(format!("{rule}, {times} times"));
        }
    }
    Ok(wrong)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What goes wrong with one call to the provider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// The connection breaks before the provider hears of it.
    BeforeItHappens,
    /// It happens, and the answer is lost.
    AfterItHappened,
    /// Whoever asks dies when it has happened.
    Crash,
    /// A refund is refused; nothing else is.
    Refused,
    /// What is sent is answered with an error, and does not happen.
    Error,
    /// What is sent is turned away: too many at once.
    NotNow,
    /// What is sent is turned away: wrong credentials.
    Misconfigured,
}

/// A call to the provider that waits to be let through.
#[derive(Clone, Default)]
pub struct Gate {
    entered: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    /// Resolves when the call has come as far as this.
    pub async fn entered(&self) {
        self.entered.notified().await;
    }

    pub fn open(&self) {
        self.opened.notify_one();
    }
}

/// What will go wrong, call by call; then all is well.
#[derive(Clone, Default)]
pub struct Troubles {
    waiting: Arc<Mutex<VecDeque<Trouble>>>,
    gate: Arc<Mutex<Option<Gate>>>,
}

impl Troubles {
    pub fn add(&self, trouble: Trouble) {
        self.waiting.lock().unwrap().push_back(trouble);
    }

    /// The line is good again.
    pub fn clear(&self) {
        self.waiting.lock().unwrap().clear();
    }

    /// Holds the next call up.
    pub fn hold(&self) -> Gate {
        let gate = Gate::default();
        *self.gate.lock().unwrap() = Some(gate.clone());
        gate
    }

    /// The next trouble that one of these calls can have.
    fn next(&self, call: CallKind) -> Option<Trouble> {
        let can_have = |trouble: &Trouble| match trouble {
            Trouble::BeforeItHappens | Trouble::AfterItHappened | Trouble::Crash => true,
            Trouble::Refused => call == CallKind::Refund,
            Trouble::Error | Trouble::NotNow | Trouble::Misconfigured => call != CallKind::Look,
        };
        let mut waiting = self.waiting.lock().unwrap();
        let place = waiting.iter().position(can_have)?;
        waiting.remove(place)
    }

    /// An application whose provider is the sandbox behind a bad line.
    pub async fn app(&self) -> TestApp {
        TestApp::made_of(self.parts(), |_| {}).await
    }

    /// The parts of such an application.
    pub fn parts(&self) -> Parts {
        let troubles = self.clone();
        let make = move |db: &Db| -> Arc<dyn Provider> {
            Arc::new(Unreliable { sandbox: Sandbox::new(db.clone()), troubles })
        };
        Parts { provider: Box::new(make), ..TestApp::parts() }
    }
}

/// What a provider of the tests leaves to the sandbox that it wraps.
#[rustfmt::skip]
macro_rules! the_rest_is_the_sandboxs {
    () => {
        fn void<'a>(&'a self, charge: &'a guildhall::providers::Charge) -> guildhall::providers::Answering<'a, guildhall::providers::Outcome> {
            self.sandbox.void(charge)
        }

        fn look<'a>(&'a self, charge: &'a guildhall::providers::Charge) -> guildhall::providers::Answering<'a, Option<guildhall::providers::Outcome>> {
            self.sandbox.look(charge)
        }

        fn look_for_refund<'a>(&'a self, refund: &'a guildhall::providers::RefundRequest) -> guildhall::providers::Answering<'a, Option<guildhall::providers::RefundOutcome>> {
            self.sandbox.look_for_refund(refund)
        }

        crate::support::payments::the_books_are_the_sandboxs!();
    };
}
pub(crate) use the_rest_is_the_sandboxs;

/// The same without what charges and refunds are looked for and given up with.
#[rustfmt::skip]
macro_rules! the_books_are_the_sandboxs {
    () => {
        fn look_for_transfer<'a>(&'a self, transfer: &'a guildhall::providers::TransferRequest) -> guildhall::providers::Answering<'a, Option<guildhall::providers::TransferOutcome>> {
            self.sandbox.look_for_transfer(transfer)
        }

        crate::support::payments::the_records_are_the_sandboxs!();
    };
}
pub(crate) use the_books_are_the_sandboxs;

/// The same without what transfers are looked for with.
#[rustfmt::skip]
macro_rules! the_records_are_the_sandboxs {
    () => {
        fn onboard<'a>(&'a self, onboarding: &'a guildhall::providers::Onboarding) -> guildhall::providers::Answering<'a, guildhall::providers::Onboarded> {
            self.sandbox.onboard(onboarding)
        }

        fn look_at_account<'a>(&'a self, reference: &'a str) -> guildhall::providers::Answering<'a, guildhall::providers::AccountState> {
            self.sandbox.look_at_account(reference)
        }

        fn look_at_chargeback<'a>(&'a self, reference: &'a str) -> guildhall::providers::Answering<'a, Option<guildhall::providers::ChargebackState>> {
            self.sandbox.look_at_chargeback(reference)
        }

        fn read_event<'a>(
            &'a self,
            headers: &'a http::HeaderMap,
            raw: &'a [u8],
            now: guildhall::time::Time,
        ) -> guildhall::providers::Answering<'a, Result<guildhall::providers::Notice, guildhall::providers::Forged>> {
            self.sandbox.read_event(headers, raw, now)
        }

        fn notices<'a>(&'a self, from: guildhall::time::Time, rest: Option<&'a str>) -> guildhall::providers::Answering<'a, guildhall::providers::NoticePage> {
            self.sandbox.notices(from, rest)
        }

        fn records<'a>(&'a self, from: guildhall::time::Time, to: guildhall::time::Time) -> guildhall::providers::Answering<'a, Vec<guildhall::providers::Record>> {
            self.sandbox.records(from, to)
        }

        fn balance<'a>(&'a self) -> guildhall::providers::Answering<'a, Vec<guildhall::money::Money>> {
            self.sandbox.balance()
        }
    };
}
pub(crate) use the_records_are_the_sandboxs;

/// The same with charges and refunds, for what is about transfers or records only.
#[rustfmt::skip]
macro_rules! charges_are_the_sandboxs {
    () => {
        fn name(&self) -> &'static str {
            self.sandbox.name()
        }

        fn methods(&self) -> &[&'static str] {
            self.sandbox.methods()
        }

        fn charge<'a>(&'a self, charge: &'a guildhall::providers::Charge) -> guildhall::providers::Answering<'a, guildhall::providers::Outcome> {
            self.sandbox.charge(charge)
        }

        fn confirm<'a>(&'a self, charge: &'a guildhall::providers::Charge) -> guildhall::providers::Answering<'a, guildhall::providers::Outcome> {
            self.sandbox.confirm(charge)
        }

        fn refund<'a>(&'a self, refund: &'a guildhall::providers::RefundRequest) -> guildhall::providers::Answering<'a, guildhall::providers::RefundOutcome> {
            self.sandbox.refund(refund)
        }

        crate::support::payments::the_rest_is_the_sandboxs!();
    };
}
pub(crate) use charges_are_the_sandboxs;

#[derive(Clone, Copy, PartialEq)]
enum CallKind {
    Send,
    Refund,
    Look,
}

struct Unreliable {
    sandbox: Sandbox,
    troubles: Troubles,
}

/// The answer, or what became of it.
async fn troubled<T>(
    trouble: Option<Trouble>,
    gate: Option<Gate>,
    answering: Answering<'_, T>,
) -> Result<T, Unanswered> {
    if let Some(gate) = gate {
        gate.entered.notify_one();
        gate.opened.notified().await;
    }
    let lost = || Err(Unanswered::Unknown("connection reset by peer".to_owned()));
    match trouble {
        Some(Trouble::BeforeItHappens) => lost(),
        Some(Trouble::AfterItHappened) => answering.await.and_then(|_| lost()),
        Some(Trouble::Crash) => panic!("killed after {:?}", answering.await.map(drop)),
        Some(Trouble::Error) => Err(Unanswered::Unknown("500 something went wrong".to_owned())),
        Some(Trouble::NotNow) => {
            let (why, retry_after) = ("too many requests".to_owned(), Some(Duration::from_secs(2)));
            Err(Unanswered::NotNow { why, retry_after })
        }
        Some(Trouble::Misconfigured) => Err(Unanswered::Misconfigured("no such API key".to_owned())),
        Some(Trouble::Refused) | None => answering.await,
    }
}

impl Unreliable {
    fn answer<'a, T: Send + 'a>(&self, answering: Answering<'a, T>) -> Answering<'a, T> {
        let gate = self.troubles.gate.lock().unwrap().take();
        Box::pin(troubled(self.troubles.next(CallKind::Send), gate, answering))
    }

    fn answer_look<'a, T: Send + 'a>(&self, answering: Answering<'a, T>) -> Answering<'a, T> {
        let gate = self.troubles.gate.lock().unwrap().take();
        Box::pin(troubled(self.troubles.next(CallKind::Look), gate, answering))
    }
}

impl Provider for Unreliable {
    fn name(&self) -> &'static str {
        self.sandbox.name()
    }

    fn methods(&self) -> &[&'static str] {
        self.sandbox.methods()
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.answer(self.sandbox.charge(charge))
    }

    fn confirm<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.answer(self.sandbox.confirm(charge))
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        let (code, message) = ("card_closed".to_owned(), "the card's account was closed".to_owned());
        match self.troubles.next(CallKind::Refund) {
            Some(Trouble::Refused) => {
                Box::pin(async { Ok(RefundOutcome::Failed { reference: None, code, message }) })
            }
            trouble => Box::pin(troubled(trouble, None, self.sandbox.refund(refund))),
        }
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.answer(self.sandbox.void(charge))
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        self.answer_look(self.sandbox.look(charge))
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        self.answer_look(self.sandbox.look_for_refund(refund))
    }

    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        self.answer(self.sandbox.transfer(transfer))
    }

    fn look_for_transfer<'a>(
        &'a self,
        transfer: &'a TransferRequest,
    ) -> Answering<'a, Option<TransferOutcome>> {
        self.answer_look(self.sandbox.look_for_transfer(transfer))
    }

    the_records_are_the_sandboxs!();
}
