//! What Stripe says, written by hand, and what it means to us.

use serde_json::{Value, json};

use super::super::{ChargebackStatus, Recorded};
use super::objects::Account;
use super::reading::{moment, state, transferred};
use super::*;
use crate::id::Id;
use crate::money::Currency;
use crate::secret::Secret;

fn usd(text: &str) -> Money {
    Money::parse(text, Currency::parse("USD").expect("a currency")).expect("an amount")
}

fn charge() -> Charge {
    let id = Id::from_uuid(uuid::Uuid::nil());
    Charge {
        key: "payment-1".to_owned(),
        payment_id: id,
        order_id: id,
        amount: usd("19.90"),
        payment_method: "pm_card_visa".to_owned(),
        reference: None,
        return_url: None,
        begun_at: Time::from_micros(0),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of Stripe's")
}

/// An intent as Stripe writes it, with what it says beside that nobody reads.
fn intent(status: &str, more: Value) -> PaymentIntent {
    let mut intent = json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1990, "amount_received": 0, "currency": "usd",
        "status": status, "client_secret": "pi_1_secret_x", "latest_charge": null, "next_action": null,
        "last_payment_error": null, "metadata": { "key": "payment-1" }, "livemode": false,
        "something_new": { "nested": [1, 2, 3] },
    });
    for (name, value) in more.as_object().expect("an object") {
        intent[name] = value.clone();
    }
    read(intent)
}

fn outcome(status: &str, more: Value) -> Outcome {
    standing(&intent(status, more), &charge()).expect("an outcome")
}

#[test]
fn a_success_says_what_was_captured_and_what_it_cost() {
    let paid = json!({
        "amount_received": 1990,
        "latest_charge": { "id": "ch_1", "balance_transaction": {
            "id": "txn_1", "amount": 1990, "fee": 88, "currency": "usd", "created": 1, "source": "ch_1",
        }},
    });
    let expected =
        Outcome::Succeeded { reference: "pi_1".to_owned(), captured: usd("19.90"), fee: Some(usd("0.88")) };
    assert_eq!(outcome("succeeded", paid), expected);
    let without = json!({ "amount_received": 1990, "latest_charge": "ch_1" });
    assert!(matches!(outcome("succeeded", without), Outcome::Succeeded { fee: None, .. }));
}

#[test]
fn every_status_that_stripe_knows_is_an_outcome_and_others_are_strange() {
    let error = json!({ "last_payment_error": { "type": "card_error", "code": "card_declined",
        "decline_code": "insufficient_funds", "message": "Your card has insufficient funds." }});
    let Outcome::Declined { reference, code, message } = outcome("requires_payment_method", error) else {
        panic!("not declined")
    };
    assert_eq!((reference.as_str(), code.as_str()), ("pi_1", "insufficient_funds"));
    assert_eq!(message, "Your card has insufficient funds.");
    assert!(matches!(outcome("canceled", json!({})), Outcome::Declined { .. }));
    assert!(matches!(outcome("processing", json!({})), Outcome::Pending { .. }));
    assert!(matches!(outcome("requires_confirmation", json!({})), Outcome::Pending { .. }));
    for strange in ["requires_capture", "partially_funded", ""] {
        assert!(matches!(outcome(strange, json!({})), Outcome::Strange { .. }), "{strange}");
    }
}

#[test]
fn an_action_says_where_and_its_secret_is_not_printed() {
    let action = json!({ "next_action": { "type": "redirect_to_url", "redirect_to_url": { "url": "https://bank.example" }}});
    let asked = outcome("requires_action", action);
    assert!(!format!("{asked:?}").contains("secret_x"), "{asked:?}");
    let Outcome::RequiresAction { client_secret, url, .. } = asked else { panic!("no action") };
    assert_eq!(client_secret.expect("one").reveal(), "pi_1_secret_x");
    assert_eq!(url.as_ref().map(Secret::reveal), Some("https://bank.example"));
    assert!(!format!("{url:?}").contains("bank"));
    let sdk = json!({ "next_action": { "type": "use_stripe_sdk", "use_stripe_sdk": {} }});
    assert!(matches!(outcome("requires_action", sdk), Outcome::RequiresAction { url: None, .. }));
}

#[test]
fn what_belongs_to_another_payment_or_cannot_be_said_is_strange() {
    assert!(matches!(
        outcome("succeeded", json!({ "metadata": { "key": "payment-2" }})),
        Outcome::Strange { .. }
    ));
    assert!(matches!(outcome("succeeded", json!({ "currency": "btc" })), Outcome::Strange { .. }));
}

