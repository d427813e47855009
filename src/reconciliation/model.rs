//! What is compared, what is found, and what is proposed.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::form;
use crate::form::Reason;
use crate::id::Id;
use crate::ledger::Account;
use crate::money::{Currency, Money};
use crate::payments::cases::Kind;
use crate::providers::{Record, Recorded};
use crate::time::Time;

/// Every kind of case that a reconciliation opens.
pub const KINDS: &[Kind] = &[
    Kind::MissingLocalCharge,
    Kind::MissingProviderCharge,
    Kind::AmountDiffers,
    Kind::CurrencyDiffers,
    Kind::DuplicateCharge,
    Kind::RefundOnlyAtProvider,
    Kind::RefundOnlyLocal,
    Kind::TransferOnlyAtProvider,
    Kind::TransferOnlyLocal,
    Kind::TransferReversedOutside,
    Kind::ChargebackUnseen,
    Kind::ChargebackOnlyLocal,
    Kind::FeeDrift,
    Kind::PayoutFailed,
    Kind::BalanceDiffers,
    Kind::HouseMovement,
];

/// From a moment on, and before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: Time,
    pub to: Time,
}

impl Window {
    pub fn contains(&self, at: Time) -> bool {
        self.from <= at && at < self.to
    }
}

/// How something of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The ledger says that the provider did it.
    Booked,
    /// It was asked for; nobody knows yet.
    UnderWay,
    /// It failed, as far as we know.
    Off,
}

/// One thing that we asked the provider for, or that it told us.
#[derive(Debug, Clone)]
pub struct Entry {
    pub what: Recorded,
    /// The payment, refund, payout item or chargeback.
    pub id: Id<()>,
    /// The provider's id of it.
    pub reference: Option<String>,
    /// The provider's id of the charge or transfer that it belongs to.
    pub of: Option<String>,
    pub amount: Money,
    /// What was booked as the provider's own fee, in minor units.
    pub fee_minor: i64,
    pub standing: Standing,
    /// When it was first asked for: the provider cannot have it earlier.
    pub since: Time,
    /// When it was booked; for the rest, when it was asked for.
    pub at: Time,
}

/// What our books say of one order.
#[derive(Debug, Clone)]
pub struct OrderBooks {
    pub id: Id<()>,
    pub freelancer_id: Id<()>,
    /// What of its payment has gone back in no way.
    pub left: Money,
    pub entries: Vec<Entry>,
}

/// Our side.
#[derive(Debug, Clone)]
pub struct Ours {
    pub orders: Vec<OrderBooks>,
    /// The time whose totals are wanted.
    pub window: Window,
    /// The time that the provider was asked about.
    pub asked: Window,
    /// What is younger may still be on its way.
    pub settled_before: Time,
}

/// A journal that would mend a difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub order_id: Id<()>,
    pub currency: Currency,
    pub lines: Vec<(Account, i64)>,
}

impl Proposal {
    /// Money of one order from one account to another.
    pub fn of(order_id: Id<()>, from: Account, to: Account, amount: Money) -> Self {
        let minor = amount.minor();
        Self { order_id, currency: amount.currency(), lines: vec![(from, -minor), (to, minor)] }
    }

    pub fn to_json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|(account, minor)| json!({ "account": account.to_string(), "amount_minor": minor }))
            .collect();
        json!({ "order_id": self.order_id, "currency": self.currency, "lines": lines })
    }

    pub fn from_json(value: &Value) -> Option<Self> {
        let line = |line: &Value| {
            Some((Account::parse(line.get("account")?.as_str()?)?, line.get("amount_minor")?.as_i64()?))
        };
        Some(Self {
            order_id: Id::from_wire(value.get("order_id")?.as_str()?),
            currency: Currency::parse(value.get("currency")?.as_str()?)?,
            lines: value.get("lines")?.as_array()?.iter().map(line).collect::<Option<_>>()?,
        })
    }
}

/// Something that the two sides do not agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub kind: Kind,
    /// The same for the same difference, whenever it is found.
    pub subject: Id<()>,
    pub order_id: Option<Id<()>>,
    pub at: Time,
    /// What is different, in words.
    pub says: String,
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
    /// How much more the provider holds because of it than our books say.
    pub effect: Vec<Money>,
    pub proposed: Option<Proposal>,
    /// What to do about it.
    pub advice: String,
    /// Only a sum of others: nobody needs to decide it.
    pub is_summary: bool,
}

