//! The comparison itself, over plain values: each record of the provider finds its entry in our books, and what finds none,
//! or another than it should be, is a difference with a name.

use std::collections::HashMap;

use crate::id::Id;
use crate::ledger::Account;
use crate::money::{Currency, Money};
use crate::payments::cases::Kind;
use crate::providers::{Record, Recorded, summed};
use crate::time::Time;

use super::model::{
    Days, Difference, Entry, OrderBooks, Ours, Proposal, Standing, against, booked, date, moves, named_in,
    subject_of, told, word,
};

/// Every difference between our books and the provider's records.
pub fn compare(ours: &Ours, theirs: &[Record]) -> Vec<Difference> {
    Comparison::of(ours, theirs).differences
}

/// What came out.
pub struct Comparison {
    pub differences: Vec<Difference>,
    /// What the provider has done and our books will know when they are told.
    pub under_way: Vec<Money>,
    pub days: Days,
}

impl Comparison {
    pub fn of(ours: &Ours, theirs: &[Record]) -> Self {
        let mut search = Search::new(ours, theirs);
        search.match_up();
        search.outcome()
    }
}

/// What is looked for by: the kind of thing, and a text or an id.
type By<K> = HashMap<(&'static str, K), Vec<usize>>;

struct Search<'a> {
    ours: &'a Ours,
    theirs: &'a [Record],
    entries: Vec<(&'a OrderBooks, &'a Entry)>,
    by_reference: By<&'a str>,
    by_id: By<Id<()>>,
    by_of: By<&'a str>,
    /// Which record each entry is, once that is found.
    taken: Vec<bool>,
    /// Which entry each record is.
    found: Vec<Option<usize>>,
    /// Records of charges that were given back whole, and of what was given back: nothing is left of them.
    undone: Vec<bool>,
    /// What escrow of an order still holds, when what was proposed so far is booked.
    escrow: HashMap<Id<()>, i64>,
    under_way: Vec<Money>,
    days: Days,
}

impl<'a> Search<'a> {
    fn new(ours: &'a Ours, theirs: &'a [Record]) -> Self {
        let entries: Vec<_> = ours
            .orders
            .iter()
            .flat_map(|order| order.entries.iter().map(move |entry| (order, entry)))
            .collect();
        let (mut by_reference, mut by_id, mut by_of) = (By::new(), By::new(), By::new());
        for (index, (_, entry)) in entries.iter().enumerate() {
            let what = word(entry.what);
            if let Some(reference) = &entry.reference {
                by_reference.entry((what, reference.as_str())).or_default().push(index);
            }
            if let Some(of) = &entry.of {
                by_of.entry((what, of.as_str())).or_default().push(index);
            }
            by_id.entry((what, entry.id)).or_default().push(index);
        }
        Self {
            ours,
            theirs,
            taken: vec![false; entries.len()],
            found: vec![None; theirs.len()],
            undone: vec![false; theirs.len()],
            escrow: ours.orders.iter().map(|order| (order.id, order.escrow.minor())).collect(),
            entries,
            by_reference,
            by_id,
            by_of,
            under_way: Vec::new(),
            days: Days::new(),
        }
    }

    /// First what is certain, the provider's id; then what our key names; then what belongs to the same charge and is as
    /// much.
    fn match_up(&mut self) {
        for (number, record) in self.theirs.iter().enumerate() {
            let same = self.by_reference.get(&(word(record.what), record.reference.as_str()));
            self.take(number, same.cloned(), |_| true);
        }
        for (number, record) in self.theirs.iter().enumerate() {
            let named = record.key.as_deref().and_then(named_in);
            let same = named.and_then(|id| self.by_id.get(&(word(record.what), id)));
            self.take(number, same.cloned(), |_| true);
        }
        for (number, record) in self.theirs.iter().enumerate() {
            if record.what != Recorded::Charge {
                let same = self.by_of.get(&(word(record.what), record.of.as_str()));
                self.take(number, same.cloned(), |entry| {
                    entry.standing == Standing::Booked && entry.amount == record.amount
                });
            }
        }
    }

    /// Takes the first of the entries that is free and good enough for a record that has none.
    fn take(&mut self, number: usize, among: Option<Vec<usize>>, good: impl Fn(&Entry) -> bool) {
        if self.found[number].is_some() {
            return;
        }
        let free = among
            .unwrap_or_default()
            .into_iter()
            .find(|index| !self.taken[*index] && good(self.entries[*index].1));
        if let Some(index) = free {
            self.taken[index] = true;
            self.found[number] = Some(index);
        }
    }

