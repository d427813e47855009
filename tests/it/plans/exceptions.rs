//! The rules that a plan keeps, and what may break them.

use std::collections::BTreeSet;

use super::plan::{Plan, Planner, Walk};
use super::statement::{brief, is_page};

/// Tables that do not grow with the trade.
const SMALL: &[(&str, &str)] = &[
    ("fee_rules", "an administrator writes each"),
    ("nodes", "a row for each process that lives"),
    ("reconciliations", "one a day"),
    ("sandbox_", "of a provider that is played: no marketplace runs on it"),
    ("settings", "a handful of facts"),
];

/// How a statement may break a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    /// Rows are sorted that an index could have in order.
    Sorts,
    /// The whole of a table that grows is read.
    ReadsAll,
    /// A later page does not begin at its cursor.
    StartsAnew,
}

use Flaw::{ReadsAll, Sorts, StartsAnew};

#[derive(PartialEq)]
enum On {
    Both,
    Embedded,
    Server,
}

/// What may break a rule: where, how, what the statement contains, and why. It may only shrink.
#[rustfmt::skip]
const EXCEPTIONS: &[(On, Flaw, &str, &str)] = &[
    (On::Embedded, Sorts, "service_search match", "in another order than by age what holds the words is sorted"),
    (On::Embedded, StartsAnew, "service_search match", "and sorted again for each page"),
    (On::Server, Sorts, " @@ ", "how many hold the words the planner knows better than an order would"),
    (On::Both, Sorts, " s.freelancer_id = ", "what one freelancer offers is little"),
    (On::Both, StartsAnew, " s.freelancer_id = ", "what one freelancer offers is little"),
    (On::Embedded, Sorts, ") as freelancer_id order by id desc limit", "two pages at most, a walk for each side"),
    (On::Embedded, Sorts, ") as old order by id desc limit", "two pages at most, a walk for read and one for unread"),
    (On::Embedded, Sorts, "email_folded >= ", "an administrator looks for a name: what begins so is little"),
    (On::Both, ReadsAll, "from sessions where expires_at <= ", "once an hour; an index would be written by every login"),
    (On::Both, ReadsAll, "from access_tokens where expires_at <= ", "once an hour; an index would be written by every login"),
    (On::Both, ReadsAll, "from refresh_tokens where expires_at <= ", "once an hour; an index would be written by every login"),
    (On::Both, ReadsAll, "from login_throttles where forget_at <= ", "once an hour; an index would be written by every guess"),
    (On::Both, ReadsAll, "from known_addresses where seen_at <= ", "once an hour; an index would be written by every login"),
    (On::Both, ReadsAll, "from cases where kind || '' in (…) order by id", "a comparison wants every difference there ever was"),
    (On::Embedded, ReadsAll, "provider <> $1", "once, when a process starts"),
];

/// Indexes that no statement walks, and what they are for.
#[rustfmt::skip]
const UNUSED_INDEXES: &[(On, &str, &str)] = &[
    (On::Both, "access_tokens_session_id", "a session that goes takes them along by their key"),
    (On::Both, "refresh_tokens_session_id", "a session that goes takes them along by their key"),
    (On::Both, "notifications_event_id_user_id", "an event tells a person once"),
    (On::Server, "cases_subject", "out of nothing, one of the open ones or of a kind costs as little"),
    (On::Both, "offsets_debt", "`verify` sums them by it"),
    (On::Both, "offsets_release", "`verify` sums them by it"),
    (On::Both, "payout_items_live", "what was earned is in one payout at a time"),
    (On::Both, "refunds_payment", "programs from before 0020 find by it, as long as they are being replaced"),
    (On::Both, "refunds_replaces", "a refund is replaced once"),
];

/// What was found to break a rule.
pub struct Found<'p> {
    pub planner: &'p Planner,
    wrong: Vec<String>,
    seen: BTreeSet<usize>,
}

impl<'p> Found<'p> {
    pub fn new(planner: &'p Planner) -> Self {
        Self { planner, wrong: Vec::new(), seen: BTreeSet::new() }
    }

    pub fn look(&mut self, who: &str, sql: &str, plan: &Plan) {
        let is_page = is_page(sql);
        // Whoever wants all of them may sort them.
        if plan.sorts && is_page {
            self.note(Sorts, who, sql, plan);
        }
        // A page that is found in the order of an index ends where it is full.
        let reads_all = |walk: &Walk| {
            let grows = !SMALL.iter().any(|(table, _)| walk.table.starts_with(table));
            grows && walk.bounds.is_none() && !(is_page && walk.index.is_some())
        };
        if plan.walks.iter().any(reads_all) {
            self.note(ReadsAll, who, sql, plan);
        }
    }

    pub fn look_at_later(&mut self, who: &str, sql: &str, plan: &Plan) {
        if !plan.walks.iter().any(Walk::is_cut) {
            self.note(StartsAnew, who, sql, plan);
        }
    }

    fn note(&mut self, flaw: Flaw, who: &str, sql: &str, plan: &Plan) {
        let sql = brief(sql);
        let fits = |(on, known, part, _): &(On, Flaw, &str, &str)| {
            self.is_here(on) && *known == flaw && sql.contains(part)
        };
        match EXCEPTIONS.iter().position(fits) {
            Some(exception) => drop(self.seen.insert(exception)),
            None => self.wrong.push(format!("{flaw:?}, {who}: {sql}\n{}", plan.text)),
        }
    }

    fn is_here(&self, on: &On) -> bool {
        *on == On::Both || (*on == On::Embedded) == self.planner.is_embedded()
    }

    /// Takes note of the indexes that no statement walks.
    pub fn look_at_unused(&mut self, mut unused: BTreeSet<String>) {
        for (on, index, reason) in UNUSED_INDEXES {
            if self.is_here(on) && !unused.remove(*index) {
                self.wrong.push(format!("{index} is walked: it is more than {reason:?}\n"));
            }
        }
        self.wrong.extend(unused.iter().map(|index| format!("{index} serves no statement\n")));
    }

    /// Fails with what breaks a rule, and with exceptions that nothing needs any more.
    pub fn report(mut self) {
        for (nth, (on, flaw, part, _)) in EXCEPTIONS.iter().enumerate() {
            if self.is_here(on) && !self.seen.contains(&nth) {
                self.wrong
                    .push(format!("take {flaw:?} of {part:?} out of the exceptions: nothing needs it\n"));
            }
        }
        assert!(self.wrong.is_empty(), "is an index lost?\n{}", self.wrong.join("\n"));
    }
}
