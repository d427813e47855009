//! Every table that moves, in an order that foreign keys allow, and what kind each column is. What stays is named with its
//! reason; a test holds both lists against the schema of each engine.

use crate::db::Row;
use crate::error::Result;

use super::cell::{Cell, Kind};

/// A table of the marketplace.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// So many columns at the front are the primary key.
    pub key: usize,
    /// Generated columns are not among them: each engine makes its own.
    pub columns: &'static [(&'static str, Kind)],
}

macro_rules! tables {
    ($($name:ident by $key:literal { $($column:ident $kind:ident),* $(,)? })*) => {
        /// What moves, each table after those that it refers to.
        pub const TABLES: &[Table] = &[$(Table {
            name: stringify!($name),
            key: $key,
            columns: &[$((stringify!($column), Kind::$kind)),*],
        }),*];
    };
}

tables! {
    events by 1 { id Id, at Time, actor_id Id, kind Text, subject_id Id, body Json }
    timers by 2 { kind Text, subject_id Id, due_at Time, attempts Integer }
    idempotency_keys by 2 {
        user_id Id, key Text, fingerprint Bytes, status Integer, headers Json, body Bytes, effect_id Id, claimed_at Time,
    }
    settings by 1 { name Text, value Text }
    users by 1 {
        id Id, username Text, username_folded Text, email Text, email_folded Text, email_verified Boolean,
        password_hash Text, role Text, status Text, version Integer, created_at Time, updated_at Time,
    }
    sessions by 1 { id Id, user_id Id, created_at Time, expires_at Time }
    access_tokens by 1 { hash Bytes, session_id Id, user_id Id, expires_at Time }
    refresh_tokens by 1 { hash Bytes, session_id Id, user_id Id, expires_at Time, used_at Time, successor_hash Bytes }
    login_throttles by 1 {
        key Bytes, failures Integer, in_a_row Integer, window_start Time, blocked_until Time, forget_at Time,
    }
    known_addresses by 2 { user_id Id, address_hash Bytes, seen_at Time }
    profiles by 1 {
        user_id Id, first_name Text, last_name Text, bio Text, skills Json, experience Text, portfolio Json,
        version Integer, created_at Time, updated_at Time,
    }
    freelancer_stats by 1 { user_id Id, rating_sum Integer, rating_count Integer, completed_orders Integer }
    services by 1 {
        id Id, freelancer_id Id, title Text, description Text, category Text, category_folded Text, price_minor Integer,
        currency Text, delivery_days Integer, tags Json, status Text, seller_suspended Boolean, archived_at Time,
        listed Boolean, rating_sum Integer, rating_count Integer, rating_centi Integer, version Integer,
        created_at Time, updated_at Time,
    }
    service_tags by 2 { tag_folded Text, service_id Id }
    fee_rules by 1 {
        id Id, position Integer, scope Text, category Text, category_folded Text, freelancer_id Id, rate_bp Integer,
        fixed Json, active Boolean, version Integer, created_by Id, created_at Time, updated_at Time,
    }
    orders by 1 {
        id Id, buyer_id Id, freelancer_id Id, service_id Id, service_version Integer, title Text, amount_minor Integer,
        currency Text, fee_rate_bp Integer, fee_minor Integer, fee_fixed_minor Integer, fee_rule_id Id, fee_basis Text,
        fee_category Text, service_fee_rate_bp Integer, service_fee_minor Integer, delivery_days Integer,
        requirements Text, status Text, pay_by Time, due_at Time, auto_complete_at Time, version Integer,
        created_at Time, updated_at Time, given_back_minor Integer,
    }
    disputes by 1 {
        id Id, order_id Id, opened_by Id, reason Text, wanted_minor Integer, status Text, answered_at Time,
        reminded_at Time, decide_by Time, refund_minor Integer, decided_by Id, decision Text, closed_at Time,
        version Integer, opened_at Time,
    }
    dispute_offers by 2 {
        dispute_id Id, side Text, refund_minor Integer, message Text, accepted_at Time, offered_at Time,
    }
    dispute_messages by 1 { id Id, dispute_id Id, author_id Id, message Text, created_at Time }
    payments by 1 {
        id Id, order_id Id, buyer_id Id, freelancer_id Id, amount_minor Integer, currency Text, status Text,
        payment_method Text, provider Text, provider_key Text, transaction_id Text, failure Text, confirmed Boolean,
        refunded_minor Integer, charged_back_minor Integer, version Integer, created_at Time, updated_at Time,
        late_capture Boolean,
    }
    refunds by 1 {
        id Id, payment_id Id, order_id Id, amount_minor Integer, currency Text, status Text, reason Text,
        provider_key Text, requested_by Id, transaction_id Text, escrow_minor Integer, fees_minor Integer,
        payable_minor Integer, owed_minor Integer, created_at Time, updated_at Time, replaces_id Id,
    }
    transactions by 1 {
        id Id, user_id Id, type Text, status Text, amount_minor Integer, currency Text, order_id Id, payment_id Id,
        cause_id Id, transaction_id Text, created_at Time,
    }
    ledger_journals by 1 { id Id, at Time, order_id Id, kind Text, cause_id Id }
    ledger_lines by 2 { journal_id Id, line Integer, account Text, amount_minor Integer, currency Text, order_id Id }
    sandbox_charges by 1 {
        id Text, key Text, amount_minor Integer, currency Text, method Text, status Text, failure Text, settles_at Time,
        created_at Time,
    }
    sandbox_refunds by 1 {
        id Text, key Text, charge_id Text, amount_minor Integer, created_at Time, status Text, settles_at Time,
    }
    sandbox_accounts by 1 { id Text, key Text, created_at Time }
    sandbox_transfers by 1 {
        id Text, key Text, account_id Text, charge_id Text, amount_minor Integer, currency Text, created_at Time,
    }
    sandbox_events by 1 {
        id Id, said Text, object Text, reference Text, key Text, order_id Id, created_at Time, heard_at Time,
    }
    webhook_inbox by 2 {
        provider Text, event_id Text, id Id, kind Text, said Text, reference Text, key Text, account Text, order_id Id,
        live Boolean, happened_at Time, received_at Time, state Text, tries Integer, note Text, done_at Time,
    }
    sandbox_chargebacks by 1 {
        id Text, charge_id Text, amount_minor Integer, currency Text, status Text, opened_at Time, closed_at Time,
    }
    sandbox_knobs by 1 {
        one Integer, seed Integer, delay_ms Integer, drop_before Integer, drop_after Integer, error_after Integer,
        duplicate Integer, reorder Integer, late Integer, never Integer, forge Integer,
    }
    provider_calls by 1 {
        key Text, kind Text, subject_id Id, order_id Id, params_hash Bytes, begun_at Time, first_sent_at Time,
        last_sent_at Time, tries Integer, same_failures Integer, absent_since Time, last_answer Text, state Text,
    }
    releases by 1 {
        id Id, order_id Id, freelancer_id Id, currency Text, net_minor Integer, fee_minor Integer,
        service_fee_minor Integer, taken_minor Integer, available_at Time, payout_id Id, created_at Time,
    }
    debts by 1 {
        id Id, freelancer_id Id, order_id Id, cause_id Id, currency Text, amount_minor Integer, paid_minor Integer,
        created_at Time,
    }
    offsets by 1 {
        id Id, debt_id Id, release_id Id, order_id Id, freelancer_id Id, currency Text, amount_minor Integer,
        created_at Time,
    }
    chargebacks by 1 {
        id Id, payment_id Id, order_id Id, reference Text, amount_minor Integer, currency Text, status Text, reason Text,
        evidence_due Time, withdrawn Boolean, frozen_minor Integer, escrow_minor Integer, fees_minor Integer,
        payable_minor Integer, owed_minor Integer, created_at Time, updated_at Time,
    }
    payout_accounts by 2 {
        user_id Id, provider Text, reference Text, status Text, wanted Json, details Text, looked_at Time,
        version Integer, created_at Time, updated_at Time,
    }
    payout_settings by 1 { user_id Id, schedule Text, minimum_thousandths Integer, version Integer, chosen_at Time, updated_at Time }
    payouts by 1 {
        id Id, freelancer_id Id, provider Text, account Text, details Text, currency Text, amount_minor Integer,
        status Text, version Integer, created_at Time, updated_at Time,
    }
    payout_items by 1 {
        id Id, payout_id Id, release_id Id, order_id Id, amount_minor Integer, currency Text, status Text,
        provider_key Text, transaction_id Text, failure Text, failure_message Text, created_at Time,
        updated_at Time,
    }
    cases by 1 {
        id Id, kind Text, subject_id Id, order_id Id, detail Json, opened_at Time, resolved_at Time, resolution Text,
        reason Text, resolved_by Id,
    }
    reconciliations by 1 {
        id Id, window_from Time, window_to Time, started_at Time, finished_at Time, differences Integer, report Json,
    }
    notifications by 1 {
        id Id, user_id Id, type Text, message Text, data Json, sender_id Id, event_id Id, read Boolean, created_at Time,
    }
    reviews by 1 {
        id Id, service_id Id, order_id Id, reviewer_id Id, freelancer_id Id, rating Integer, comment Text,
        hidden_at Time, hidden_reason Text, created_at Time,
    }
    rating_tallies by 2 { subject_id Id, rating Integer, count Integer }
}

