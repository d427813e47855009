//! What somebody does in the provider's dashboard, and what the books make of it once it is approved.

use guildhall::ledger::{Account, Journal};
use guildhall::money::Money;
use guildhall::payments::{self, cases::Kind};
use guildhall::providers::{ChargebackState, ChargebackStatus, Recorded};
use serde_json::{Value, json};

use super::{Day, Injected, PLAIN_CHARGE, TRANSFER, all_twelve};

const OUTSIDE: &str = "insert into sandbox_refunds (id, key, charge_id, amount_minor, created_at)
     select 're_outside', 'outside', id, amount_minor, created_at from sandbox_charges
     where id = (select p.transaction_id from payments p join orders o on o.id = p.order_id
         where p.status = 'success' and p.refunded_minor = 0 and o.status = 'active')";

impl Day {
    /// The only open difference, once it is found.
    async fn case(&self, kind: Kind) -> Value {
        assert_eq!(self.found().await, [kind]);
        let open = self.open().await;
        assert_eq!((open.len(), open[0]["kind"].as_str()), (1, Some(kind.as_str())), "{open:?}");
        open[0].clone()
    }

    async fn order_of(&self, case: &Value) -> Value {
        let path = format!("/orders/{}", case["order_id"].as_str().unwrap());
        self.app.get(&path, &self.admin).await.expect(200).json()
    }

    async fn payment_of(&self, case: &Value) -> Value {
        let path =
            format!("/payments/transactions?type=charge&order_id={}", case["order_id"].as_str().unwrap());
        let listed = self.app.get(&path, &self.admin).await.expect(200).json();
        let path = format!("/payments/{}", listed["data"][0]["payment_id"].as_str().unwrap());
        self.app.get(&path, &self.admin).await.expect(200).json()
    }

    /// Nothing is left to decide, and everything adds up.
    async fn is_at_rest(&self) {
        self.app.settle().await;
        let report = self.run().await;
        assert!(report.differences.is_empty(), "{}", report.text());
        assert_eq!(self.open().await.len(), 0);
        self.app.verify().await;
    }
}

#[tokio::test]
async fn a_refund_made_in_the_dashboard_is_one_of_the_payment() {
    let day = Day::new().await;
    day.act(&all_twelve()[5].1).await;
    let case = day.case(Kind::RefundOnlyAtProvider).await;
    day.approve(&case).await.expect(200);
    let payment = day.payment_of(&case).await;
    assert_eq!(payment["refunded_amount"], "5.00");
    let rest = day.app.refund(&day.seller, &payment, None).await.expect(201).json();
    assert_eq!(rest["amount"], "44.90", "all that is left, and no more");
    assert_eq!(day.order_of(&case).await["status"], "cancelled");
    day.is_at_rest().await;
}

#[tokio::test]
async fn an_order_that_was_given_back_whole_in_the_dashboard_is_off() {
    let day = Day::new().await;
    day.act(&Injected::Sql(OUTSIDE)).await;
    let case = day.case(Kind::RefundOnlyAtProvider).await;
    day.approve(&case).await.expect(200);
    assert_eq!(day.payment_of(&case).await["refunded_amount"], "49.90");
    let order = day.order_of(&case).await;
    assert_eq!(order["status"], "cancelled");
    day.app.move_order(&day.buyer, &order, "completed").await.problem(409, "invalid_transition");
    day.is_at_rest().await;
}

#[tokio::test]
async fn a_refund_made_in_the_dashboard_after_the_release_is_taken_from_where_the_money_is() {
    let day = Day::new().await;
    day.act(&all_twelve()[5].1).await;
    let case = day.case(Kind::RefundOnlyAtProvider).await;
    day.app.move_order(&day.buyer, &day.order_of(&case).await, "completed").await.expect(200);
    day.approve(&case).await.expect(200);
    let freelancers = day.app.balance(&format!("payable:{}", day.seller.id)).await;
    assert_eq!(freelancers, 4_491 - 450, "the net of 49.90 less that of 5.00");
    assert_eq!(day.app.balance("losses").await, 0);
    day.is_at_rest().await;
}

