//! What payments, refunds and movements of money are.

use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::{Actor, UserId};
use crate::form;
use crate::form::{Amount, IdRef, Reason, Text, TextLimits};
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::orders::{Order, OrderId};
use crate::secret::Secret;
use crate::time::Time;
use crate::words;

use crate::providers::{Charge, Outcome};

pub type PaymentId = Id<Payment>;
pub type RefundId = Id<Refund>;
pub type ChargebackId = Id<Chargeback>;

words! {
    /// Where a payment stands. From `pending`, its outcome is known or asked for; `success` and `failed` are final.
    pub enum Status {
        Pending = "pending",
        RequiresAction = "requires_action",
        Success = "success",
        Failed = "failed",
    }
}

/// One attempt to pay an order.
#[derive(Debug, Clone)]
pub struct Payment {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub buyer_id: UserId,
    pub freelancer_id: UserId,
    pub amount: Money,
    pub status: Status,
    pub payment_method: String,
    pub provider: String,
    pub provider_key: String,
    /// The provider's id, once it is known.
    pub transaction_id: Option<String>,
    pub failure: Option<String>,
    /// Its buyer has acted: from then on asking the provider means asking for the confirmation again.
    pub confirmed: bool,
    /// What was or is being given back.
    pub refunded: Money,
    /// What the buyer's bank took back for good.
    pub charged_back: Money,
    /// It failed, and its charge succeeded all the same: the money was booked and goes back.
    pub late_capture: bool,
    /// A case about it, or about a refund of it, is open.
    pub needs_review: bool,
    pub version: i64,
    pub created_at: Time,
}

/// A payment as a party or an administrator sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenPayment {
    pub id: PaymentId,
    pub order_id: OrderId,
    /// The order's `total`.
    pub amount: Money,
    pub currency: Currency,
    pub status: Status,
    /// What was given back or is on its way.
    pub refunded_amount: Money,
    /// What the buyer's bank took back for good.
    pub charged_back_amount: Money,
    /// Not for the freelancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    pub provider: String,
    /// The provider's id of the charge, once it is known.
    pub transaction_id: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether a person looks at it, because its fate is not the program's to decide. Not for the freelancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_review: Option<bool>,
    pub created_at: Time,
}

/// A payment that its buyer was just told to do something about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AcceptedPayment {
    #[serde(flatten)]
    pub payment: SeenPayment,
    /// Only while the payment requires_action, where the provider needs the buyer's browser, and only in the first answer:
    /// it is not kept, and a repeated Idempotency-Key does not bring it back. POST /payments/{id}/confirm does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
}

/// How the buyer goes on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NextAction {
    /// What the provider's script in the browser takes; for this buyer alone.
    pub client_secret: Option<String>,
    /// A page to send the buyer to.
    pub url: Option<String>,
}

impl NextAction {
    /// `None` where the provider wants nothing but a confirmation.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::RequiresAction { client_secret, url, .. }
                if client_secret.is_some() || url.is_some() =>
            {
                let shown =
                    |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
                Some(Self { client_secret: shown(client_secret), url: shown(url) })
            }
            _ => None,
        }
    }
}

impl Payment {
    /// Whether `actor` may know of it.
    pub fn is_seen_by(&self, actor: &Actor) -> bool {
        actor.is(self.buyer_id) || actor.is(self.freelancer_id) || actor.is_admin()
    }

    /// What has gone back in no way, in minor units: held, or released and kept.
    pub fn left(&self) -> i64 {
        self.amount.minor() - self.refunded.minor() - self.charged_back.minor()
    }

    /// As `actor` sees it.
    pub fn seen_by(&self, actor: &Actor) -> SeenPayment {
        SeenPayment {
            id: self.id,
            order_id: self.order_id,
            amount: self.amount,
            currency: self.amount.currency(),
            status: self.status,
            refunded_amount: self.refunded,
            charged_back_amount: self.charged_back,
            payment_method: (!actor.is(self.freelancer_id)).then(|| self.payment_method.clone()),
            provider: self.provider.clone(),
            transaction_id: self.transaction_id.clone(),
            failure: self.failure.clone(),
            needs_review: (!actor.is(self.freelancer_id)).then_some(self.needs_review),
            created_at: self.created_at,
        }
    }