/// What stays behind, a table or one column of it, and why.
pub const STAYS: &[(&str, &str)] = &[
    ("schema_migrations", "the new house is migrated before anything moves in"),
    ("commits", "how a server's commit is looked up whose answer was lost: nobody asks any more"),
    ("nodes", "the processes of the old house"),
    ("timers.leased_by", "which process of the old house was at it: in the new one nobody is"),
    ("service_search", "the index of words, made anew from the listings"),
    (
        "services.search_key",
        "the embedded engine's number for a row of that index, given anew in the order of age",
    ),
];

impl Table {
    /// The names of its columns.
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Every row in the order of the primary key. Text in keys is ordered by its bytes, the schema of each engine says so.
    pub(super) fn select(&self) -> String {
        let key = self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        format!("select {} from {} order by {key}", self.names(), self.name)
    }

    /// Adds `rows` rows.
    pub(super) fn insert(&self, rows: usize) -> String {
        let width = self.columns.len();
        let tuple = |row: usize| {
            let numbers = (1..=width).map(|column| format!("${}", row * width + column));
            format!("({})", numbers.collect::<Vec<_>>().join(", "))
        };
        let tuples = (0..rows).map(tuple).collect::<Vec<_>>().join(", ");
        format!("insert into {} ({}) values {tuples}", self.name, self.names())
    }

    /// A row of [`Self::select`].
    pub(super) fn read(&self, row: &Row) -> Result<Vec<Cell>> {
        self.columns.iter().map(|(_, kind)| kind.read(row)).collect()
    }
}
