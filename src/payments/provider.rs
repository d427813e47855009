//! What a payment provider is to us: a peer outside, asked with no transaction open, whose answer may never arrive.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::error::Error;
use crate::id::Id;
use crate::money::Money;

/// An answer on its way.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send + 'a>>;

/// Charges and refunds. Whatever carries the same key is the same thing: asked again, the provider does nothing anew and
/// says how it stands.
pub trait Provider: Send + Sync {
    /// Its name in payments.
    fn name(&self) -> &'static str;

    /// The payment methods that it takes.
    fn methods(&self) -> &[&'static str];

    fn knows(&self, method: &str) -> bool {
        self.methods().contains(&method)
    }

    /// Takes money from a buyer.
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome>;

    /// Goes on with a charge that required the buyer's action, now that he has acted.
    fn confirm<'a>(&'a self, key: &'a str) -> Answering<'a, Outcome>;

    /// Gives money of a charge back.
    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome>;
}

/// A charge as it is asked for: every time with the same key and the same words.
#[derive(Debug, Clone)]
pub struct Charge {
    pub key: String,
    pub amount: Money,
    pub payment_method: String,
    pub order_id: Id<()>,
}

/// A refund as it is asked for.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    pub key: String,
    /// The provider's id of the charge.
    pub charge: String,
    pub amount: Money,
}

/// How a charge stands. `reference` is the provider's id of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Succeeded {
        reference: String,
    },
    Declined {
        reference: String,
        code: String,
        message: String,
    },
    /// The buyer has to do something first.
    RequiresAction {
        reference: String,
    },
    /// Not decided yet: ask again after a while.
    Pending {
        reference: String,
        ask_after: Duration,
    },
}

/// How a refund stands.
#[derive(Debug, Clone, PartialEq)]
pub enum RefundOutcome {
    Succeeded { reference: String },
    Failed { code: String, message: String },
}

/// No answer, or none that can be understood: it may or may not have happened.
#[derive(Debug, Clone)]
pub struct Unknown(pub String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the outcome at the payment provider is unknown: {}", self.0)
    }
}

impl std::error::Error for Unknown {}

impl From<Unknown> for Error {
    fn from(unknown: Unknown) -> Self {
        Self::Internal(Box::new(unknown))
    }
}

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer, or that it did not come in time.
pub(super) async fn patiently<T>(answering: Answering<'_, T>) -> Result<T, Unknown> {
    let late = || Unknown(format!("no answer within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, answering).await.unwrap_or_else(|_| Err(late()))
}
