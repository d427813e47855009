//! What a payment provider is to us: a peer outside, asked with no transaction open, whose answer may never arrive. Knows
//! no service; moves money only when it is told to, with a key.

mod absent;
mod notice;
pub mod sandbox;
pub mod signature;
pub mod stripe;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::HeaderMap;

use crate::error::Error;
use crate::id::Id;
use crate::money::Money;
use crate::secret::Secret;
use crate::time::Time;

pub use absent::Absent;
pub use sandbox::Sandbox;
pub use signature::Forged;
pub use stripe::Stripe;

/// An answer on its way.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unanswered>> + Send + 'a>>;

/// Charges, refunds, and transfers to freelancers. Whatever carries the same key is the same thing: asked again, the
/// provider does nothing anew and says how it stands. What begins with `look` reads, and moves nothing.
pub trait Provider: Send + Sync {
    /// Its name in payments and in `/webhooks/{provider}`.
    fn name(&self) -> &'static str;

    /// How long after it was sent something without an answer may still arrive: before that it is not sent again.
    fn arrives_within(&self) -> Duration {
        PATIENCE
    }

    /// What to send as a payment method, for people: examples, or all that there are.
    fn methods(&self) -> &[&'static str];

    /// Whether it could be a payment method; what could not is refused before anything is recorded.
    fn knows(&self, method: &str) -> bool {
        self.methods().contains(&method)
    }

    /// Why it cannot take this amount, with the mend; asked before anything is recorded.
    fn refuses(&self, _amount: Money) -> Option<String> {
        None
    }

    /// Whether the money is real. A notice that says otherwise is not for us.
    fn is_live(&self) -> bool {
        false
    }

    /// Takes money from a buyer.
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome>;

    /// Goes on with a charge that required the buyer's action, now that he has acted.
    fn confirm<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome>;

    /// Gives up a charge that has not succeeded, so that it never will. One that has says so.
    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome>;

    /// How a charge stands; `None` when the provider has none with this key.
    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>>;

    /// Gives money of a charge back.
    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome>;

    /// How a refund stands; `None` when the provider has none with this key.
    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>>;

    /// Opens an account that freelancers are paid to, or goes on with one: where they enter what the provider must know.
    fn onboard<'a>(&'a self, onboarding: &'a Onboarding) -> Answering<'a, Onboarded>;

    /// How a freelancer's account stands. `reference` is the provider's id of it.
    fn look_at_account<'a>(&'a self, reference: &'a str) -> Answering<'a, AccountState>;

    /// Pays a freelancer what one order earned.
    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome>;

    /// How a transfer stands; `None` when the provider has none with this key.
    fn look_for_transfer<'a>(
        &'a self,
        transfer: &'a TransferRequest,
    ) -> Answering<'a, Option<TransferOutcome>>;

    /// How a chargeback stands; `None` when the provider has none with this id.
    fn look_at_chargeback<'a>(&'a self, reference: &'a str) -> Answering<'a, Option<ChargebackState>>;

    /// Reads what the provider has sent by itself, if it is signed: `raw` is the body to the byte. Fails where it cannot
    /// be known whether the signature is good.
    fn read_event<'a>(
        &'a self,
        headers: &'a HeaderMap,
        raw: &'a [u8],
        now: Time,
    ) -> Answering<'a, Result<Notice, Forged>>;

    /// What it has told, or would have told, since `from`: for what did not arrive. Nothing where it does not keep it. A page
    /// in no promised order; `rest` is where an earlier page said that it goes on.
    fn notices<'a>(&'a self, _from: Time, _rest: Option<&'a str>) -> Answering<'a, NoticePage> {
        Box::pin(async { Ok(NoticePage::default()) })
    }

    /// Everything that it did from `from` on and before `to`, for the reconciliation.
    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>>;

    /// What it holds for us, per currency: settled and on its way to us.
    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>>;
}

