//! Where each table's rows are at home when the database is spread over many servers (deploy/citus,
//! docs/decisions/0015-homes.md).

/// Tables of a group are spread by equal ids: what has the same home is on the same server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// By an order's id; events and timers by whatever they are about.
    Order,
    /// By a dispute's.
    Dispute,
    /// By an account's.
    Account,
    /// By a listing's; tallies by whatever is rated.
    Rated,
    /// By the key of an operation at the payment provider.
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// Rows are spread by this column.
    By(Group, &'static str),
    /// Every server has all of it.
    Everywhere,
    /// The server that the program talks to has it alone.
    Coordinator,
}

use Group::{Account, Call, Dispute, Order, Rated};
use Home::{By, Coordinator, Everywhere};

pub const MAP: &[(&str, Home)] = &[
    ("orders", By(Order, "id")),
    ("payments", By(Order, "order_id")),
    ("refunds", By(Order, "order_id")),
    ("transactions", By(Order, "order_id")),
    ("ledger_journals", By(Order, "order_id")),
    ("ledger_lines", By(Order, "order_id")),
    ("releases", By(Order, "order_id")),
    ("debts", By(Order, "order_id")),
    ("offsets", By(Order, "order_id")),
    ("chargebacks", By(Order, "order_id")),
    ("payout_items", By(Order, "order_id")),
    ("disputes", By(Order, "order_id")),
    ("events", By(Order, "subject_id")),
    ("timers", By(Order, "subject_id")),
    ("dispute_offers", By(Dispute, "dispute_id")),
    ("dispute_messages", By(Dispute, "dispute_id")),
    ("notifications", By(Account, "user_id")),
    ("idempotency_keys", By(Account, "user_id")),
    ("known_addresses", By(Account, "user_id")),
    ("freelancer_stats", By(Account, "user_id")),
    ("reviews", By(Rated, "service_id")),
    ("rating_tallies", By(Rated, "subject_id")),
    ("provider_calls", By(Call, "key")),
    // Joined from everywhere, or of few rows that are seldom changed: a change of one reaches every server.
    ("users", Everywhere),
    ("profiles", Everywhere),
    ("services", Everywhere),
    ("service_tags", Everywhere),
    ("service_search", Everywhere),
    ("fee_rules", Everywhere),
    ("payouts", Everywhere),
    ("payout_accounts", Everywhere),
    ("payout_settings", Everywhere),
    ("cases", Everywhere),
    // A token is looked up by its hash, before anybody knows whose it is, and ends with its session at once.
    ("sessions", Coordinator),
    ("access_tokens", Coordinator),
    ("refresh_tokens", Coordinator),
    // Written seldom, or of this installation and not of the marketplace.
    ("login_throttles", Coordinator),
    ("webhook_inbox", Coordinator),
    ("reconciliations", Coordinator),
    ("commits", Coordinator),
    ("nodes", Coordinator),
    ("schema_migrations", Coordinator),
    ("settings", Coordinator),
    ("sandbox_accounts", Coordinator),
    ("sandbox_chargebacks", Coordinator),
    ("sandbox_charges", Coordinator),
    ("sandbox_events", Coordinator),
    ("sandbox_knobs", Coordinator),
    ("sandbox_refunds", Coordinator),
    ("sandbox_transfers", Coordinator),
];

pub fn home(table: &str) -> Home {
    let found = MAP.iter().find(|(name, _)| *name == table);
    found.unwrap_or_else(|| panic!("{table} has no home: add it to tests/it/shards/map.rs")).1
}