#[tokio::test]
async fn a_part_of_a_transfer_that_was_taken_back_is_not_paid_out_again_as_a_whole() {
    let day = Day::new().await;
    let transfer = day.text(TRANSFER).await;
    day.tell(Recorded::Reversal, "trr_1", &transfer, "30.00");
    let case = day.case(Kind::AmountDiffers).await;
    assert_eq!(case["detail"].get("proposed"), None, "{case}");
    assert_eq!(day.approve(&case).await.expect(200).json()["resolution"], "accepted");
    assert_eq!(day.app.balance(&format!("payable:{}", day.seller.id)).await, 0);
    assert_eq!(day.app.count("select count(*) from payout_items where status = 'returned'").await, 0);
    day.is_at_rest().await;
}

#[tokio::test]
async fn a_transfer_that_was_taken_back_in_two_parts_can_be_paid_out_again() {
    let day = Day::new().await;
    let transfer = day.text(TRANSFER).await;
    day.tell(Recorded::Reversal, "trr_1", &transfer, "30.00");
    day.case(Kind::AmountDiffers).await;
    day.tell(Recorded::Reversal, "trr_2", &transfer, "42.00");
    let case = day.case(Kind::TransferReversedOutside).await;
    day.approve(&case).await.expect(200);
    assert_eq!(day.app.balance(&format!("payable:{}", day.seller.id)).await, 7_200);
    day.is_at_rest().await;
}

/// Lets a notice of the dispute `du_1` about 49.90 arrive, that it stands so.
async fn is_told(day: &Day, charge: &str, status: ChargebackStatus) {
    let told = ChargebackState {
        reference: "du_1".to_owned(),
        charge: charge.to_owned(),
        amount: Money::new(4_990, day.currency()),
        status,
        reason: "fraudulent".to_owned(),
        evidence_due: None,
    };
    assert!(day.app.write(move |tx| payments::chargeback_told(tx, &told)).await);
}

impl Day {
    /// A bank takes 49.90 back, as `du_1`, and nobody tells; of which charge.
    async fn is_charged_back(&self) -> String {
        let charge = self.text(PLAIN_CHARGE).await;
        self.tell(Recorded::Chargeback, "du_1", &charge, "49.90");
        charge
    }

    async fn chargeback(&self) -> Value {
        let listed = self.app.get("/admin/chargebacks", &self.admin).await.expect(200).json();
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
        listed["data"][0].clone()
    }
}

#[tokio::test]
async fn a_dispute_that_took_money_and_gave_it_back_is_decided_twice() {
    let day = Day::new().await;
    let charge = day.is_charged_back().await;
    let taken = day.case(Kind::ChargebackUnseen).await;
    day.approve(&taken).await.expect(200);
    assert_eq!(day.chargeback().await["status"], "open");
    assert_eq!(day.order_of(&taken).await["status"], "disputed", "the order's money waits for the bank");
    day.tell(Recorded::Reinstatement, "du_1", &charge, "49.90");
    let back = day.case(Kind::ChargebackUnseen).await;
    day.approve(&back).await.expect(200);
    assert_eq!(day.chargeback().await["status"], "won");
    assert_eq!(day.app.balance("losses").await, 0);
    day.is_at_rest().await;
}

#[tokio::test]
async fn a_dispute_that_is_told_of_after_it_was_approved_is_booked_once() {
    let day = Day::new().await;
    let charge = day.is_charged_back().await;
    let taken = day.case(Kind::ChargebackUnseen).await;
    let (one, other) = tokio::join!(day.approve(&taken), day.approve(&taken));
    let (decided, late) = if one.status == 200 { (one, other) } else { (other, one) };
    decided.expect(200);
    late.problem(409, "difference_decided");
    is_told(&day, &charge, ChargebackStatus::Open).await;
    assert_eq!(day.app.balance("losses").await, -4_990);
    assert_eq!(day.chargeback().await["reason"], "fraudulent");
    day.is_at_rest().await;
    is_told(&day, &charge, ChargebackStatus::Lost).await;
    assert_eq!(day.app.balance("losses").await, 0, "what was held for the order covers it");
    assert_eq!(day.order_of(&taken).await["status"], "cancelled");
    day.is_at_rest().await;
}

