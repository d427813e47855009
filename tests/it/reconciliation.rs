//! The provider's books against ours: clean days are clean, and whatever is done to one side behind the other's back is
//! named, can be decided, and is then at rest.

mod outside;

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall::app::{self, Parts};
use guildhall::db::Db;
use guildhall::params;
use guildhall::payments::cases::Kind;
use guildhall::providers::{
    Answering, Provider, Record, Recorded, Sandbox, TransferOutcome, TransferRequest, summed,
};
use guildhall::reconciliation::{self, Report, Window};
use guildhall::time::Time;
use serde_json::{Value, json};

use crate::support::payments::charges_are_the_sandboxs;
use crate::support::{Person, Program, TestApp};

/// What the provider tells beside what its sandbox did, and the fees that it takes of charges.
#[derive(Clone, Default)]
struct Told {
    records: Arc<Mutex<Vec<Record>>>,
    fees: Arc<Mutex<Vec<(String, i64)>>>,
}

/// The sandbox's books with what is told beside them.
struct Books {
    sandbox: Sandbox,
    told: Told,
}

impl Deref for Books {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Books {
    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>> {
        Box::pin(async move {
            let mut records = self.sandbox.records(from, to).await?;
            let told = self.told.records.lock().unwrap().clone();
            records.extend(told.into_iter().filter(|record| record.at >= from && record.at < to));
            for (charge, fee) in self.told.fees.lock().unwrap().iter() {
                for record in records.iter_mut().filter(|record| record.reference == *charge) {
                    record.fee = Some(record.amount.with_minor(*fee));
                }
            }
            Ok(records)
        })
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<guildhall::money::Money>> {
        Box::pin(async move {
            let mut sums = self.sandbox.balance().await?;
            let currency = sums[0].currency();
            sums.extend(self.told.records.lock().unwrap().iter().map(|record| match record.what {
                Recorded::Reversal | Recorded::Reinstatement => record.amount,
                Recorded::Chargeback | Recorded::TakenOut => record.amount.with_minor(-record.amount.minor()),
                _ => record.amount.with_minor(0),
            }));
            let fees: i64 = self.told.fees.lock().unwrap().iter().map(|(_, fee)| fee).sum();
            sums.push(guildhall::money::Money::new(-fees, currency));
            Ok(summed(sums))
        })
    }
}

struct Telling {
    sandbox: Books,
}

impl Provider for Telling {
    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        self.sandbox.transfer(transfer)
    }

    charges_are_the_sandboxs!();
}

/// A day on which much has happened, and all of it on both sides.
struct Day {
    app: TestApp,
    told: Told,
    admin: Person,
    seller: Person,
    buyer: Person,
}

impl Day {
    async fn new() -> Self {
        let told = Told::default();
        let telling = told.clone();
        let make = move |db: &Db| -> Arc<dyn Provider> {
            Arc::new(Telling { sandbox: Books { sandbox: Sandbox::new(db.clone()), told: telling } })
        };
        let parts = Parts { provider: Box::new(make), ..TestApp::parts() };
        let app = TestApp::made_of(parts, |config| {
            config.market.clearance = Duration::ZERO;
            config.verify_hourly = false;
        })
        .await;
        let (buyer, seller) = app.paid_people().await;
        app.admin().await;
        app.paid_order(&buyer, &seller).await;
        let (_, refunded) = app.paid(&buyer, &seller).await;
        app.refund(&seller, &refunded, Some("10.00")).await.expect(201);
        app.earned(&buyer, &seller, "80.00", "USD").await;
        app.pay_out(&seller).await.expect(201);
        let declined = app.pending_order(&buyer, &seller).await;
        app.pay(&buyer, &declined, "pm_card_visa_chargeDeclined").await.expect(402);
        app.settle().await;
        app.advance(Duration::from_secs(2 * 3_600)).await;
        let (admin, seller, buyer) =
            (app.log_in("keeper").await, app.log_in("seller").await, app.log_in("buyer").await);
        Self { app, told, admin, seller, buyer }
    }

    async fn run(&self) -> Report {
        let now = self.app.app.db().clock().now();
        let window = Window { from: now.minus(Duration::from_secs(86_400)), to: now };
        reconciliation::run(&self.app.app, window).await.unwrap()
    }

