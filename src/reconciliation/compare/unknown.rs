//! What the provider has and our books have not: its name, what it changes, and the journal that would mend it.

use crate::ledger::Account;
use crate::payments::cases::Kind;
use crate::providers::{Record, Recorded, summed};

use super::super::model::{
    Difference, Entry, OrderBooks, Proposal, Standing, booked, moves, subject_of_record, told,
};
use super::fee_of;

pub(super) fn unknown_charge(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let Some(order) = order else {
        return found_only_there(Kind::MissingLocalCharge, record, None)
            .says("The provider took money, and it names nothing of ours.")
            .advice(
                "Find out who was charged. Give it back at the provider if nobody here sold anything for it.",
            );
    };
    let paid = |entry: &Entry| entry.what == Recorded::Charge && entry.standing == Standing::Booked;
    let advice =
        "Give this charge back at the provider: when it has gone back whole, nothing is different any more.";
    if order.entries.iter().any(paid) {
        return found_only_there(Kind::DuplicateCharge, record, Some(order))
            .says("The provider took money for an order that is paid by another charge.")
            .advice(advice);
    }
    found_only_there(Kind::MissingLocalCharge, record, Some(order))
        .says("The provider took a buyer's money, and our books know nothing of it.")
        .advice(advice)
}

/// A charge of a payment that has failed here: as much as that was for can be booked and goes back at once.
pub(super) fn given_back(
    difference: Difference,
    order: &OrderBooks,
    entry: &Entry,
    record: &Record,
) -> Difference {
    if record.amount != entry.amount {
        return difference;
    }
    let (minor, fee) = (record.amount.minor(), fee_of(record).unwrap_or(0));
    let lines =
        [(Account::Provider, fee - minor), (Account::Costs, -fee), (Account::Refunds(order.id), minor)];
    let lines = lines.into_iter().filter(|(_, minor)| *minor != 0).collect();
    difference
        .propose(Proposal { order_id: order.id, currency: record.amount.currency(), lines })
        .advice("Approve to book the charge and give it back to the buyer by a refund. Or give it back at the provider: when it has gone back whole, nothing is different any more.")
}

/// `left` is what of the payment has gone back in no way.
pub(super) fn unknown_refund(record: &Record, order: Option<&OrderBooks>, left: &mut i64) -> Difference {
    let difference = found_only_there(Kind::RefundOnlyAtProvider, record, order)
        .says("The provider gave money back to a buyer, and our books know nothing of it.");
    let Some(order) = order.filter(|order| has_charge(order, record)) else {
        return difference.advice(
            "It gives back a charge that is not in our books: decide both cases together, nothing can be booked for one order.",
        );
    };
    let minor = record.amount.minor();
    if record.amount.currency() != order.left.currency() || minor > *left {
        return difference.advice(
            "It is more than is left of the payment in our books. Find out what was given back twice, ask for it, and accept this.",
        );
    }
    *left -= minor;
    difference
        .propose(Proposal::of(order.id, Account::Refunds(order.id), Account::Provider, record.amount))
        .advice("Approve to take it in as a refund of the payment: it comes from where a refund made here would, and an order of which nothing is left is cancelled. Ask who gave it back outside Guildhall, and why.")
}

/// Whether a charge that the record belongs to is booked for the order.
fn has_charge(order: &OrderBooks, record: &Record) -> bool {
    order.entries.iter().any(|entry| {
        entry.what == Recorded::Charge
            && entry.standing == Standing::Booked
            && entry.reference.as_ref() == Some(&record.of)
            && entry.amount.currency() == record.amount.currency()
    })
}