    fn outcome(mut self) -> Comparison {
        self.cancel_out();
        let mut differences = Vec::new();
        for (number, record) in self.theirs.iter().enumerate() {
            let entry = self.found[number].map(|index| self.entries[index].1);
            self.count(record, entry);
            if !self.undone[number] {
                differences.extend(self.judge(record, self.found[number]));
            }
        }
        for index in 0..self.entries.len() {
            let entry = self.entries[index].1;
            if !self.taken[index] && self.is_missed(entry) {
                if self.ours.window.contains(entry.at) {
                    let day = (date(entry.at), entry.amount.currency());
                    self.days.entry(day).or_default().0.add(entry.what, entry.amount, entry.fee_minor);
                }
                differences.push(self.only_local(self.entries[index].0, entry));
            }
        }
        Comparison { differences, under_way: summed(self.under_way), days: self.days }
    }

    /// A charge that our books do not have and that was given back whole has left nothing behind.
    fn cancel_out(&mut self) {
        for (number, charge) in self.theirs.iter().enumerate() {
            if charge.what != Recorded::Charge || self.is_booked(number) {
                continue;
            }
            let back: Vec<usize> = (0..self.theirs.len())
                .filter(|other| {
                    let refund = &self.theirs[*other];
                    refund.what == Recorded::Refund
                        && refund.of == charge.reference
                        && !self.is_booked(*other)
                })
                .collect();
            let sum: i64 = back.iter().map(|other| self.theirs[*other].amount.minor()).sum();
            if !back.is_empty() && sum == charge.amount.minor() {
                self.undone[number] = true;
                back.into_iter().for_each(|other| self.undone[other] = true);
            }
        }
    }

    fn is_booked(&self, number: usize) -> bool {
        self.found[number].is_some_and(|index| self.entries[index].1.standing == Standing::Booked)
    }

    fn count(&mut self, record: &Record, entry: Option<&Entry>) {
        if !self.ours.window.contains(record.at) {
            return;
        }
        let fee = |entry: Option<&Entry>| fee_of(record).or(entry.map(|entry| entry.fee_minor)).unwrap_or(0);
        let day = date(record.at);
        let theirs = self.days.entry((day.clone(), record.amount.currency())).or_default();
        theirs.1.add(record.what, record.amount, fee(entry));
        if let Some(entry) = entry.filter(|entry| entry.standing == Standing::Booked) {
            let ours = self.days.entry((day, entry.amount.currency())).or_default();
            ours.0.add(entry.what, entry.amount, entry.fee_minor);
        }
    }

    fn judge(&mut self, record: &Record, found: Option<usize>) -> Option<Difference> {
        let Some((order, entry)) = found.map(|index| self.entries[index]) else {
            return self.unknown(record);
        };
        match entry.standing {
            Standing::Booked => mismatch(order, entry, record),
            Standing::UnderWay if record.at >= self.ours.settled_before => {
                self.under_way.push(moves(record.what, record.amount, fee_of(record).unwrap_or(0)));
                None
            }
            Standing::UnderWay => {
                let mut difference = self.unknown(record)?;
                difference.ours = Some(booked(entry));
                difference.proposed = None;
                "It is asked for again all the time. If it stays so, look why the provider is not reached."
                    .clone_into(&mut difference.advice);
                Some(difference)
            }
            Standing::Off => {
                let mut difference = self.unknown(record)?;
                difference.ours = Some(booked(entry));
                Some(difference)
            }
        }
    }