#[tokio::test]
async fn the_end_of_a_dispute_may_be_approved_before_its_beginning() {
    let day = Day::new().await;
    let charge = day.is_charged_back().await;
    day.tell(Recorded::Reinstatement, "du_1", &charge, "49.90");
    assert_eq!(day.found().await, [Kind::ChargebackUnseen; 2]);
    let open = day.open().await;
    let is_back = |case: &&Value| case["detail"]["theirs"]["what"] != "chargeback";
    day.approve(open.iter().find(is_back).unwrap()).await.expect(200);
    let beginning = open.iter().find(|case| !is_back(case)).unwrap();
    day.approve(beginning).await.problem(409, "difference_gone");
    is_told(&day, &charge, ChargebackStatus::Won).await;
    assert_eq!(day.app.balance("losses").await, 0);
    day.is_at_rest().await;
}

#[tokio::test]
async fn what_the_provider_keeps_for_a_dispute_is_a_difference_of_its_own() {
    let day = Day::new().await;
    day.is_charged_back().await;
    day.told.fees.lock().unwrap().push(("du_1".to_owned(), 1_500));
    let taken = day.case(Kind::ChargebackUnseen).await;
    day.approve(&taken).await.expect(200);
    let fee = day.case(Kind::FeeDrift).await;
    day.approve(&fee).await.expect(200);
    assert_eq!(day.app.balance("costs").await, -1_500);
    day.is_at_rest().await;
}

/// Books what the provider keeps of the charge of an order, as if it had been told late.
async fn fee_is_booked(day: &Day, case: &Value, minor: i64) {
    let order = guildhall::id::Id::from_wire(case["order_id"].as_str().unwrap());
    let payment = guildhall::id::Id::from_wire(case["detail"]["ours"]["id"].as_str().unwrap());
    let currency = day.currency();
    let book = move |tx: &guildhall::db::Tx| {
        let lines = [(Account::Costs, -minor), (Account::Provider, minor)];
        let journal =
            Journal { order_id: order, kind: "provider_fee", cause_id: payment, currency, lines: &lines };
        guildhall::ledger::post(tx, &journal)
    };
    day.app.write(book).await;
}

#[tokio::test]
async fn a_proposal_that_is_out_of_date_is_a_new_one_after_the_next_run() {
    let day = Day::new().await;
    day.act(&Injected::Fee(30)).await;
    let case = day.case(Kind::FeeDrift).await;
    fee_is_booked(&day, &case, 10).await;
    day.approve(&case).await.problem(409, "difference_gone");
    let case = day.case(Kind::FeeDrift).await;
    assert_eq!(case["detail"]["proposed"]["lines"][0]["amount_minor"], -20, "{case}");
    day.approve(&case).await.expect(200);
    assert_eq!(day.app.balance("costs").await, -30);
    day.is_at_rest().await;
}

#[tokio::test]
async fn what_goes_to_the_houses_own_bank_is_decided_and_then_explains_the_balance() {
    let day = Day::new().await;
    day.tell(Recorded::TakenOut, "po_1", "payout", "30.00");
    let case = day.case(Kind::HouseMovement).await;
    assert!(case["detail"]["says"].as_str().unwrap().contains("payout. po_1: 30.00 USD"), "{case}");
    assert_eq!(day.approve(&case).await.expect(200).json()["resolution"], "accepted");
    day.is_at_rest().await;
    assert_eq!(json!(day.run().await.differences.len()), 0);
}
