//! Who is told of what. One table; its rows are written in the event's own transaction, once per person.

use serde_json::Value;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::Result;
use crate::events::Event;
use crate::id::Id;
use crate::users::{self, Card};

use super::commands::{New, deliver};
use super::model::Data;

/// The part that somebody has in what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Party {
    Buyer,
    Freelancer,
    Reviewer,
}
use Party::{Buyer, Freelancer, Reviewer};

impl Party {
    /// Where an event's body names them.
    fn field(self) -> &'static str {
        match self {
            Buyer => "buyer_id",
            Freelancer => "freelancer_id",
            Reviewer => "reviewer_id",
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
    /// This one and the administrators whom the event names.
    WithAdmins(Party),
}
use To::{Admins, Always, Others, WithAdmins};

/// A kind of event, whom it concerns, what they read, and what they read when nobody did it: a deadline, a bank.
/// `{who}` is the part of the one who did it, `{title}` the order's, `{amount}` the payout's, `{message}` what was said.
struct Notice(&'static str, To, &'static str, Option<&'static str>);

const BOTH: To = Others(&[Buyer, Freelancer]);

/// What is read of the move that ends a dispute, whoever agreed to it or decided it.
const AFTER_DISPUTE: &str = "The dispute is over, the order is {status}: {title}";

static NOTICES: &[Notice] = &[
    Notice("order_placed", BOTH, "{who} placed an order: {title}", None),
    Notice("order_requirements_changed", BOTH, "{who} changed the requirements: {title}", None),
    Notice("order_paid", Others(&[Freelancer]), "The order is paid, work can begin: {title}", None),
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
    Notice("payment_requires_action", Always(Buyer), "Your payment needs your confirmation: {title}", None),
    Notice("payment_failed", Always(Buyer), "Your payment failed: {title}", None),
    Notice("payment_succeeded", Always(Buyer), "Your payment succeeded: {title}", None),
    Notice("refund_requested", BOTH, "A refund is on its way to the buyer: {title}", None),
    Notice("refund_succeeded", Always(Buyer), "You have been refunded: {title}", None),
    Notice("refund_failed", Always(Buyer), "A refund to you failed and is being looked into: {title}", None),
    Notice(
        "clawback_returned",
        Always(Freelancer),
        "A refund failed, what it took of your earnings is yours again: {title}",
        None,
    ),
    Notice("debt_offset", Always(Freelancer), "A part of your earnings went to what you owed: {title}", None),
    Notice(
        "chargeback_warned",
        WithAdmins(Freelancer),
        "The buyer's bank inquires about the payment: {title}",
        None,
    ),
    Notice(
        "chargeback_opened",
        WithAdmins(Freelancer),
        "The buyer's bank takes the payment back, its money is frozen: {title}",
        None,
    ),
    Notice(
        "chargeback_won",
        WithAdmins(Freelancer),
        "The bank decided against the buyer, the money stays: {title}",
        None,
    ),
    Notice(
        "chargeback_lost",
        WithAdmins(Freelancer),
        "The bank decided for the buyer, the payment is gone: {title}",
        None,
    ),
    Notice("payout_started", Others(&[Freelancer]), "A payout of {amount} is on its way to you", None),
    Notice("payout_paid", Always(Freelancer), "You have been paid {amount}", None),
    Notice(
        "payout_returned",
        Always(Freelancer),
        "A payout of {amount} came back and can be paid out again: {title}",
        None,
    ),
    Notice("payout_account_enabled", Always(Freelancer), "Your payout account is ready", None),
    Notice("payout_account_restricted", Always(Freelancer), "Your payout account needs your attention", None),
    Notice("payout_account_changed", Always(Freelancer), "Where you are paid to was changed", None),
    Notice("review_submitted", Others(&[Freelancer]), "{who} reviewed your work: {title}", None),
    Notice("review_hidden", Others(&[Reviewer]), "{who} hid your review: {title}", None),
];

fn notice(kind: &str) -> Option<&'static Notice> {
    NOTICES.iter().find(|notice| notice.0 == kind)
}

/// Who must be told of an event, each once; a deleted account among them is told nothing.
pub fn recipients(kind: &str, body: &Value, actor_id: Option<UserId>) -> Vec<UserId> {
    match notice(kind) {
        None => Vec::new(),
        Some(Notice(_, Always(party), ..)) => party.of(body).into_iter().collect(),
        Some(Notice(_, Admins, ..)) => administrators(body).collect(),
        Some(Notice(_, WithAdmins(party), ..)) => {
            party.of(body).into_iter().chain(administrators(body)).collect()
        }
        Some(Notice(_, Others(parties), ..)) => {
            parties.iter().filter_map(|party| party.of(body)).filter(|user| Some(*user) != actor_id).collect()
        }
    }
}

/// Those whom an event names.
fn administrators(body: &Value) -> impl Iterator<Item = UserId> {
    let named = body["admin_ids"].as_array().into_iter().flatten();
    named.filter_map(Value::as_str).map(Id::from_wire)
}

/// Tells everybody whom `event` concerns. A subscriber, so it holds when the event does.
pub fn on_event(tx: &Tx, event: &Event) -> Result<()> {
    let Some(Notice(_, _, by_person, by_nobody)) = notice(&event.kind) else { return Ok(()) };
    let part = event.actor_id.and_then(|actor| {
        [Buyer, Reviewer, Freelancer].into_iter().find(|p| p.of(&event.body) == Some(actor))
    });
    let who = match part {
        Some(Buyer | Reviewer) => "The buyer",
        Some(Freelancer) => "The freelancer",
        None => "An administrator",
    };
    let sentence = match by_nobody.filter(|_| event.actor_id.is_none()) {
        _ if event.body["from"] == "disputed" => AFTER_DISPUTE,
        by_nobody => by_nobody.unwrap_or(by_person),
    };
    let text = |member: &str| event.body[member].as_str().unwrap_or_default();
    let amount = format!("{} {}", text("amount"), text("currency"));
    let message = sentence
        .replace("{who}", who)
        .replace("{status}", text("status"))
        .replace("{amount}", &amount)
        .replace("{message}", text("message"))
        .replace("{title}", text("title"));
    let mut data: Data = serde_json::from_value(event.body.clone())?;
    if !event.kind.starts_with("payout_") {
        data.order_id.get_or_insert(event.subject_id.cast());
    }
    for user_id in recipients(&event.kind, &event.body, event.actor_id) {
        if matches!(users::card(tx, user_id)?, Card::Live { .. }) {
            let new = New {
                user_id,
                kind: &event.kind,
                message: &message,
                data: &data,
                sender: part.and(event.actor_id).filter(|sender| *sender != user_id),
                event: Some(event.id),
            };
            deliver(tx, &new)?;
        }
    }
    Ok(())
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
    fn other_events_concern_nobody() {
        assert!(told("account_registered", None).is_empty());
    }
}