pub(super) fn unknown_reversal(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let difference = found_only_there(Kind::TransferReversedOutside, record, order)
        .says("A transfer to a freelancer was taken back at the provider, and our books say that he has it.");
    let is_of =
        |entry: &&Entry| entry.what == Recorded::Transfer && entry.reference.as_ref() == Some(&record.of);
    let sent = order.and_then(|order| order.entries.iter().find(is_of).map(|entry| (order, entry)));
    match sent {
        None => difference.advice("Our books do not know the transfer either: find out whose it was."),
        Some((order, sent)) if sent.standing == Standing::Booked && sent.amount == record.amount => difference
            .propose(Proposal::of(
                order.id,
                Account::Provider,
                Account::Payable(order.freelancer_id),
                record.amount,
            ))
            .advice("Approve to owe it to the freelancer again. Ask who took it back outside Guildhall, and why."),
        Some((_, sent)) if sent.standing == Standing::Booked => {
            let mut part = difference
                .says("Part of a transfer to a freelancer was taken back at the provider, and our books say that he has all of it.")
                .advice("A part cannot be paid out again by itself. Have the rest taken back too: then all of it can be. Or send as much again at the provider, and accept this.");
            part.kind = Kind::AmountDiffers;
            part.ours = Some(booked(sent));
            part
        }
        Some((_, sent)) => {
            let mut strange = difference
                .advice("Our books say that this transfer was never made: decide its own case together with this.");
            strange.ours = Some(booked(sent));
            strange
        }
    }
}

/// What the house itself moves, or pays to the provider: no order has to do with it.
pub(super) fn unknown_movement(record: &Record) -> Difference {
    let says = match record.what {
        Recorded::PutIn => "Money came into the house's account at the provider that belongs to no order.",
        _ => "Money left the house's account at the provider that belongs to no order.",
    };
    found_only_there(Kind::HouseMovement, record, None).says(&format!("{says} It calls it {}.", record.of)).advice(
        "Approve when it is the house's own: its bank, or what the provider charges it for. The balance is compared with it from then on.",
    )
}

pub(super) fn unknown_chargeback(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let (says, from, to) = match record.what {
        Recorded::Reinstatement => (
            "A bank gave back what it had withdrawn, and our books do not know.",
            Account::Provider,
            Account::Losses,
        ),
        _ => (
            "A bank withdrew a buyer's money, and our books do not know.",
            Account::Losses,
            Account::Provider,
        ),
    };
    let mut difference = found_only_there(Kind::ChargebackUnseen, record, order).says(says);
    let Some(order) = order else {
        return difference
            .advice("It belongs to a charge that our books do not know: look at both at the provider.");
    };
    let booked = order.entries.iter().filter(|entry| entry.what == record.what).count();
    difference.ours = Some(serde_json::json!({ "booked_before": booked }));
    if has_charge(order, record) {
        // What the provider keeps for it is a difference of its own once it is booked.
        return difference.propose(Proposal::of(order.id, from, to, record.amount)).advice(
            "Approve to take it in as a chargeback of the payment, as if it had been told: the order's money is frozen until the bank decides. Answer the dispute at the provider in time, and look why its webhook did not arrive.",
        );
    }
    let gone = match record.what {
        Recorded::Reinstatement => -record.amount.minor(),
        _ => record.amount.minor(),
    };
    let fee = fee_of(record).unwrap_or(0);
    let lines = [(Account::Losses, -gone), (Account::Costs, -fee), (Account::Provider, gone + fee)];
    let lines = lines.into_iter().filter(|(_, minor)| *minor != 0).collect();
    difference
        .propose(Proposal { order_id: order.id, currency: record.amount.currency(), lines })
        .advice("Approve to book it against losses: no payment of ours has the charge. Answer the dispute at the provider in time.")
}

/// A difference of which the provider alone has something.
pub(super) fn found_only_there(kind: Kind, record: &Record, order: Option<&OrderBooks>) -> Difference {
    Difference {
        kind,
        subject: subject_of_record(&record.reference, record.what),
        order_id: order.map(|order| order.id),
        at: record.at,
        says: String::new(),
        ours: None,
        theirs: Some(told(record)),
        effect: summed([moves(record.what, record.amount, fee_of(record).unwrap_or(0))]),
        proposed: None,
        advice: String::new(),
        is_summary: false,
    }
}

impl Difference {
    pub(super) fn says(mut self, what: &str) -> Self {
        let theirs = self.theirs.as_ref();
        let member =
            |name: &str| theirs.and_then(|told| told.get(name)?.as_str()).unwrap_or_default().to_owned();
        self.says = format!("{what} {}: {} {}.", member("reference"), member("amount"), member("currency"));
        self
    }

    pub(super) fn propose(mut self, proposal: Proposal) -> Self {
        self.proposed = Some(proposal);
        self
    }

    pub(super) fn advice(mut self, what: &str) -> Self {
        what.clone_into(&mut self.advice);
        self
    }
}