    /// The names of the differences, without the sum of them all.
    async fn found(&self) -> Vec<Kind> {
        let report = self.run().await;
        report.differences.iter().filter(|found| !found.is_summary).map(|found| found.kind).collect()
    }

    async fn open(&self) -> Vec<Value> {
        let overview = self.app.get("/admin/reconciliation", &self.admin).await.expect(200).json();
        overview["open"].as_array().unwrap().clone()
    }

    async fn approve(&self, case: &Value) -> crate::support::Reply {
        let path = format!("/admin/reconciliation/{}/approve", case["id"].as_str().unwrap());
        self.app.post(&path, &self.admin, json!({ "reason": "It was seen at the provider." })).await
    }

    async fn text(&self, sql: &'static str) -> String {
        self.app.app.db().read(move |tx| tx.one(sql, params![], |row| row.next())).await.unwrap()
    }

    async fn act(&self, injected: &Injected) {
        match injected {
            Injected::Sql(sql) => {
                let sql: &'static str = sql;
                assert_eq!(self.app.write(move |tx| tx.execute(sql, &[])).await, 1, "{sql}");
            }
            Injected::Told(what, of) => {
                let of = self.text(of).await;
                self.tell(*what, &format!("told_{of}"), &of, TRANSFERRED);
            }
            Injected::Fee(minor) => {
                let charge = self.text(PLAIN_CHARGE).await;
                self.told.fees.lock().unwrap().push((charge, *minor));
            }
        }
    }

    /// The provider tells of it from now on.
    fn tell(&self, what: Recorded, reference: &str, of: &str, amount: &str) {
        self.told.records.lock().unwrap().push(Record {
            what,
            reference: reference.to_owned(),
            amount: guildhall::money::Money::parse(amount, self.currency()).unwrap(),
            of: of.to_owned(),
            key: None,
            fee: None,
            at: self.app.app.db().clock().now().minus(Duration::from_secs(60)),
        });
    }

