//! The comparison itself, over plain values: each record of the provider finds its entry in our books, and what finds none,
//! or another than it should be, is a difference with a name.

mod balance;
mod unknown;

use std::collections::HashMap;

use crate::id::Id;
use crate::ledger::Account;
use crate::money::Money;
use crate::payments::cases::Kind;
use crate::providers::{Record, Recorded, summed};

use super::model::{
    Days, Difference, Entry, OrderBooks, Ours, Proposal, Standing, against, booked, date, moves, named_in,
    subject_of, told, word,
};
use unknown::{
    found_only_there, unknown_charge, unknown_chargeback, unknown_movement, unknown_refund, unknown_reversal,
};

pub use balance::{Balances, balance, of_currency};

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
    /// What was sent for an order, by that.
    by_order: By<Id<()>>,
    /// Which record each entry is, once that is found.
    taken: Vec<bool>,
    /// Which entry each record is.
    found: Vec<Option<usize>>,
    /// Records of charges that were given back whole, and of what was given back: nothing is left of them.
    undone: Vec<bool>,
    /// Records that stand for several, and how much these are together.
    gathered: HashMap<usize, Money>,
    /// What is left of an order's payment, when what was proposed so far is booked.
    left: HashMap<Id<()>, i64>,
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
        let mut by_order = By::new();
        for (index, (order, entry)) in entries.iter().enumerate() {
            let what = word(entry.what);
            if let Some(reference) = &entry.reference {
                by_reference.entry((what, reference.as_str())).or_default().push(index);
            }
            if let Some(of) = &entry.of {
                by_of.entry((what, of.as_str())).or_default().push(index);
            }
            by_id.entry((what, entry.id)).or_default().push(index);
            by_order.entry((what, order.id)).or_default().push(index);
        }
        Self {
            ours,
            theirs,
            taken: vec![false; entries.len()],
            found: vec![None; theirs.len()],
            undone: vec![false; theirs.len()],
            gathered: HashMap::new(),
            left: ours.orders.iter().map(|order| (order.id, order.left.minor())).collect(),
            entries,
            by_reference,
            by_id,
            by_of,
            by_order,
            under_way: Vec::new(),
            days: Days::new(),
        }
    }

    /// First what is certain, the provider's id; then what our key names; then what belongs to the same charge, or was sent
    /// by hand for the same order, and is as much.
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
            let as_much = |entry: &Entry| entry.standing == Standing::Booked && entry.amount == record.amount;
            if record.what != Recorded::Charge {
                let same = self.by_of.get(&(word(record.what), record.of.as_str()));
                self.take(number, same.cloned(), as_much);
            }
            if record.what == Recorded::Transfer {
                let grouped = named_in(&record.of);
                let same = grouped.and_then(|order| self.by_order.get(&(word(record.what), order)));
                self.take(number, same.cloned(), as_much);
            }
        }
        self.gather();
    }

    /// What of a transfer was taken back in parts is taken back whole once they sum to it.
    fn gather(&mut self) {
        let mut parts: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, record) in self.theirs.iter().enumerate() {
            if record.what == Recorded::Reversal && self.found[number].is_none() {
                parts.entry(record.of.as_str()).or_default().push(number);
            }
        }
        for (of, numbers) in parts.into_iter().filter(|(_, numbers)| numbers.len() > 1) {
            let [.., last] = numbers.as_slice() else { continue };
            let sum = self.sum(&numbers, self.theirs[*last].amount);
            let as_much = |entry: &Entry| entry.standing == Standing::Booked && entry.amount == sum;
            let back = self.by_of.get(&(word(Recorded::Reversal), of)).cloned();
            self.take(*last, back, as_much);
            let sent = self.by_reference.get(&(word(Recorded::Transfer), of));
            let sent = sent.is_some_and(|sent| sent.iter().any(|index| as_much(self.entries[*index].1)));
            if self.found[*last].is_some() || sent {
                self.gathered.insert(*last, sum);
                numbers.iter().filter(|number| *number != last).for_each(|part| self.undone[*part] = true);
            }
        }
    }

    /// How much these records are together, in the currency of `like`.
    fn sum(&self, numbers: &[usize], like: Money) -> Money {
        let minors = numbers.iter().map(|number| self.theirs[*number].amount);
        like.with_minor(minors.filter(|amount| amount.currency() == like.currency()).map(Money::minor).sum())
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
                let amount = self.gathered.get(&number).copied().unwrap_or(record.amount);
                differences.extend(self.judge(&Record { amount, ..record.clone() }, self.found[number]));
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

    /// A charge that our books do not have and that was given back whole has left nothing behind, nor has a transfer that
    /// was taken back whole.
    fn cancel_out(&mut self) {
        let mut back: HashMap<(Recorded, &str), Vec<usize>> = HashMap::new();
        for (number, record) in self.theirs.iter().enumerate() {
            if !self.is_booked(number) {
                back.entry((record.what, record.of.as_str())).or_default().push(number);
            }
        }
        for (number, record) in self.theirs.iter().enumerate() {
            let undoes = match record.what {
                Recorded::Charge => Recorded::Refund,
                Recorded::Transfer => Recorded::Reversal,
                _ => continue,
            };
            let Some(back) = back.get(&(undoes, record.reference.as_str())) else { continue };
            if !self.is_booked(number) && self.sum(back, record.amount) == record.amount {
                self.undone[number] = true;
                back.iter().for_each(|other| self.undone[*other] = true);
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
                Some(match record.what {
                    Recorded::Charge => unknown::given_back(difference, order, entry, record),
                    _ => difference,
                })
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
        let by_group = || {
            let order = named_in(&record.of).filter(|_| record.what == Recorded::Transfer)?;
            self.by_order.get(&(word(Recorded::Charge), order))
        };
        let found = named.and_then(by_id).or_else(by_reference).or_else(by_group)?;
        found.first().map(|index| self.entries[*index].0)
    }

    /// What our books do not have.
    fn unknown(&mut self, record: &Record) -> Option<Difference> {
        let order = self.order_of(record);
        match record.what {
            Recorded::Charge => Some(unknown_charge(record, order)),
            Recorded::Refund => {
                let mut nothing = 0;
                let left = order.and_then(|order| self.left.get_mut(&order.id)).unwrap_or(&mut nothing);
                Some(unknown_refund(record, order, left))
            }
            Recorded::Transfer => Some(
                found_only_there(Kind::TransferOnlyAtProvider, record, order)
                    .says("The provider sent money to a freelancer, and our books know nothing of it.")
                    .advice("Have the transfer taken back at the provider, or find out whose it is and set it off by hand."),
            ),
            Recorded::Reversal => Some(unknown_reversal(record, order)),
            Recorded::Chargeback | Recorded::Reinstatement => Some(unknown_chargeback(record, order)),
            Recorded::FailedPayout => self.failed_payout(record, order),
            Recorded::PutIn | Recorded::TakenOut => Some(unknown_movement(record)),
        }
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
                "The freelancer has not got it. Send it at the provider, as much and with the order's id as the transfer group: the next run takes it for this one.",
            ),
            Recorded::Reversal => (
                Kind::TransferOnlyAtProvider,
                "Our books say that a transfer came back, and the provider says that it stands.",
                "The freelancer has the money and can be paid it again. Have the transfer reversed at the provider.",
            ),
            Recorded::Chargeback
            | Recorded::Reinstatement
            | Recorded::FailedPayout
            | Recorded::PutIn
            | Recorded::TakenOut => (
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

#[cfg(test)]
mod tests;