    /// What the provider is asked for.
    pub fn charge(&self) -> Charge {
        Charge {
            key: self.provider_key.clone(),
            payment_id: self.id.cast(),
            order_id: self.order_id.cast(),
            amount: self.amount,
            payment_method: self.payment_method.clone(),
            reference: self.transaction_id.clone(),
            return_url: None,
            begun_at: self.created_at,
        }
    }
}

words! {
    /// Where a refund stands, or a movement of money.
    pub enum MovementStatus {
        Pending = "pending",
        Success = "success",
        Failed = "failed",
    }
}

/// Where money that goes back is taken from, in minor units: escrow as long as it is held there. Once it was released, the
/// house gives its part of the fees, and the freelancer theirs: from what is not paid out yet, the rest as a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources {
    pub escrow: i64,
    /// Service fee included.
    pub fees: i64,
    /// Released, and not paid out.
    pub payable: i64,
    /// A debt of the freelancer.
    pub owed: i64,
}

impl Sources {
    /// All of it.
    pub fn sum(&self) -> i64 {
        self.escrow + self.fees + self.payable + self.owed
    }

    /// What the freelancer gives.
    pub fn freelancers(&self) -> i64 {
        self.payable + self.owed
    }

    /// Whether the money was released before.
    pub fn were_released(&self) -> bool {
        self.fees + self.payable + self.owed > 0
    }
}

/// Money of a payment on its way back.
#[derive(Debug, Clone)]
pub struct Refund {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
    pub status: MovementStatus,
    pub reason: String,
    pub provider_key: String,
    /// The provider's id of it, once it has succeeded there.
    pub transaction_id: Option<String>,
    /// The refund that had succeeded and came back, in whose place this one is.
    pub replaces: Option<RefundId>,
    pub taken: Sources,
    pub created_at: Time,
}

/// A refund as it is answered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenRefund {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub amount: Money,
    pub currency: Currency,
    /// `pending` until the provider has given the money back.
    pub status: MovementStatus,
    /// Why, as whoever ordered it wrote.
    pub reason: String,
    /// After the release, not for the buyer: the freelancer's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clawback_amount: Option<Money>,
    /// After the release, not for the buyer: what of the freelancer's part was paid out, so that it is owed now and set off against the next
    /// releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debt_amount: Option<Money>,
    /// After the release, not for the buyer: what the house gives of its fee, pro rata; `fee_return` among the transactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_return_amount: Option<Money>,
    /// After the release, not for the freelancer: what the house gives of the service fee, pro rata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_fee_return_amount: Option<Money>,
    pub created_at: Time,
}

/// Who reads of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Buyer,
    Freelancer,
    Administrator,
}

impl SeenRefund {
    /// As `reader` sees it; `fee`: the fee's part of what the house gives.
    pub fn new(refund: &Refund, fee: i64, reader: Reader) -> Self {
        let taken = &refund.taken;
        let part = |minor: i64, not_for: Reader| {
            (taken.were_released() && reader != not_for).then(|| refund.amount.with_minor(minor))
        };
        Self {
            id: refund.id,
            payment_id: refund.payment_id,
            amount: refund.amount,
            currency: refund.amount.currency(),
            status: refund.status,
            reason: refund.reason.clone(),
            clawback_amount: part(taken.freelancers(), Reader::Buyer),
            debt_amount: part(taken.owed, Reader::Buyer),
            fee_return_amount: part(fee, Reader::Buyer),
            service_fee_return_amount: part(taken.fees - fee, Reader::Freelancer),
            created_at: refund.created_at,
        }
    }
}

/// What an order earned its freelancer.
#[derive(Debug, Clone)]
pub struct Release {
    pub id: Id<Self>,
    pub order_id: OrderId,
    /// What is neither paid out, on its way there, taken back, frozen nor set off, in minor units.
    pub unpaid: i64,
}