    /// The order that a record belongs to, as far as it says.
    fn order_of(&self, record: &Record) -> Option<&'a OrderBooks> {
        let named = record.key.as_deref().and_then(named_in);
        let by_id = |id: Id<()>| {
            let kinds = [Recorded::Charge, Recorded::Refund, Recorded::Transfer];
            kinds.into_iter().find_map(|what| self.by_id.get(&(word(what), id)))
        };
        let by_reference = || {
            let kinds = [Recorded::Charge, Recorded::Transfer];
            kinds.into_iter().find_map(|what| self.by_reference.get(&(word(what), record.of.as_str())))
        };
        let found = named.and_then(by_id).or_else(by_reference)?;
        found.first().map(|index| self.entries[*index].0)
    }

    /// What our books do not have.
    fn unknown(&mut self, record: &Record) -> Option<Difference> {
        let order = self.order_of(record);
        match record.what {
            Recorded::Charge => Some(unknown_charge(record, order)),
            Recorded::Refund => Some(self.unknown_refund(record, order)),
            Recorded::Transfer => Some(
                found_only_there(Kind::TransferOnlyAtProvider, record, order)
                    .says("The provider sent money to a freelancer, and our books know nothing of it.")
                    .advice("Have the transfer taken back at the provider, or find out whose it is and set it off by hand."),
            ),
            Recorded::Reversal => Some(unknown_reversal(record, order)),
            Recorded::Chargeback | Recorded::Reinstatement => Some(unknown_chargeback(record, order)),
            Recorded::FailedPayout => self.failed_payout(record, order),
        }
    }

    fn unknown_refund(&mut self, record: &Record, order: Option<&OrderBooks>) -> Difference {
        let difference = found_only_there(Kind::RefundOnlyAtProvider, record, order)
            .says("The provider gave money back to a buyer, and our books know nothing of it.");
        let is_ours = |order: &&OrderBooks| {
            order
                .entries
                .iter()
                .any(|entry| entry.what == Recorded::Charge && entry.reference.as_ref() == Some(&record.of))
        };
        let Some(order) = order.filter(is_ours) else {
            return difference.advice(
                "It gives back a charge that is not in our books: decide both cases together, nothing can be booked for one order.",
            );
        };
        let escrow = self.escrow.entry(order.id).or_default();
        let held = *escrow >= record.amount.minor() && order.escrow.currency() == record.amount.currency();
        let from = if held { Account::Escrow(order.id) } else { Account::Losses };
        if held {
            *escrow -= record.amount.minor();
        }
        let (source, amount) = (if held { "the order's escrow" } else { "losses" }, record.amount);
        difference.propose(Proposal::of(order.id, from, Account::Provider, amount)).advice(&format!(
            "Approve to book it from {source}. Ask who gave it back outside Guildhall, and why."
        ))
    }

    fn failed_payout(&self, record: &Record, order: Option<&OrderBooks>) -> Option<Difference> {
        let back = |entry: &Entry| {
            entry.what == Recorded::Reversal && entry.of.as_ref() == Some(&record.of)
                || entry.what == Recorded::Transfer
                    && entry.reference.as_ref() == Some(&record.of)
                    && entry.standing == Standing::Off
        };
        if order.is_some_and(|order| order.entries.iter().any(back)) {
            return None;
        }
        let advice = "The money is in the freelancer's account at the provider. Ask him to mend his bank details there; have the transfer reversed if he cannot.";
        let mut difference = found_only_there(Kind::PayoutFailed, record, order)
            .says("The freelancer's payout did not arrive at his bank, and our books say that he was paid.")
            .advice(advice);
        difference.effect.clear();
        Some(difference)
    }

    /// Whether the provider should have told of it.
    fn is_missed(&self, entry: &Entry) -> bool {
        entry.standing == Standing::Booked
            && entry.since >= self.ours.asked.from
            && entry.at < self.ours.asked.to
            && entry.at < self.ours.settled_before
    }

    fn only_local(&self, order: &OrderBooks, entry: &Entry) -> Difference {
        let (kind, says, advice) = match entry.what {
            Recorded::Charge => (
                Kind::MissingProviderCharge,
                "Our books say that a buyer paid, and the provider has no charge of it.",
                "Nobody has paid. Look for the charge at the provider; if there is none, stop the order, or ask its buyer to pay and accept this.",
            ),
            Recorded::Refund => (
                Kind::RefundOnlyLocal,
                "Our books say that money went back to a buyer, and the provider has no refund of it.",
                "The buyer has not got it. Give it back at the provider, from the same charge and as much: the next run takes it for this one.",
            ),
            Recorded::Transfer => (
                Kind::TransferOnlyLocal,
                "Our books say that a freelancer was paid, and the provider has no transfer of it.",
                "The freelancer has not got it. Send it at the provider, from the same charge and as much: the next run takes it for this one.",
            ),
            Recorded::Reversal => (
                Kind::TransferOnlyAtProvider,
                "Our books say that a transfer came back, and the provider says that it stands.",
                "The freelancer has the money and can be paid it again. Have the transfer reversed at the provider.",
            ),
            Recorded::Chargeback | Recorded::Reinstatement | Recorded::FailedPayout => (
                Kind::ChargebackOnlyLocal,
                "Our books say that a bank moved money, and the provider knows nothing of it.",
                "Look at the charge's dispute at the provider, and at who booked this.",
            ),
        };
        Difference {
            kind,
            subject: entry.id,
            order_id: Some(order.id),
            at: entry.at,
            says: format!("{says} {} {} of {}.", entry.amount, entry.amount.currency(), date(entry.at)),
            ours: Some(booked(entry)),
            theirs: None,
            effect: summed([against(moves(entry.what, entry.amount, entry.fee_minor))]),
            proposed: None,
            advice: advice.to_owned(),
            is_summary: false,
        }
    }
}