impl Difference {
    /// What its case holds.
    pub fn detail(&self) -> Value {
        let effect: Vec<Value> = self
            .effect
            .iter()
            .map(|sum| json!({ "currency": sum.currency(), "amount_minor": sum.minor() }))
            .collect();
        let mut detail = json!({
            "says": self.says, "at": self.at, "ours": self.ours, "theirs": self.theirs, "effect": effect,
            "advice": self.advice
        });
        if let Some(proposed) = &self.proposed {
            detail["proposed"] = proposed.to_json();
        }
        detail
    }
}

/// What an earlier run has found.
#[derive(Debug, Clone)]
pub struct Known {
    pub kind: Kind,
    pub subject: Id<()>,
    pub decided: Option<Decided>,
    pub at: Time,
    pub effect: Vec<Money>,
}

/// How a case was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// The ledger says now what the provider says.
    Booked,
    /// An administrator said why it may stand.
    Accepted,
    /// It was mended at the provider or here, and nobody had to decide it.
    Gone,
}

impl Known {
    /// The effect that a case's detail tells.
    pub fn effect_of(detail: &Value) -> Vec<Money> {
        let sums = detail.get("effect").and_then(Value::as_array);
        let sum = |sum: &Value| {
            let currency = Currency::parse(sum.get("currency")?.as_str()?)?;
            Some(Money::new(sum.get("amount_minor")?.as_i64()?, currency))
        };
        sums.map(|sums| sums.iter().filter_map(sum).collect()).unwrap_or_default()
    }
}

/// An id that is made of text: the same text, the same id.
pub fn subject_of(text: &str) -> Id<()> {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    Id::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What the case of a record is known by that only the provider has: one dispute takes money and gives it back; one payout of
/// the house leaves and can come back.
pub fn subject_of_record(reference: &str, what: Recorded) -> Id<()> {
    subject_of(&format!("{reference}|{}", word(what)))
}

/// The id of ours that a key of ours names.
pub fn named_in(key: &str) -> Option<Id<()>> {
    (0..key.len().saturating_sub(35))
        .filter_map(|start| key.get(start..start + 36))
        .find_map(|text| uuid::Uuid::try_parse(text).ok())
        .map(Id::from_uuid)
}

/// What it is called.
pub fn word(what: Recorded) -> &'static str {
    match what {
        Recorded::Charge => "charge",
        Recorded::Refund => "refund",
        Recorded::Transfer => "transfer",
        Recorded::Reversal => "reversal of a transfer",
        Recorded::Chargeback => "chargeback",
        Recorded::Reinstatement => "reinstatement of a chargeback",
        Recorded::FailedPayout => "failed payout",
        Recorded::PutIn => "payment in",
        Recorded::TakenOut => "payment out",
    }
}

/// By how much what the provider holds for us grows with it.
pub fn moves(what: Recorded, amount: Money, fee_minor: i64) -> Money {
    let minor = match what {
        Recorded::Charge | Recorded::Reversal | Recorded::Reinstatement | Recorded::PutIn => amount.minor(),
        Recorded::Refund | Recorded::Transfer | Recorded::Chargeback | Recorded::TakenOut => -amount.minor(),
        Recorded::FailedPayout => 0,
    };
    amount.with_minor(minor.saturating_sub(fee_minor))
}

/// The other sign.
pub fn against(amount: Money) -> Money {
    amount.with_minor(-amount.minor())
}

/// The provider's side of a difference.
pub fn told(record: &Record) -> Value {
    json!({
        "what": word(record.what), "reference": record.reference, "of": record.of, "key": record.key,
        "amount": record.amount, "currency": record.amount.currency(), "fee": record.fee, "at": record.at
    })
}

/// Our side of a difference.
pub fn booked(entry: &Entry) -> Value {
    let standing = match entry.standing {
        Standing::Booked => "booked",
        Standing::UnderWay => "under way",
        Standing::Off => "failed",
    };
    json!({
        "what": word(entry.what), "id": entry.id, "reference": entry.reference, "amount": entry.amount,
        "currency": entry.amount.currency(), "fee": entry.amount.with_minor(entry.fee_minor), "stands": standing,
        "at": entry.at
    })
}