/// A charge as it is asked for: every time with the same key and the same words.
#[derive(Debug, Clone)]
pub struct Charge {
    pub key: String,
    pub payment_id: Id<()>,
    pub order_id: Id<()>,
    pub amount: Money,
    pub payment_method: String,
    /// The provider's id of it, once it is known.
    pub reference: Option<String>,
    /// Where a buyer comes back to after acting elsewhere.
    pub return_url: Option<String>,
    /// It was not sent before: who looks for it by listing need not look earlier.
    pub begun_at: Time,
}

/// A refund as it is asked for.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    pub key: String,
    pub refund_id: Id<()>,
    pub order_id: Id<()>,
    /// The provider's id of the charge.
    pub charge: String,
    pub amount: Money,
    pub begun_at: Time,
}

/// How a charge stands. `reference` is the provider's id of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Succeeded {
        reference: String,
        /// What was captured, as the provider has it.
        captured: Money,
        /// What the provider keeps, where it says so.
        fee: Option<Money>,
    },
    Declined {
        /// Empty where the provider refused before it made anything.
        reference: String,
        code: String,
        message: String,
    },
    /// The buyer has to do something first.
    RequiresAction {
        reference: String,
        /// What the buyer's client needs to go on, for the buyer alone: never stored or logged.
        client_secret: Option<Secret>,
        /// Where the buyer acts, if that is a page; for the buyer alone as well.
        url: Option<Secret>,
    },
    /// Not decided yet: ask again after a while.
    Pending { reference: String, ask_after: Duration },
    /// It says something that this version does not understand: the money is held and a person looks.
    Strange { reference: String, what: String },
}

/// How a refund stands.
#[derive(Debug, Clone, PartialEq)]
pub enum RefundOutcome {
    Succeeded {
        reference: String,
    },
    /// On its way; it may still fail.
    Pending {
        reference: String,
        ask_after: Duration,
    },
    Failed {
        reference: Option<String>,
        code: String,
        message: String,
    },
}

/// A freelancer who is to be paid.
#[derive(Debug, Clone)]
pub struct Onboarding {
    pub key: String,
    pub user_id: Id<()>,
    pub email: String,
    /// The account, if there is one already.
    pub reference: Option<String>,
    /// Where the freelancer comes back to.
    pub return_url: String,
    /// It was not asked for before.
    pub begun_at: Time,
}

/// An account, and where its freelancer goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Onboarded {
    pub account: AccountState,
    pub url: Option<String>,
}

/// How a freelancer's account stands.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountState {
    pub reference: String,
    /// Whether money can be transferred to it and paid out of it.
    pub enabled: bool,
    /// What the provider still wants to know, in its words.
    pub wanted: Vec<String>,
}

/// A transfer as it is asked for.
#[derive(Debug, Clone)]
pub struct TransferRequest {
    pub key: String,
    pub transfer_id: Id<()>,
    pub order_id: Id<()>,
    /// The freelancer's account.
    pub account: String,
    /// The provider's id of the charge that the money comes from.
    pub charge: String,
    pub amount: Money,
    pub begun_at: Time,
}

/// How a transfer stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferOutcome {
    Paid {
        reference: String,
    },
    /// On its way; it may still come back.
    Pending {
        reference: String,
        ask_after: Duration,
    },
    /// It came back, or was refused.
    Returned {
        reference: Option<String>,
        code: String,
        message: String,
    },
}

/// How a chargeback stands: a buyer's bank takes back what he paid.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargebackState {
    pub reference: String,
    /// The provider's id of the charge, as [`Outcome`] has it.
    pub charge: String,
    pub amount: Money,
    pub status: ChargebackStatus,
    /// In the provider's words.
    pub reason: String,
    /// Until when evidence is taken.
    pub evidence_due: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargebackStatus {
    /// The bank inquires, or has inquired; no money is taken.
    Warning,
    /// The money is taken, and the bank has not decided.
    Open,
    /// The money is back.
    Won,
    /// The money is gone.
    Lost,
    /// It says something that this version does not understand: a person looks.
    Strange(String),
}