#[test]
fn refunds_stand_as_stripe_says_and_an_unknown_status_decides_nothing() {
    let of =
        |status: &str| refunded(&read(json!({ "id": "re_1", "status": status, "failure_reason": null })));
    assert!(matches!(of("succeeded"), Ok(RefundOutcome::Succeeded { .. })));
    for pending in ["pending", "requires_action"] {
        assert!(matches!(of(pending), Ok(RefundOutcome::Pending { .. })));
    }
    for failed in ["failed", "canceled"] {
        assert!(matches!(of(failed), Ok(RefundOutcome::Failed { reference: Some(_), .. })));
    }
    assert!(matches!(of("teleported"), Err(Unanswered::Unknown(_))));
}

#[test]
fn an_account_is_enabled_once_money_can_go_through_it() {
    let account: Account = read(json!({
        "id": "acct_1", "payouts_enabled": false, "capabilities": { "transfers": "active" },
        "requirements": { "currently_due": ["external_account", "individual.dob"], "past_due": ["external_account"],
            "disabled_reason": "requirements.past_due" },
    }));
    let state = state(&account);
    assert!(!state.enabled);
    assert_eq!(state.wanted, ["external_account", "individual.dob", "requirements.past_due"]);
    let account: Account =
        read(json!({ "id": "acct_1", "payouts_enabled": true, "capabilities": { "transfers": "active" }}));
    assert!(account.is_enabled() && account.wanted().is_empty());
    let account: Account =
        read(json!({ "id": "acct_1", "payouts_enabled": true, "capabilities": { "transfers": "pending" }}));
    assert!(!account.is_enabled());
}

#[test]
fn a_chargeback_stands_as_its_dispute_does() {
    let of = |status: &str| {
        let dispute = json!({ "id": "du_1", "status": status, "amount": 1990, "currency": "usd", "reason": "fraudulent",
            "charge": "ch_1", "payment_intent": "pi_1", "evidence_details": { "due_by": 1700000000 }});
        charged_back(&read(dispute)).expect("a state")
    };
    assert_eq!((of("won").status, of("lost").status), (ChargebackStatus::Won, ChargebackStatus::Lost));
    for warning in ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"] {
        assert_eq!(of(warning).status, ChargebackStatus::Warning);
    }
    for open in ["needs_response", "under_review", "appeal_needs_response", "appeal_under_review"] {
        assert_eq!(of(open).status, ChargebackStatus::Open);
    }
    assert_eq!(of("settled_on_mars").status, ChargebackStatus::Strange("settled_on_mars".to_owned()));
    let dispute = of("won");
    assert_eq!((dispute.charge.as_str(), dispute.amount), ("pi_1", usd("19.90")));
    assert_eq!(dispute.evidence_due, Some(moment(1_700_000_000)));
}

fn record(amount: i64, source: Value) -> Option<Record> {
    recorded(read(json!({ "id": "txn_1", "amount": amount, "fee": 30, "currency": "usd", "created": 7, "source": source })))
        .expect("amounts")
}