/// What one side has of a day, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub charged: i64,
    pub refunded: i64,
    pub transferred: i64,
    pub charged_back: i64,
    pub fees: i64,
}

impl Sums {
    pub fn add(&mut self, what: Recorded, amount: Money, fee_minor: i64) {
        let (sum, minor) = match what {
            Recorded::Charge => (&mut self.charged, amount.minor()),
            Recorded::Refund => (&mut self.refunded, amount.minor()),
            Recorded::Transfer => (&mut self.transferred, amount.minor()),
            Recorded::Reversal => (&mut self.transferred, -amount.minor()),
            Recorded::Chargeback => (&mut self.charged_back, amount.minor()),
            Recorded::Reinstatement => (&mut self.charged_back, -amount.minor()),
            Recorded::FailedPayout | Recorded::PutIn | Recorded::TakenOut => return,
        };
        *sum = sum.saturating_add(minor);
        self.fees = self.fees.saturating_add(fee_minor);
    }
}

/// Both sides of every day, by date and currency code.
pub type Days = HashMap<(String, Currency), (Sums, Sums)>;

/// The date of a moment, in UTC.
pub fn date(at: Time) -> String {
    at.to_string().chars().take(10).collect()
}

/// A difference that nobody has decided yet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OpenDifference {
    /// The case; POST /admin/reconciliation/{id}/approve decides it.
    pub id: Id<Self>,
    /// What is different, for instance `refund_only_at_provider`.
    pub kind: String,
    pub order_id: Option<Id<()>>,
    /// Both sides, what it changes, the proposed journal where there is one, and what to do.
    pub detail: Value,
    pub opened_at: Time,
}

/// One run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run {
    pub id: Id<Self>,
    /// It compared what happened from this moment on
    pub from: Time,
    /// and before this one.
    pub to: Time,
    pub started_at: Time,
    /// Null while it runs, and for one that was cut off.
    pub finished_at: Option<Time>,
    /// How many differences it found, those included that earlier runs had found.
    pub differences: i64,
    /// Totals per day and currency on both sides, the balance, and every difference by name.
    pub report: Option<Value>,
}

/// How the books stand with the provider's.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Overview {
    /// What nobody has decided yet, oldest first; at most 100.
    pub open: Vec<OpenDifference>,
    /// The last 20 runs, newest first.
    pub runs: Vec<Run>,
}

/// How a difference was decided.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Decision {
    pub id: Id<OpenDifference>,
    /// `booked` when the proposed journal was posted, `accepted` when there was none.
    pub resolution: String,
    pub reason: String,
    pub resolved_at: Time,
}

form! {
    /// Approves what is proposed for a difference, or accepts one for which nothing can be booked.
    pub struct Approve {
        /// Why, for whoever reads the books later.
        reason: Reason,
    }
    server_sets { resolution: "by what is proposed", proposed: "by the reconciliation" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_what_it_is_for() {
        let id = Id::from_uuid(uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001));
        for key in [format!("payment-{id}"), format!("house-refund-{id}-2"), id.to_string()] {
            assert_eq!(named_in(&key), Some(id), "{key}");
        }
        for key in ["", "payment-1", "ré-01990000-0000-7000-8000-00000000000"] {
            assert_eq!(named_in(key), None, "{key}");
        }
    }

    #[test]
    fn the_same_text_is_the_same_subject() {
        assert_eq!(subject_of("ch_1"), subject_of("ch_1"));
        assert_ne!(subject_of("ch_1"), subject_of("ch_2"));
    }

    #[test]
    fn a_proposal_is_read_as_it_is_written() {
        let order = Id::from_uuid(uuid::Uuid::from_u128(7));
        let amount = Money::new(4_990, Currency::parse("USD").expect("a listed currency"));
        let proposal = Proposal::of(order, Account::Escrow(order), Account::Provider, amount);
        assert_eq!(Proposal::from_json(&proposal.to_json()), Some(proposal));
        assert_eq!(Proposal::from_json(&json!({ "lines": [] })), None);
    }
}
