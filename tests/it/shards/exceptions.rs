//! What may break a rule, and why. It may only shrink.

use std::collections::BTreeSet;

use super::rules::Flaw;
use Flaw::{Apart, PerCopy, Scattered};

/// The table that the flaw is about, the flaw, what the statement contains, and why.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, Flaw, &str, &str)] = &[
    // A person's things, found by an index on every server.
    ("orders", Scattered, " from orders where buyer_id = $1", "the orders of a buyer are everywhere: lists, and the cap when one is placed"),
    ("orders", Scattered, " from orders where freelancer_id = $1", "the orders of a freelancer are everywhere"),
    ("orders", Scattered, " from orders where (buyer_id = $1 and freelancer_id = $2)", "whether two have ever dealt, asked before a message"),
    ("transactions", Scattered, " where user_id = $1 and type = 'charge'", "the last declined charges of a buyer, before another"),
    ("transactions", Scattered, " where t.user_id = $1", "an account that wants to be deleted"),
    ("transactions", Scattered, " from transactions t left join refunds r on r.id = t.cause_id and r.order_id = t.order_id where 1 = 1", "a person's list, and an administrator's"),
    ("reviews", Scattered, " from reviews where hidden_at is null and ", "what a person wrote, and what a freelancer got"),
    ("releases", Scattered, " from releases where freelancer_id = $1 ", "a freelancer earns by many orders"),
    ("releases", Scattered, " from releases r where freelancer_id = $1 ", "a freelancer earns by many orders"),
    ("releases", Scattered, " where r.freelancer_id = $1 ", "a freelancer earns by many orders"),
    ("debts", Scattered, " from debts d where freelancer_id = $1 ", "a freelancer owes for many orders"),
    ("refunds", Scattered, " where p.freelancer_id = $1 and r.currency = $2 ", "a freelancer gives back for many orders"),
    ("chargebacks", Scattered, " where p.freelancer_id = $1 and c.status = 'open'", "an account that wants to be deleted"),
    ("chargebacks", Scattered, " where o.id = c.order_id and o.freelancer_id = $1 ", "a freelancer's balance"),
    ("ledger_lines", Scattered, " from ledger_lines where account = $1 ", "an account may have lines of many orders"),
    ("ledger_lines", Scattered, " where l.account in ($1, $2, $3) and j.at ", "a month of a freelancer"),
    // Named by an id alone: the address says no more.
    ("payments", Scattered, " from payments where id = $1", "GET /payments/{id}, and timers, name it so"),
    ("refunds", Scattered, " from refunds where id = $1", "a timer names it so"),
    ("refunds", Scattered, " where r.id = $1", "a timer names it so"),
    ("disputes", Scattered, " from disputes where id = $1", "a timer names it so"),
    ("reviews", Scattered, " from reviews where id = $1", "POST /reviews/{id}/hide names it so"),
    ("payout_items", Scattered, " where i.id = $1", "a timer names it so"),
    ("payout_items", Scattered, " from payout_items where payout_id = $1", "a payout gathers many orders"),
    ("payout_items", Scattered, " from payout_items i join orders o on o.id = i.order_id", "a payout gathers many orders"),
    ("provider_calls", Scattered, " from provider_calls where subject_id = $1 ", "on an administrator's word: the keys that were spent"),
    ("provider_calls", Scattered, "update provider_calls set state = ", "on an administrator's word: every key of a thing"),
    // Named by the provider, who knows no orders.
    ("payments", Scattered, " from payments where provider_key = $1", "an event of the provider names it so"),
    ("payments", Scattered, " from payments where transaction_id = $1", "the provider names it so"),
    ("payments", Scattered, " where p.transaction_id = $1 ", "the provider names it so"),
    ("refunds", Scattered, " from refunds where provider_key = $1", "an event of the provider names it so"),
    ("refunds", Scattered, " from refunds where transaction_id = $1", "the provider names it so"),
    ("chargebacks", Scattered, " from chargebacks where reference = $1", "the provider names it so"),
    ("payout_items", Scattered, " from payout_items where transaction_id = $1", "the provider names it so"),
    ("payout_items", Scattered, " from payout_items where id = $1", "a record of the provider names one of three"),
    ("ledger_journals", Scattered, " where j.cause_id = $1 and j.kind = 'provider_fee'", "a case about a payment that the provider named"),
    // Administrators, housekeeping and comparisons ask everybody.
    ("orders", Scattered, " from orders where 1 = 1", "an administrator's list"),
    ("chargebacks", Scattered, " from chargebacks where 1 = 1", "an administrator's list"),
    ("debts", Scattered, " from debts where 1 = 1", "an administrator's list"),
    ("events", Scattered, "select at from events order by id desc limit 1", "`guildhall doctor` asks how old the newest is"),
    ("timers", Scattered, " from timers where kind || '' in ", "what is due is looked for everywhere"),
    ("timers", Scattered, " where leased_by = $1", "what a node held is looked for everywhere"),
    ("idempotency_keys", Scattered, "delete from idempotency_keys where (user_id, key) in ", "once an hour"),
    ("known_addresses", Scattered, "delete from known_addresses where (user_id, address_hash) in ", "once an hour"),
    ("ledger_journals", Scattered, " from ledger_journals j where j.id >= $1 ", "a comparison looks at a day of everybody"),
    ("payments", Scattered, " and provider <> $1)", "once, when a process starts"),
    ("refunds", Scattered, " and provider <> $1)", "once, when a process starts"),
    ("payments", Scattered, " where provider = 'sandbox' ", "once, when a process starts"),
    ("payments", Scattered, " where p.provider <> $1 and p.status = 'success' group by", "a comparison"),
    ("payout_items", Scattered, " where o.provider <> $1 group by", "a comparison"),
    // `verify` compares across homes, so these checks of it cannot run on Citus: deploy/citus/README.md says what to do.
    ("debts", Apart, " from offsets o join debts d ", "`verify`: an offset pays the debt of another order"),
    ("releases", Apart, " from offsets o join debts d ", "`verify`: the release it was taken from must be of the same order"),
    ("offsets", Apart, " from offsets o where o.debt_id = d.id", "`verify`: an offset pays the debt of another order"),
    ("releases", Apart, " from payout_items i join releases r ", "`verify`: both must be of the same order"),
    ("dispute_offers", Apart, " left join dispute_offers o ", "`verify`: a dispute's offers are at home with it, it with its order"),
    ("disputes", Apart, " from dispute_offers o join disputes d ", "`verify`: a dispute's offers are at home with it, it with its order"),
    ("disputes", Apart, " from timers t where t.kind = 'dispute_deadline' ", "`verify`: a timer is at home with what it is about"),
    ("timers", Apart, " from timers t where t.kind = 'dispute_deadline' ", "`verify`: a timer is at home with what it is about"),
    ("timers", Apart, " from timers t where t.kind = 'payment_ask' ", "`verify`: a timer is at home with what it is about"),
    ("timers", Apart, " from timers t where t.kind = 'refund_send' ", "`verify`: a timer is at home with what it is about"),
    ("timers", Apart, " from timers t where t.kind = 'transfer_send' ", "`verify`: a timer is at home with what it is about"),
    ("timers", PerCopy, " from timers t where t.kind = 'payout_schedule' ", "`verify`: settings are everywhere, timers are not"),
    ("events", Apart, " from notifications n left join events e ", "`verify`: an inbox is its owner's"),
    ("notifications", Apart, " from events e left join notifications n ", "`verify`: an inbox is its owner's"),
    ("orders", Apart, " from reviews r join orders o ", "`verify`: a review is its listing's"),
    ("orders", Apart, " from users u left join freelancer_stats f ", "`verify`: counts come from orders and reviews"),
    ("reviews", Apart, " from users u left join freelancer_stats f ", "`verify`: counts come from orders and reviews"),
    ("freelancer_stats", PerCopy, " from users u left join freelancer_stats f ", "`verify`: counts come from orders and reviews"),
    ("reviews", Apart, " from rating_tallies t", "`verify`: a tally is a listing's or a freelancer's"),
    ("rating_tallies", Apart, " from rating_tallies t where t.subject_id = r.freelancer_id ", "`verify`: a tally is a listing's or a freelancer's"),
    ("reviews", PerCopy, " from services s", "`verify`: listings are everywhere, reviews are not"),
    ("payout_items", PerCopy, " from payouts p left join payout_items i ", "`verify`: payouts are everywhere, their parts are not"),
    ("payout_items", PerCopy, " from cases c left join payout_items i ", "`verify`: cases are everywhere"),
    ("ledger_journals", Apart, " from cases c left join payout_items i ", "`verify`: the provider names the part"),
    ("refunds", PerCopy, " from cases c left join refunds r ", "`verify`: cases are everywhere"),
    ("ledger_journals", Apart, " from cases c left join refunds r ", "`verify`: the provider names the refund"),
    ("ledger_journals", PerCopy, " from cases c left join ledger_journals j ", "`verify`: cases are everywhere"),
    ("payments", PerCopy, " from cases c where c.resolution = 'booked' ", "`verify`: cases are everywhere"),
];

