//! Who is told of what. One table; its rows are written in the event's own transaction, once per person.

use serde_json::Value;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::Result;
use crate::events::Event;
use crate::id::Id;

use super::commands::{New, deliver};
use super::model::Data;

/// The part that somebody has in what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Party {
    Buyer,
    Freelancer,
    Reviewer,
    /// Whoever asked for what has failed.
    Requester,
}
use Party::{Buyer, Freelancer, Requester, Reviewer};

impl Party {
    /// Where an event's body names them.
    fn field(self) -> &'static str {
        match self {
            Buyer => "buyer_id",
            Freelancer => "freelancer_id",
            Reviewer => "reviewer_id",
            Requester => "requested_by",
        }
    }

    fn of(self, body: &Value) -> Option<UserId> {
        body[self.field()].as_str().map(Id::from_wire)
    }
}

/// Whom a kind of event concerns.
enum To {
    /// These, but for the one who did it.
    Others(&'static [Party]),
    /// This one, whoever asked for it: it is the provider's word on their money.
    Always(Party),
    /// The administrators whom the event names.
    Admins,
}
use To::{Admins, Always, Others};

impl To {
    fn of(&self, body: &Value, actor_id: Option<UserId>) -> Vec<UserId> {
        match self {
            Always(party) => party.of(body).into_iter().collect(),
            Admins => {
                let named = body["admin_ids"].as_array().into_iter().flatten();
                named.filter_map(Value::as_str).map(Id::from_wire).collect()
            }
            Others(parties) => parties
                .iter()
                .filter_map(|party| party.of(body))
                .filter(|user| Some(*user) != actor_id)
                .collect(),
        }
    }
}

/// A kind of event, whom it concerns, what they read, and what they read when nobody did it: a deadline, a bank. Where several
/// rows have the same kind, everybody reads the first that concerns them. `{who}` is the part of the one who did it, `{title}` the
/// order's, `{message}` what was said; `{…amount}` is a member of the event's body, with its currency.
struct Notice(&'static str, To, &'static str, Option<&'static str>);

const BOTH: To = Others(&[Buyer, Freelancer]);

/// What is read of the move that ends a dispute, whoever agreed to it or decided it.
const AFTER_DISPUTE: &str = "The dispute is over, the order is {status}: {title}";

static NOTICES: &[Notice] = &[
    Notice("order_placed", BOTH, "{who} placed an order: {title}", None),
    Notice("order_requirements_changed", BOTH, "{who} changed the requirements: {title}", None),
    Notice(
        "order_paid",
        Others(&[Freelancer]),
        "{amount} is paid for the order, work can begin: {title}",
        None,
    ),
    Notice("order_delivered", BOTH, "{who} delivered the work: {title}", None),
    Notice("order_revision_requested", BOTH, "{who} asked for a revision: {title}", None),
    Notice(
        "order_completed",
        BOTH,
        "{who} completed the order: {title}",
        Some("The time to answer the delivery has passed, the order is completed: {title}"),
    ),
    Notice(
        "order_cancelled",
        BOTH,
        "{who} cancelled the order: {title}",
        Some("The order is cancelled: {title}"),
    ),
    Notice(
        "order_disputed",
        BOTH,
        "{who} opened a dispute: {title}",
        Some("The order waits, for its payment is contested: {title}"),
    ),
    Notice("dispute_message", BOTH, "{who} wrote about the dispute: {title}", None),
    Notice("settlement_offered", BOTH, "{who} offered a split to settle the dispute: {title}", None),
    Notice("settlement_withdrawn", BOTH, "{who} took the offer to settle the dispute back: {title}", None),
    Notice("dispute_settled", BOTH, "{who} accepted the split, the dispute is settled: {title}", None),
    Notice(
        "dispute_decided",
        BOTH,
        "{who} decided the dispute: {title}",
        Some("{message} The dispute is over: {title}"),
    ),
    Notice("dispute_reminder", BOTH, "A dispute will end without an answer: {title}", None),
    Notice("dispute_escalated", Admins, "A dispute waits for a decision: {title}", None),
    Notice("order_overdue", BOTH, "The delivery is overdue: {title}", None),
    Notice(
        "payment_requires_action",
        Always(Buyer),
        "Your payment of {payment_amount} needs your confirmation: {title}",
        None,
    ),
    Notice("payment_failed", Always(Buyer), "Your payment of {payment_amount} failed: {title}", None),
    Notice("payment_succeeded", Always(Buyer), "Your payment of {payment_amount} succeeded: {title}", None),
    Notice(
        "refund_requested",
        Others(&[Buyer]),
        "A refund of {refund_amount} is on its way to you: {title}",
        None,
    ),
    Notice(
        "refund_requested",
        Others(&[Freelancer]),
        "A refund of {refund_amount} is on its way to the buyer: {title}",
        None,
    ),
    Notice("refund_succeeded", Always(Buyer), "You have been refunded {refund_amount}: {title}", None),
    Notice(
        "refund_failed",
        Always(Buyer),
        "A refund of {refund_amount} to you failed. Whoever ordered it is told, and decides what becomes of it: {title}",
        None,
    ),
    Notice(
        "refund_failed",
        Always(Requester),
        "The refund of {refund_amount} that you ordered failed, the buyer has not got it: {title}",
        None,
    ),
    Notice(
        "clawback_returned",
        Always(Freelancer),
        "A refund failed, the {clawback_amount} that it took of your earnings is yours again: {title}",
        None,
    ),
    Notice(
        "debt_offset",
        Always(Freelancer),
        "{offset_amount} of your earnings went to what you owed: {title}",
        None,
    ),
    Notice(
        "chargeback_warned",
        Always(Freelancer),
        "The buyer's bank inquires about {chargeback_amount} of the payment: {title}",
        None,
    ),
    Notice(
        "chargeback_warned",
        Admins,
        "A buyer's bank inquires about {chargeback_amount} of a payment: {title}",
        None,
    ),
    Notice(
        "chargeback_opened",
        Always(Freelancer),
        "The buyer's bank takes {chargeback_amount} of the payment back: {title}",
        None,
    ),
    Notice(
        "chargeback_opened",
        Admins,
        "A buyer's bank takes {chargeback_amount} of a payment back: {title}",
        None,
    ),
    Notice(
        "chargeback_won",
        Always(Freelancer),
        "The bank decided against the buyer, {chargeback_amount} stays: {title}",
        None,
    ),
    Notice(
        "chargeback_won",
        Admins,
        "A bank decided for the house, {chargeback_amount} stays: {title}",
        None,
    ),
    Notice(
        "chargeback_lost",
        Always(Freelancer),
        "The bank decided for the buyer, {chargeback_amount} of the payment is gone: {title}",
        None,
    ),
    Notice(
        "chargeback_lost",
        Admins,
        "A bank decided for the buyer, {chargeback_amount} of a payment is gone: {title}",
        None,
    ),
    Notice("case_opened", Admins, "A case waits for a decision: {case_kind}", None),
    Notice("payout_started", Others(&[Freelancer]), "A payout of {amount} is on its way to you", None),
    Notice("payout_paid", Always(Freelancer), "You have been paid {amount}", None),
    Notice(
        "payout_returned",
        Always(Freelancer),
        "A payout of {amount} came back and can be paid out again: {title}",
        None,
    ),
    Notice(
        "payout_bank_refused",
        Always(Freelancer),
        "Your bank did not take {amount}: look at your bank details at the payment provider: {title}",
        None,
    ),
    Notice("payout_account_enabled", Always(Freelancer), "Your payout account is ready", None),
    Notice("payout_account_restricted", Always(Freelancer), "Your payout account needs your attention", None),
    Notice("payout_account_changed", Always(Freelancer), "Where you are paid to was changed", None),
    Notice("review_submitted", Others(&[Freelancer]), "{who} reviewed your work: {title}", None),
    Notice("review_hidden", Others(&[Reviewer]), "{who} hid your review: {title}", None),
];

/// Who reads which row of the table, each once.
fn readers(kind: &str, body: &Value, actor_id: Option<UserId>) -> Vec<(UserId, &'static Notice)> {
    let mut readers: Vec<(UserId, &'static Notice)> = Vec::new();
    for notice in NOTICES.iter().filter(|notice| notice.0 == kind) {
        for user in notice.1.of(body, actor_id) {
            if readers.iter().all(|(reader, _)| *reader != user) {
                readers.push((user, notice));
            }
        }
    }
    readers
}

/// Who must be told of an event, each once; a deleted account among them is told nothing.
pub fn recipients(kind: &str, body: &Value, actor_id: Option<UserId>) -> Vec<UserId> {
    readers(kind, body, actor_id).into_iter().map(|(user, _)| user).collect()
}

/// Tells everybody whom `event` concerns. A subscriber, so it holds when the event does.
pub fn on_event(tx: &Tx, event: &Event) -> Result<()> {
    let readers = readers(&event.kind, &event.body, event.actor_id);
    if readers.is_empty() {
        return Ok(());
    }
    let part = event.actor_id.and_then(|actor| {
        [Buyer, Reviewer, Freelancer].into_iter().find(|p| p.of(&event.body) == Some(actor))
    });
    let mut data: Data = serde_json::from_value(event.body.clone())?;
    if !event.kind.starts_with("payout_") && event.kind != "case_opened" {
        data.order_id.get_or_insert(event.subject_id.cast());
    }
    for (user_id, Notice(_, to, by_person, by_nobody)) in readers {
        let sentence = match by_nobody.filter(|_| event.actor_id.is_none()) {
            _ if event.body["from"] == "disputed" => AFTER_DISPUTE,
            by_nobody => by_nobody.unwrap_or(by_person),
        };
        let mut data = data.clone();
        match to {
            Admins if event.body["admin_message"].is_string() => {
                data.message = event.body["admin_message"].as_str().map(str::to_owned);
            }
            // Why a refund failed is the provider's word on the buyer's card.
            Always(Requester) => data.message = None,
            _ => {}
        }
        let new = New {
            user_id,
            kind: &event.kind,
            message: &filled_in(sentence, event, part),
            data: &data,
            sender: part.and(event.actor_id).filter(|sender| *sender != user_id),
            event: Some(event.id),
        };
        deliver(tx, &new)?;
    }
    Ok(())
}

/// Members of an event's body that a sentence may name.
const AMOUNTS: [&str; 6] =
    ["amount", "payment_amount", "refund_amount", "clawback_amount", "offset_amount", "chargeback_amount"];

fn filled_in(sentence: &str, event: &Event, part: Option<Party>) -> String {
    let text = |member: &str| event.body[member].as_str().unwrap_or_default();
    let who = match part {
        Some(Buyer | Reviewer) => "The buyer",
        Some(Freelancer) => "The freelancer",
        Some(Requester) | None => "An administrator",
    };
    let mut message = sentence
        .replace("{who}", who)
        .replace("{status}", text("status"))
        .replace("{message}", text("message"))
        .replace("{case_kind}", &text("case_kind").replace('_', " "));
    for member in AMOUNTS {
        let amount = format!("{} {}", text(member), text("currency"));
        message = message.replace(&format!("{{{member}}}"), &amount);
    }
    // Last: what people write stays as they wrote it. What concerns several orders has no title.
    match text("title") {
        "" => message.replace(": {title}", ""),
        title => message.replace("{title}", title),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BUYER: &str = "01900000-0000-7000-8000-00000000000a";
    const FREELANCER: &str = "01900000-0000-7000-8000-00000000000b";
    const ADMIN: &str = "01900000-0000-7000-8000-00000000000c";

    fn told(kind: &str, actor: Option<&str>) -> Vec<String> {
        let body = json!({ "buyer_id": BUYER, "reviewer_id": BUYER, "freelancer_id": FREELANCER });
        let ids = recipients(kind, &body, actor.map(Id::from_wire));
        ids.into_iter().map(|id| id.to_string()).collect()
    }

    #[test]
    fn whoever_did_it_is_not_told() {
        assert_eq!(told("order_placed", Some(BUYER)), [FREELANCER]);
        assert_eq!(told("order_delivered", Some(FREELANCER)), [BUYER]);
        assert_eq!(told("order_disputed", Some(FREELANCER)), [BUYER]);
        assert_eq!(told("review_submitted", Some(BUYER)), [FREELANCER]);
    }

    #[test]
    fn what_a_deadline_or_an_administrator_does_concerns_both() {
        for kind in ["order_completed", "order_cancelled", "order_overdue", "refund_requested"] {
            assert_eq!(told(kind, None), [BUYER, FREELANCER], "{kind}");
        }
        assert_eq!(
            told("order_completed", Some("01900000-0000-7000-8000-00000000000c")),
            [BUYER, FREELANCER]
        );
    }

    #[test]
    fn the_word_on_a_payment_reaches_its_buyer_whoever_asked() {
        for kind in ["payment_failed", "payment_succeeded", "refund_succeeded", "refund_failed"] {
            assert_eq!(told(kind, Some(BUYER)), [BUYER], "{kind}");
            assert_eq!(told(kind, None), [BUYER], "{kind}");
        }
        assert_eq!(told("order_paid", Some(BUYER)), [FREELANCER]);
    }

    #[test]
    fn a_dispute_that_waits_for_a_decision_is_told_to_administrators_alone() {
        let body = json!({ "buyer_id": BUYER, "freelancer_id": FREELANCER, "admin_ids": [ADMIN] });
        assert_eq!(recipients("dispute_escalated", &body, None), [Id::from_wire(ADMIN)]);
        assert_eq!(told("dispute_message", Some(ADMIN)), [BUYER, FREELANCER]);
        assert_eq!(told("settlement_offered", Some(BUYER)), [FREELANCER]);
        assert_eq!(told("dispute_reminder", None), [BUYER, FREELANCER]);
    }

    #[test]
    fn everybody_reads_one_row_about_an_event() {
        let body = json!({
            "buyer_id": BUYER, "freelancer_id": FREELANCER, "requested_by": BUYER, "admin_ids": [ADMIN, FREELANCER],
        });
        assert_eq!(recipients("refund_failed", &body, None), [Id::from_wire(BUYER)]);
        let told: Vec<&str> =
            readers("chargeback_opened", &body, None).into_iter().map(|(_, notice)| notice.2).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("The buyer's bank") && told[1].starts_with("A buyer's bank"), "{told:?}");
    }

    #[test]
    fn other_events_concern_nobody() {
        assert!(told("account_registered", None).is_empty());
    }
}