/// What the provider kept, in the currency of the amount.
fn fee_of(record: &Record) -> Option<i64> {
    record.fee.filter(|fee| fee.currency() == record.amount.currency()).map(Money::minor)
}

/// Both sides have it, and not alike.
fn mismatch(order: &OrderBooks, entry: &Entry, record: &Record) -> Option<Difference> {
    let fee = fee_of(record);
    let kept = fee.unwrap_or(entry.fee_minor);
    let (name, there, here) = (word(record.what), record.amount, entry.amount);
    let (kind, says, advice) = if there.currency() != here.currency() {
        (
            Kind::CurrencyDiffers,
            format!("A {name} is {there} {} at the provider and {here} {} in our books.", there.currency(), here.currency()),
            "Nothing can be booked across currencies. Undo it at the provider, do it again in the order's currency, and accept this.".to_owned(),
        )
    } else if there != here {
        (
            Kind::AmountDiffers,
            format!("A {name} is {there} {} at the provider and {here} in our books.", there.currency()),
            "Neither amount can be taken for granted. Mend it at the provider, by a refund or another transfer of what is too much or too little, and accept this.".to_owned(),
        )
    } else if kept != entry.fee_minor {
        let (kept, known) = (here.with_minor(kept), here.with_minor(entry.fee_minor));
        (
            Kind::FeeDrift,
            format!("The provider kept {kept} {} of a {name}, our books say {known}.", here.currency()),
            "Approve to book the difference between costs and provider. If it happens often, the provider's prices have changed.".to_owned(),
        )
    } else {
        return None;
    };
    let proposed = (kind == Kind::FeeDrift).then(|| {
        let more = here.with_minor(kept - entry.fee_minor);
        Proposal::of(order.id, Account::Costs, Account::Provider, more)
    });
    let differing = format!("{}|{}|{}|{kept}", record.reference, there.minor(), there.currency());
    Some(Difference {
        kind,
        subject: subject_of(&differing),
        order_id: Some(order.id),
        at: record.at,
        says,
        ours: Some(booked(entry)),
        theirs: Some(told(record)),
        effect: summed([moves(record.what, there, kept), against(moves(entry.what, here, entry.fee_minor))]),
        proposed,
        advice,
        is_summary: false,
    })
}

fn unknown_charge(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let fee = fee_of(record).unwrap_or(0);
    let Some(order) = order else {
        return found_only_there(Kind::MissingLocalCharge, record, None)
            .says("The provider took money, and it names nothing of ours.")
            .advice(
                "Find out who was charged. Give it back at the provider if nobody here sold anything for it.",
            );
    };
    let paid = |entry: &Entry| entry.what == Recorded::Charge && entry.standing == Standing::Booked;
    if order.entries.iter().any(paid) {
        return found_only_there(Kind::DuplicateCharge, record, Some(order))
            .says("The provider took money for an order that is paid by another charge.")
            .advice("Give this charge back at the provider: when it has gone back whole, nothing is different any more.");
    }
    let minor = record.amount.minor();
    let lines = [(Account::Provider, fee - minor), (Account::Costs, -fee), (Account::Losses, minor)];
    let lines = lines.into_iter().filter(|(_, minor)| *minor != 0).collect();
    found_only_there(Kind::MissingLocalCharge, record, Some(order))
        .says("The provider took a buyer's money, and our books know nothing of it.")
        .propose(Proposal { order_id: order.id, currency: record.amount.currency(), lines })
        .advice("Approve to book what is held for the buyer, then give the charge back at the provider: the next run finds that refund and proposes to book it too. Or only give it back: when it has gone back whole, nothing is different any more.")
}

fn unknown_reversal(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let difference = found_only_there(Kind::TransferReversedOutside, record, order)
        .says("A transfer to a freelancer was taken back at the provider, and our books say that he has it.");
    let Some(order) = order else {
        return difference.advice("Our books do not know the transfer either: find out whose it was.");
    };
    let payable = Account::Payable(order.freelancer_id);
    difference
        .propose(Proposal::of(order.id, Account::Provider, payable, record.amount))
        .advice("Approve to owe it to the freelancer again. Ask who took it back outside Guildhall, and why.")
}