/// What was found to break a rule.
#[derive(Default)]
pub struct Found {
    wrong: BTreeSet<String>,
    seen: BTreeSet<usize>,
}

impl Found {
    pub fn note(&mut self, table: &str, flaw: Flaw, sql: &str, of: &str) {
        let fits = |(about, known, part, _): &(&str, Flaw, &str, &str)| {
            *about == table && *known == flaw && sql.contains(part)
        };
        match EXCEPTIONS.iter().position(fits) {
            Some(exception) => drop(self.seen.insert(exception)),
            None => drop(self.wrong.insert(format!("{flaw:?}, {table}: {of}: {sql}"))),
        }
    }

    pub fn misread(&mut self, sql: &str, why: &str) {
        self.wrong.insert(format!("not understood, {why}: {sql}"));
    }

    /// Fails with what breaks a rule, and with exceptions that nothing needs any more.
    pub fn report(mut self) {
        for (nth, (table, flaw, part, _)) in EXCEPTIONS.iter().enumerate() {
            if !self.seen.contains(&nth) {
                self.wrong.insert(format!(
                    "take {flaw:?} of {table}, {part:?}, out of the exceptions: nothing needs it"
                ));
            }
        }
        let wrong: Vec<String> = self.wrong.into_iter().collect();
        assert!(wrong.is_empty(), "statements that many servers cannot answer well:\n{}", wrong.join("\n"));
    }
}