#[test]
fn a_line_of_the_books_is_a_record_of_what_it_is_about() {
    let ch = json!({ "id": "ch_1", "object": "charge", "amount": 1990, "currency": "usd", "payment_intent": "pi_1",
        "metadata": { "key": "payment-1" }});
    let charge = record(1990, ch).expect("a charge");
    assert_eq!(
        (charge.what, charge.reference.as_str(), charge.of.as_str()),
        (Recorded::Charge, "pi_1", "pi_1")
    );
    assert_eq!((charge.key.as_deref(), charge.amount), (Some("payment-1"), usd("19.90")));
    assert_eq!((charge.fee, charge.at), (Some(usd("0.30")), moment(7)));

    let re = |status: &str| {
        json!({ "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": status,
            "charge": "ch_1", "payment_intent": "pi_1", "metadata": { "key": "refund-1" }})
    };
    let refund = record(-500, re("succeeded")).expect("a refund");
    assert_eq!(
        (refund.what, refund.reference.as_str(), refund.of.as_str()),
        (Recorded::Refund, "re_1", "pi_1")
    );
    assert_eq!(refund.amount, usd("5.00"));
    assert_eq!(record(-500, re("failed")), None);

    let tr = json!({ "id": "tr_1", "object": "transfer", "amount": 900, "currency": "usd", "source_transaction": "ch_1",
        "metadata": { "key": "transfer-1", "charge": "pi_1" }});
    let transfer = record(-900, tr).expect("a transfer");
    assert_eq!((transfer.what, transfer.of.as_str()), (Recorded::Transfer, "pi_1"));
    let trr = json!({ "id": "trr_1", "object": "transfer_reversal", "amount": 900, "currency": "usd", "transfer": "tr_1" });
    let reversal = record(900, trr).expect("a reversal");
    assert_eq!((reversal.what, reversal.of.as_str(), reversal.key), (Recorded::Reversal, "tr_1", None));

    let du = json!({ "id": "du_1", "object": "dispute", "amount": 1990, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1" });
    assert_eq!(record(-1990, du.clone()).map(|record| record.what), Some(Recorded::Chargeback));
    assert_eq!(record(1990, du).map(|record| record.what), Some(Recorded::Reinstatement));
}

#[test]
fn a_charge_that_is_taken_back_is_no_second_charge() {
    let ch = json!({ "id": "ch_1", "object": "charge", "amount": 1990, "currency": "usd", "payment_intent": "pi_1",
        "metadata": { "key": "payment-1" }});
    let back = record(-1990, ch).expect("a record");
    assert_eq!((back.what, back.reference.as_str(), back.of.as_str()), (Recorded::Refund, "txn_1", "pi_1"));
    assert_eq!((back.key, back.amount), (None, usd("19.90")));
}

#[test]
fn what_no_order_has_to_do_with_is_a_movement_of_the_houses_own() {
    let fee = record(-70, json!(null)).expect("a record");
    assert_eq!((fee.what, fee.reference.as_str(), fee.amount), (Recorded::TakenOut, "txn_1", usd("0.70")));
    let out = record(-900, json!({ "id": "po_1", "object": "payout", "amount": 900 })).expect("a record");
    assert_eq!((out.what, out.reference.as_str()), (Recorded::TakenOut, "po_1"));
    let back = record(900, json!({ "id": "po_1", "object": "payout", "amount": 900 })).expect("a record");
    assert_eq!(back.what, Recorded::PutIn);
}

#[test]
fn a_transfer_made_by_hand_belongs_to_the_order_that_it_is_grouped_with() {
    let tr = json!({ "id": "tr_1", "object": "transfer", "amount": 900, "currency": "usd", "transfer_group": "order-1",
        "metadata": {}});
    assert_eq!(record(-900, tr).map(|transfer| transfer.of).as_deref(), Some("order-1"));
}

#[test]
fn a_transfer_is_back_when_all_of_it_is() {
    let of = |reversed: i64| {
        transferred(&read(json!({ "id": "tr_1", "amount": 7200, "amount_reversed": reversed })))
    };
    assert!(matches!(of(0), TransferOutcome::Paid { .. }));
    assert!(matches!(of(3000), TransferOutcome::Paid { .. }));
    assert!(matches!(of(7200), TransferOutcome::Returned { .. }));
}

#[test]
fn an_event_of_the_list_is_read_as_one_that_was_sent() {
    let event: Event = read(
        json!({ "id": "evt_1", "object": "event", "type": "refund.failed", "created": 9, "livemode": false,
        "data": { "object": { "id": "re_1", "object": "refund", "metadata": { "key": "refund-1" }}}}),
    );
    let notice = notice::parse(&event.raw()).expect("a notice");
    assert_eq!((notice.reference.as_str(), notice.key.as_deref()), ("re_1", Some("refund-1")));
}

#[test]
fn only_names_that_stripe_gives_out_are_methods() {
    let settings = Settings {
        secret_key: crate::secret::Secret::new("sk_test_1"),
        webhook_secrets: Vec::new(),
        url: "http://127.0.0.1:1".to_owned(),
        settlement_currencies: vec![usd("1.00").currency()],
    };
    let stripe = Stripe::new(settings).expect("made");
    assert!(stripe.knows("pm_card_visa") && stripe.knows("pm_1Nxyz"));
    for other in ["pm_", "4242424242424242", "tok_visa", "pm_ä", "pm_a b", ""] {
        assert!(!stripe.knows(other), "{other}");
    }
    assert_eq!(stripe.refuses(usd("999999.99")), None);
    assert!(stripe.refuses(usd("1000000.00")).is_some());
    let other = Money::parse("5.00", Currency::parse("EUR").expect("a currency")).expect("an amount");
    assert!(stripe.refuses(other).is_some_and(|why| why.contains("in USD only")));
    let dinars = Money::parse("1.230", Currency::parse("KWD").expect("a currency")).expect("an amount");
    assert!(stripe.refuses(dinars).is_some_and(|why| why.contains("steps of ten")));
}