    fn currency(&self) -> guildhall::money::Currency {
        guildhall::money::Currency::parse("USD").unwrap()
    }
}

/// What goes wrong at the provider.
enum Injected {
    Sql(&'static str),
    /// It tells of something else that happened to what the statement names.
    Told(Recorded, &'static str),
    Fee(i64),
}

/// The charge of which nothing was given back or sent.
const PLAIN_CHARGE: &str = "select p.transaction_id from payments p join orders o on o.id = p.order_id
     where p.status = 'success' and p.refunded_minor = 0 and o.status = 'active'";
const TRANSFER: &str = "select id from sandbox_transfers";
/// 80.00 less ten per cent.
const TRANSFERRED: &str = "72.00";

/// Each kind of difference, how it comes about, and how it is decided.
fn all_twelve() -> Vec<(Kind, Injected, &'static str)> {
    use Injected::{Fee, Sql, Told};
    vec![
        (
            Kind::MissingLocalCharge,
            Sql("update sandbox_charges set status = 'succeeded' where status = 'declined'"),
            "booked",
        ),
        (
            Kind::MissingProviderCharge,
            Sql("delete from sandbox_charges where id = (select p.transaction_id from payments p
                     join orders o on o.id = p.order_id
                     where p.status = 'success' and p.refunded_minor = 0 and o.status = 'active')"),
            "accepted",
        ),
        (
            Kind::AmountDiffers,
            Sql("update sandbox_charges set amount_minor = amount_minor + 100 where amount_minor = 8000"),
            "accepted",
        ),
        (
            Kind::CurrencyDiffers,
            Sql("update sandbox_charges set currency = 'EUR' where id = (select p.transaction_id from payments p
                     join orders o on o.id = p.order_id
                     where p.status = 'success' and p.refunded_minor = 0 and o.status = 'active')"),
            "accepted",
        ),
        (
            Kind::DuplicateCharge,
            Sql("insert into sandbox_charges (id, key, amount_minor, currency, method, status, created_at)
                 select 'ch_again', key || '-again', amount_minor, currency, method, status, created_at
                 from sandbox_charges where amount_minor in (8000, 8100)"),
            "accepted",
        ),
        (
            Kind::RefundOnlyAtProvider,
            Sql("insert into sandbox_refunds (id, key, charge_id, amount_minor, created_at)
                 select 're_dashboard', 'dashboard', id, 500, created_at from sandbox_charges
                 where id = (select p.transaction_id from payments p join orders o on o.id = p.order_id
                     where p.status = 'success' and p.refunded_minor = 0 and o.status = 'active')"),
            "booked",
        ),
        (Kind::RefundOnlyLocal, Sql("delete from sandbox_refunds where amount_minor = 1000"), "accepted"),
        (Kind::TransferOnlyLocal, Sql("delete from sandbox_transfers where amount_minor = 7200"), "accepted"),
        (Kind::TransferReversedOutside, Told(Recorded::Reversal, TRANSFER), "booked"),
        (Kind::ChargebackUnseen, Told(Recorded::Chargeback, PLAIN_CHARGE), "booked"),
        (Kind::FeeDrift, Fee(30), "booked"),
        (Kind::PayoutFailed, Told(Recorded::FailedPayout, TRANSFER), "accepted"),
    ]
}

#[tokio::test]
async fn a_clean_day_has_no_differences() {
    let day = Day::new().await;
    let report = day.run().await;
    assert_eq!(report.differences, []);
    let (ours, theirs) = report.balance.clone().unwrap();
    assert_eq!((ours.len(), &ours), (1, &theirs));
    assert!(report.days.iter().all(|(_, _, ours, theirs)| ours == theirs), "{}", report.text());
    assert!(report.text().ends_with("No differences.\n"), "{}", report.text());
    let overview = day.app.get("/admin/reconciliation", &day.admin).await.expect(200).json();
    assert_eq!(overview["runs"][0]["differences"], 0);
    assert_eq!(overview["runs"][0]["report"]["balances"][0]["ours"], ours[0].to_string());
}

#[tokio::test]
async fn each_of_the_twelve_is_named_and_decided_and_then_at_rest() {
    let twelve = all_twelve();
    assert_eq!(twelve.len(), 12);
    for (kind, injected, resolution) in twelve {
        let day = Day::new().await;
        day.act(&injected).await;
        assert_eq!(day.found().await, [kind]);
        assert_eq!(day.found().await, [kind], "it stays until it is decided");
        let open = day.open().await;
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(open[0]["kind"], kind.as_str());
        let decided = day.approve(&open[0]).await.expect(200).json();
        assert_eq!(decided["resolution"], resolution, "{kind}");
        let report = day.run().await;
        assert!(report.differences.is_empty(), "{kind} is decided\n{}", report.text());
        assert_eq!(day.open().await.len(), 0);
        day.app.settle().await;
        day.app.verify().await;
    }
}

#[tokio::test]
async fn all_of_them_at_once_are_all_named() {
    let day = Day::new().await;
    let together = [0, 2, 4, 6, 8, 9, 10, 11];
    let mut expected = Vec::new();
    for (place, (kind, injected, _)) in all_twelve().into_iter().enumerate() {
        if together.contains(&place) {
            day.act(&injected).await;
            expected.push(kind);
        }
    }
    let report = day.run().await;
    let mut found: Vec<Kind> =
        report.differences.iter().filter(|found| !found.is_summary).map(|found| found.kind).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{}", report.text());
    let sum = report.differences.iter().find(|found| found.is_summary).unwrap();
    assert!(sum.says.contains("duplicate_charge") && !sum.says.contains("unexplained"), "{}", sum.says);
}

#[tokio::test]
async fn a_duplicate_that_was_given_back_at_the_provider_is_no_difference_any_more() {
    let day = Day::new().await;
    day.act(&all_twelve()[4].1).await;
    assert_eq!(day.found().await, [Kind::DuplicateCharge]);
    let back = "insert into sandbox_refunds (id, key, charge_id, amount_minor, created_at)
         select 're_again', 'again', id, amount_minor, created_at from sandbox_charges where id = 'ch_again'";
    day.act(&Injected::Sql(back)).await;
    assert_eq!(day.run().await.differences, []);
    assert_eq!(day.open().await.len(), 0, "nobody has to decide it");
    let kept = "delete from sandbox_refunds where id = 're_again'";
    day.act(&Injected::Sql(kept)).await;
    assert_eq!(day.found().await, [Kind::DuplicateCharge]);
    assert_eq!(day.open().await.len(), 1, "it is there again");
}

#[tokio::test]
async fn what_is_proposed_is_booked_once_and_exactly_by_an_administrator() {
    let day = Day::new().await;
    day.act(&all_twelve()[5].1).await;
    day.found().await;
    let case = &day.open().await[0];
    let path = format!("/admin/reconciliation/{}/approve", case["id"].as_str().unwrap());
    day.app.post(&path, &day.seller, json!({ "reason": "mine" })).await.problem(403, "forbidden");
    day.app.post(&path, &day.admin, json!({ "reason": "" })).await.problem(422, "validation_failed");
    day.approve(case).await.expect(200);
    day.approve(case).await.problem(409, "difference_decided");
    let order = case["order_id"].as_str().unwrap();
    assert_eq!(day.app.balance(&format!("escrow:{order}")).await, 4_990 - 500);
    let booked =
        "select count(*) from refunds r join ledger_journals j on j.cause_id = r.id and j.kind = 'refund'
         where r.transaction_id = 're_dashboard'";
    assert_eq!(day.app.count(booked).await, 1);
    let order = json!({ "id": order });
    day.app.move_order(&day.buyer, &order, "completed").await.expect(200);
    day.app.settle().await;
    day.app.verify().await;
}

#[tokio::test]
async fn a_proposal_is_not_lost_by_closing_its_case() {
    let day = Day::new().await;
    day.act(&all_twelve()[5].1).await;
    day.found().await;
    let case = day.app.open_cases(&day.admin).await.remove(0);
    assert_eq!(case["resolutions"], json!(["leave"]));
    let refused =
        day.app.resolve_case(&day.admin, &case, "accept").await.problem(409, "resolution_not_offered");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("POST /admin/reconciliation/"), "{detail}");
    day.approve(&case).await.expect(200);
    day.app.settle().await;
    day.app.verify().await;
}

#[tokio::test]
async fn what_is_left_unbooked_is_still_told() {
    let day = Day::new().await;
    day.act(&all_twelve()[5].1).await;
    day.found().await;
    let case = day.app.open_cases(&day.admin).await.remove(0);
    day.app.resolve_case(&day.admin, &case, "leave").await.expect(200);
    let report = day.run().await;
    assert_eq!(report.differences, []);
    let text = report.text();
    assert!(text.contains("Known, decided, and not booked:\n  refund_only_at_provider: "), "{text}");
    day.approve(&case).await.problem(409, "difference_decided");
}

#[tokio::test]
async fn a_freelancer_whose_bank_takes_no_money_is_told_once() {
    let day = Day::new().await;
    day.act(&all_twelve()[11].1).await;
    assert_eq!(day.found().await, [Kind::PayoutFailed]);
    day.found().await;
    let told = day.app.inbox(&day.seller).await;
    let refused: Vec<&Value> = told.iter().filter(|row| row["type"] == "payout_bank_refused").collect();
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0]["message"].as_str().unwrap().starts_with("Your bank did not take 72.00 USD"),
        "{refused:?}"
    );
    day.app.verify().await;
}

#[tokio::test]
async fn a_balance_that_nothing_explains_is_a_difference_of_its_own() {
    let day = Day::new().await;
    day.told.fees.lock().unwrap().push(("of something that it does not list".to_owned(), 77));
    let report = day.run().await;
    let [riddle] = report.differences.as_slice() else { panic!("{}", report.text()) };
    assert_eq!((riddle.kind, riddle.is_summary), (Kind::BalanceDiffers, false));
    assert!(riddle.says.contains("-0.77 unexplained"), "{}", riddle.says);
    assert!(
        riddle.says.starts_with("The provider holds 0.77 USD less than our books say"),
        "{}",
        riddle.says
    );
    day.approve(&day.open().await[0]).await.expect(200);
    assert_eq!(day.run().await.differences, []);
}

#[tokio::test]
async fn the_timer_runs_every_day_and_goes_back_to_the_last_run() {
    let day = Day::new().await;
    app::start_audits(&day.app.app).await.unwrap();
    for runs in 1..=2 {
        day.app.advance(Duration::from_secs(86_400)).await;
        let done = "select count(*) from reconciliations where finished_at is not null";
        while day.app.count(done).await < runs {
            tokio::task::yield_now().await;
        }
    }
    let reconciled =
        "select count(*) from reconciliations a join reconciliations b on b.window_from <= a.window_to
         where a.window_from < b.window_from and b.differences = 0";
    assert_eq!(day.app.count(reconciled).await, 1);
    assert_eq!(day.app.count("select count(*) from timers where kind = 'reconcile_daily'").await, 1);
}

#[test]
fn the_command_prints_both_sides_and_fails_when_they_differ() {
    let program = Program::embedded();
    program.run(&["demo"]).expect(0);
    let clean = program.run(&["reconcile", "--from", "2020-01-01"]).expect(0);
    assert!(
        clean.stdout.contains("charged") && clean.stdout.ends_with("No differences.\n"),
        "{}",
        clean.stdout
    );
    let database = rusqlite::Connection::open(program.dir().join("guildhall-data/guildhall.db")).unwrap();
    let newest = "update sandbox_charges set amount_minor = amount_minor + 1
         where id = (select max(transaction_id) from payments where status = 'success')";
    assert_eq!(database.execute(newest, []).unwrap(), 1);
    let differs = program.run(&["reconcile", "--from", "2020-01-01"]).expect(1);
    assert!(differs.stdout.contains("amount_differs: "), "{}", differs.stdout);
    let later = program.run(&["reconcile", "--from", "2020-01-01", "--to", "2999-01-01"]).expect(1);
    assert!(later.stdout.starts_with("2999-01-01T00:00:00"), "{}", later.stdout);
    assert!(later.stdout.contains("is to come: compared up to now."), "{}", later.stdout);
    program.run(&["reconcile", "--from", "2026-02-30"]).expect(2);
    program.run(&["reconcile", "--from", "2020-01-02", "--to", "2020-01-01"]).expect(2);
}

/// The statements of a month, by its seller.
async fn statement(day: &Day, month: &str) -> Value {
    let path = format!("/payouts/statements?period={month}");
    day.app.get(&path, &day.seller).await.expect(200).json()
}

/// Thousandths are not needed: every amount here has two digits.
fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn month_of(at: Time) -> String {
    at.to_string()[..7].to_owned()
}

#[tokio::test]
async fn a_statement_has_every_line_and_ends_where_the_ledger_does() {
    let day = Day::new().await;
    let now = day.app.app.db().clock().now();
    let seen = statement(&day, &month_of(now)).await;
    let usd = &seen["statements"][0];
    let lines: Vec<(String, i64)> = usd["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["what"].as_str().unwrap().to_owned(), minor(&line["amount"])))
        .collect();
    let expected =
        [("sale", 8_000), ("fee", -800), ("payout", -7_200), ("payout", 7_200), ("payout_sent", -7_200)];
    assert_eq!(lines, expected.map(|(what, minor)| (what.to_owned(), minor)));
    let sum: i64 = lines.iter().map(|(_, minor)| minor).sum();
    assert_eq!(minor(&usd["opening"]) + sum, minor(&usd["closing"]));
    let mut ledger = 0;
    for account in ["payable", "payouts", "owed"] {
        ledger += day.app.balance(&format!("{account}:{}", day.seller.id)).await;
    }
    assert_eq!(minor(&usd["closing"]), ledger);
}

#[tokio::test]
async fn a_word_means_the_same_amount_in_a_statement_and_among_transactions() {
    let day = Day::new().await;
    for paid_out in [false, true] {
        let (order, payment) = day.app.completed(&day.buyer, &day.seller).await;
        if paid_out {
            assert!(day.app.pays_out(&day.seller, "USD").await);
            day.app.settle().await;
        }
        day.app.refund_after_release(&day.admin, &payment, "10.00").await.expect(201);
        let now = day.app.app.db().clock().now();
        let seen = statement(&day, &month_of(now)).await;
        let of = |what: &str| -> i64 {
            let lines = seen["statements"][0]["lines"].as_array().unwrap();
            let ours = lines.iter().filter(|line| line["order_id"] == order["id"] && line["what"] == what);
            ours.map(|line| minor(&line["amount"])).sum()
        };
        let moved = day.app.movements(&day.seller, &order).await;
        let listed = |kind: &str| minor(&json!(moved.iter().find(|row| row.0 == kind).unwrap().2));
        assert_eq!((of("fee"), of("fee_return")), (-listed("fee"), listed("fee_return")));
        assert_eq!(of("sale") + of("fee"), listed("release"));
        assert_eq!(of("sale_returned") + of("fee_return"), -listed("clawback"));
        day.app.settle().await;
    }
}

#[tokio::test]
async fn the_next_month_opens_where_the_last_one_closed() {
    let day = Day::new().await;
    day.app.earned(&day.buyer, &day.seller, "20.00", "USD").await;
    let now = day.app.app.db().clock().now();
    let before = statement(&day, &month_of(now)).await;
    let later = now.plus(Duration::from_secs(40 * 86_400));
    let after = statement(&day, &month_of(later)).await;
    assert_eq!(after["statements"][0]["opening"], before["statements"][0]["closing"]);
    assert_eq!(after["statements"][0]["closing"], "18.00");
    assert_eq!(after["statements"][0]["lines"], json!([]));
    day.app.settle().await;
}

#[tokio::test]
async fn a_statement_is_a_table_for_who_asks_and_its_titles_are_no_formulas() {
    let day = Day::new().await;
    let title = json!({ "title": "=HYPERLINK(\"http://evil\")", "price": "10.00" });
    let order = day.app.pending_order_with(&day.buyer, &day.seller, title).await;
    day.app.pay(&day.buyer, &order, "pm_card_visa").await.expect(201);
    day.app.move_order(&day.buyer, &order, "completed").await.expect(200);
    let path = format!("/payouts/statements?period={}", month_of(day.app.app.db().clock().now()));
    let accept = [("accept", "text/csv, application/json;q=0.5")];
    let csv = day.app.request("GET", &path, Some(&day.seller.token), &accept, None).await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    let text = String::from_utf8(csv.bytes.to_vec()).unwrap();
    assert!(
        text.starts_with("date,order_id,title,what,account,amount,currency\r\n,,,opening,,0.00,USD\r\n"),
        "{text}"
    );
    assert!(text.contains(",\"'=HYPERLINK(\"\"http://evil\"\")\",sale,balance,10.00,USD\r\n"), "{text}");
    assert!(text.contains(",fee,balance,-1.00,USD\r\n"), "{text}");
    assert!(text.ends_with(",,,closing,,9.00,USD\r\n"), "{text}");
    let asked = day.app.get(&format!("{path}&format=csv"), &day.seller).await.expect(200);
    assert_eq!(asked.bytes, csv.bytes);
    let json = [("accept", "application/json, text/csv")];
    let json = day.app.request("GET", &path, Some(&day.seller.token), &json, None).await.expect(200);
    assert_eq!(json.header("content-type"), "application/json");
    day.app.settle().await;
}

#[tokio::test]
async fn a_statement_is_its_freelancers_and_of_a_month() {
    let day = Day::new().await;
    let theirs = format!("/payouts/statements?period=2026-10&freelancer_id={}", day.seller.id);
    day.app.get(&theirs, &day.buyer).await.problem(403, "forbidden");
    assert_eq!(day.app.get(&theirs, &day.admin).await.expect(200).json()["freelancer_id"], day.seller.id);
    day.app.get("/payouts/statements?period=2026-10", &day.admin).await.problem(400, "invalid_parameter");
    day.app.get("/payouts/statements", &day.seller).await.problem(400, "invalid_parameter");
    day.app.get("/payouts/statements?period=2026-13", &day.seller).await.problem(400, "invalid_parameter");
    let mine = day.app.get("/payouts/statements?period=2026-10", &day.buyer).await.expect(200).json();
    assert_eq!(mine["statements"], json!([]));
}