fn unknown_chargeback(record: &Record, order: Option<&OrderBooks>) -> Difference {
    let (says, sign) = match record.what {
        Recorded::Reinstatement => ("A bank gave back what it had withdrawn, and our books do not know.", -1),
        _ => ("A bank withdrew a buyer's money, and our books do not know.", 1),
    };
    let mut difference = found_only_there(Kind::ChargebackUnseen, record, order).says(says);
    let Some(order) = order else {
        return difference
            .advice("It belongs to a charge that our books do not know: look at both at the provider.");
    };
    let booked = order.entries.iter().filter(|entry| entry.what == record.what).count();
    difference.ours = Some(serde_json::json!({ "booked_before": booked }));
    let (minor, fee) = (sign * record.amount.minor(), fee_of(record).unwrap_or(0));
    let lines = [(Account::Losses, -minor), (Account::Costs, -fee), (Account::Provider, minor + fee)];
    let lines = lines.into_iter().filter(|(_, minor)| *minor != 0).collect();
    difference
        .propose(Proposal { order_id: order.id, currency: record.amount.currency(), lines })
        .advice("Approve to book it against losses, as a chargeback that was told of. Answer the dispute at the provider in time.")
}

/// A difference of which the provider alone has something.
fn found_only_there(kind: Kind, record: &Record, order: Option<&OrderBooks>) -> Difference {
    Difference {
        kind,
        subject: subject_of(&record.reference),
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
    fn says(mut self, what: &str) -> Self {
        let theirs = self.theirs.as_ref();
        let member =
            |name: &str| theirs.and_then(|told| told.get(name)?.as_str()).unwrap_or_default().to_owned();
        self.says = format!("{what} {}: {} {}.", member("reference"), member("amount"), member("currency"));
        self
    }

    fn propose(mut self, proposal: Proposal) -> Self {
        self.proposed = Some(proposal);
        self
    }

    fn advice(mut self, what: &str) -> Self {
        what.clone_into(&mut self.advice);
        self
    }
}

/// Both balances.
pub struct Balances<'a> {
    /// What the provider holds for us, by our books.
    pub ours: &'a [Money],
    /// By its own word.
    pub theirs: &'a [Money],
    /// What our books will know when they are told.
    pub under_way: &'a [Money],
    /// What was accepted as it is.
    pub accepted: &'a [Money],
}

/// A line for each currency in which the balances differ, with what that comes from; a difference of its own where
/// nothing explains it.
pub fn balance(sides: &Balances, differences: &[Difference], at: Time) -> Vec<Difference> {
    let subtracted = |sums: &[Money]| sums.iter().copied().map(against).collect::<Vec<_>>();
    let parts = [
        sides.theirs.to_vec(),
        subtracted(sides.ours),
        subtracted(sides.under_way),
        subtracted(sides.accepted),
    ];
    let too_much = summed(parts.into_iter().flatten());
    too_much.into_iter().map(|more| balance_differs(more, sides, differences, at)).collect()
}

fn balance_differs(more: Money, sides: &Balances, differences: &[Difference], at: Time) -> Difference {
    let currency = more.currency();
    let mut rest = more.minor();
    let mut parts = Vec::new();
    for difference in differences {
        for effect in difference.effect.iter().filter(|effect| effect.currency() == currency) {
            rest -= effect.minor();
            parts.push(format!("{effect} {}", difference.kind));
        }
    }
    if rest != 0 {
        parts.push(format!("{} unexplained", more.with_minor(rest)));
    }
    let side = |sums: &[Money]| of_currency(sums, currency);
    let (by, than) = if more.minor() < 0 { (against(more), "less") } else { (more, "more") };
    Difference {
        kind: Kind::BalanceDiffers,
        subject: subject_of(&format!("balance|{currency}|{rest}")),
        order_id: None,
        at,
        says: format!("The provider holds {by} {currency} {than} than our books say: {}.", parts.join(", ")),
        ours: Some(serde_json::json!({ "balance": side(sides.ours), "currency": currency })),
        theirs: Some(serde_json::json!({ "balance": side(sides.theirs), "currency": currency })),
        effect: summed([more.with_minor(rest)]),
        proposed: None,
        advice: match rest {
            0 => "Decide what it is made of.".to_owned(),
            _ => "Run `guildhall reconcile` over a longer time: what explains it lies before this window, or is of a kind that the provider does not list.".to_owned(),
        },
        is_summary: rest == 0,
    }
}

/// The sum in one currency.
pub fn of_currency(sums: &[Money], currency: Currency) -> Money {
    let found = sums.iter().find(|sum| sum.currency() == currency);
    found.copied().unwrap_or(Money::new(0, currency))
}

#[cfg(test)]
mod tests;