/// What a provider tells by itself: that something has changed, never how it stands. Whoever reads it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the notice; told again, it is the same.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// What happened, in the provider's words: `charge.refunded`.
    pub said: String,
    /// The provider's id of that object, as the outcomes have it; empty where it has none.
    pub reference: String,
    /// Our key of it, where the provider tells it.
    pub key: Option<String>,
    /// The order that it names, where the provider tells one.
    pub order_id: Option<Id<()>>,
    /// The freelancer's account that it happened in; `None` for our own.
    pub account: Option<String>,
    /// Whether it is about real money.
    pub live: bool,
    /// When it happened.
    pub at: Time,
}

/// Some of what a provider has told.
#[derive(Debug, Clone, Default)]
pub struct NoticePage {
    pub notices: Vec<Notice>,
    /// Where the rest of it goes on; `None` when this was all.
    pub rest: Option<String>,
}

crate::words! {
    /// What a notice is about.
    pub enum NoticeKind {
        Charge = "charge",
        Refund = "refund",
        Transfer = "transfer",
        Account = "account",
        Chargeback = "chargeback",
        /// What left a freelancer's account for his bank.
        Payout = "payout",
        /// Nothing that concerns us.
        Other = "other",
    }
}

/// One thing that the provider did, as it tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub what: Recorded,
    /// The provider's id of it.
    pub reference: String,
    /// The provider's id of the charge or transfer that it belongs to; its own for a charge.
    pub of: String,
    /// Our key, where the provider was given it.
    pub key: Option<String>,
    pub amount: Money,
    /// What the provider kept of it, where it says so.
    pub fee: Option<Money>,
    pub at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recorded {
    Charge,
    Refund,
    Transfer,
    /// A transfer that was taken back.
    Reversal,
    /// Money that a bank withdrew for its customer.
    Chargeback,
    /// The same money, given back.
    Reinstatement,
    /// A freelancer's payout that did not arrive at the bank.
    FailedPayout,
    /// What came into the house's own account and belongs to no order; `of` is what the provider calls it.
    PutIn,
    /// What left it so: for the house's bank, or to the provider.
    TakenOut,
}

/// No answer that says what happened.
#[derive(Debug, Clone)]
pub enum Unanswered {
    /// It may or may not have happened: no answer, or none that can be understood.
    Unknown(String),
    /// This request did nothing: the provider takes no more for now. The same may be sent again; an earlier one with its
    /// key may still be under way.
    NotNow { why: String, retry_after: Option<Duration> },
    /// It did not happen: the provider does not accept our credentials or our settings.
    Misconfigured(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => write!(f, "the outcome at the payment provider is unknown: {why}"),
            Self::NotNow { why, .. } => write!(f, "the payment provider takes no more for now: {why}"),
            Self::Misconfigured(why) => write!(f, "the payment provider refuses our settings: {why}"),
        }
    }
}

impl std::error::Error for Unanswered {}

impl From<Unanswered> for Error {
    fn from(unanswered: Unanswered) -> Self {
        Self::Internal(Box::new(unanswered))
    }
}

/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The answer, or that it did not come in time.
pub async fn patiently<T>(answering: Answering<'_, T>) -> Result<T, Unanswered> {
    let late = || Unanswered::Unknown(format!("no answer within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, answering).await.unwrap_or_else(|_| Err(late()))
}

/// The sum per currency, none of them zero.
pub fn summed(amounts: impl IntoIterator<Item = Money>) -> Vec<Money> {
    let mut sums: Vec<Money> = Vec::new();
    for amount in amounts {
        match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
            Some(sum) => *sum = sum.with_minor(sum.minor().saturating_add(amount.minor())),
            None => sums.push(amount),
        }
    }
    sums.retain(|sum| sum.minor() != 0);
    sums.sort_by_key(|sum| sum.currency().code());
    sums
}

impl NoticeKind {
    /// By the word that Stripe and the sandbox have for the object.
    fn of_object(word: &str) -> Self {
        match word {
            "payment_intent" | "charge" => Self::Charge,
            "refund" => Self::Refund,
            "transfer" => Self::Transfer,
            "account" => Self::Account,
            "dispute" => Self::Chargeback,
            "payout" => Self::Payout,
            _ => Self::Other,
        }
    }
}