/// Money that a freelancer must give back.
#[derive(Debug, Clone)]
pub struct Debt {
    pub id: Id<Self>,
    /// The order whose money went back.
    pub order_id: OrderId,
    /// In minor units.
    pub unpaid: i64,
}

words! {
    /// How a chargeback stands here. It only moves forward, whatever order the provider tells it in; but one that was held
    /// because nobody understood what the provider said, and that is an inquiry, is one again.
    pub enum ChargebackStage {
        /// The bank inquires; no money is taken.
        Warning = "warning",
        /// The money is taken, what is left of it here is frozen, and the bank has not decided.
        Open = "open",
        Won = "won",
        Lost = "lost",
    }
}

/// Money of a payment that the buyer's bank takes back.
#[derive(Debug, Clone)]
pub struct Chargeback {
    pub id: ChargebackId,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
    pub stage: ChargebackStage,
    /// The provider took the money; it may have given it back since.
    pub withdrawn: bool,
    /// What of the released money is frozen now, in minor units.
    pub frozen: i64,
    pub evidence_due: Option<Time>,
}

words! {
    /// What moved: `charge` and `refund` concern the buyer, the others the freelancer. Beside the contract's:
    pub enum MovementKind {
        Charge = "charge",
        Refund = "refund",
        Release = "release",
        Fee = "fee",
        Payout = "payout",
        /// Taken back from the freelancer, for what went back to the buyer after the release.
        Clawback = "clawback",
        /// The fee's part of what went back after the release.
        FeeReturn = "fee_return",
        /// Set off against what the freelancer owes.
        Offset = "offset",
    }
}

/// A movement of money, or an attempt at one, as the person whom it concerns sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Transaction {
    pub id: Id<Self>,
    #[serde(rename = "type")]
    pub kind: MovementKind,
    pub status: MovementStatus,
    pub amount: Money,
    pub currency: Currency,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    /// The provider's id of it, where it has one.
    pub transaction_id: Option<String>,
    /// The refund that it belongs to: of a `refund`, and of a `clawback` or `fee_return` that a refund caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// Why that refund was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Time,
}

/// Which transactions are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<MovementKind>,
    pub status: Option<MovementStatus>,
    pub order_id: Option<OrderId>,
    /// From this moment on.
    pub from: Option<Time>,
    /// Before this moment.
    pub to: Option<Time>,
}

/// The limits of a payment method's name.
#[derive(Debug)]
pub enum MethodName {}
impl TextLimits for MethodName {
    const MIN: usize = 1;
    const MAX: usize = 128;
}

form! {
    /// Pays an order. The amount is the order's `total`, the currency its own; those that are sent must be equal.
    pub struct Pay {
        /// The order to pay.
        order_id: IdRef<Order>,
        /// A payment method of the provider. The sandbox takes `pm_card_visa`, `pm_card_visa_chargeDeclined`,
        /// `pm_card_visa_chargeDeclinedInsufficientFunds`, `pm_card_authenticationRequired` and `pm_sandbox_pending`; for
        /// rehearsals also those that PUT /admin/sandbox describes.
        payment_method: Text<MethodName>,
        /// The order's `total`, to be sure.
        amount: Option<Amount>,
        /// The order's currency, to be sure.
        currency: Option<Currency>,
    }
    server_sets {
        buyer_id: "from your token", freelancer_id: "from the order", user_id: "from your token",
        status: "by the provider's answer", provider: "by the marketplace", transaction_id: "by the provider",
        fee: "from the order"
    }
}

form! {
    /// Gives money back to the buyer.
    pub struct RequestRefund {
        /// How much; all that is left unless said.
        amount: Option<Amount>,
        /// Why, for both parties to read.
        reason: Reason,
        /// Give it back although the order is completed: the freelancer's part comes out of what the order earned and is
        /// not paid out yet; the house gives its fees back pro rata. What was paid out only an administrator gives back: it
        /// becomes a debt that is set off against the next releases.
        after_release: Option<bool>,
    }
    server_sets { status: "by the provider's answer", currency: "from the payment", payment_id: "from the path" }
}
