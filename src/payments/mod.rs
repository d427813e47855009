//! Payments: charges, escrow, refunds, and everything that moved. Stands on the ledger and on a provider outside; promises
//! that an order is charged once, that no provider is asked inside a transaction, and that an outcome nobody knows is asked
//! for, never guessed.

pub mod calls;
pub mod cases;
mod chargebacks;
mod commands;
mod debts;
mod model;
mod queries;
mod reactions;
mod rehearsal;
pub mod releases;
mod routes;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::problems;

pub use commands::{
    Attempt, GivenBack, Paying, apply, asked_refund, attempt, attempt_known_as, begin, came_back,
    chargeback_told, charged_back_elsewhere, given_back_elsewhere, held, list_payout, ready_to_pay_out,
    refund_answered, refund_order, refund_request, refund_to_send, release_order, relist_payout,
    request_refund, stands_as,
};
pub use model::{ChargebackStage, MovementStatus, Pay, Payment, PaymentId, RefundId, RequestRefund, Status};
pub use queries::{
    captured, find, given_back, is_charged_back, is_giving_back, money_due, open_elsewhere, refund_known_as,
};
pub use reactions::{ask, follow_order, send_refund, void};
pub use routes::operations;

/// The timer that asks for an outcome.
pub const PAYMENT_ASK: &str = "payment_ask";
/// The timer that has a charge given up at the provider whose payment has failed here.
pub const PAYMENT_VOID: &str = "payment_void";
/// The timer that sends a refund.
pub const REFUND_SEND: &str = "refund_send";

/// What cases ask of those who pay freelancers: transfers are theirs. Filled in `app.rs`.
pub struct Hooks {
    /// Whether a case is about a transfer that has not ended.
    pub awaits_transfer: fn(&Tx, Id<()>) -> Result<bool>,
    /// Does about a transfer what an administrator says.
    pub resolve_transfer: fn(&Tx, &Actor, Id<()>, cases::Resolution) -> Result<()>,
}

problems! {
    PAYMENT_DECLINED = 402 "payment_declined" "The payment was declined" "The provider refused it; `payment` is the attempt as it was recorded. Nothing was charged: pay with another method." with ["payment"];
    AMOUNT_MISMATCH = 409 "amount_mismatch" "The amount is not the order's" "An order is paid in full, at its `total`. Send that, the `amount` and `currency` of this answer, or leave it out." with ["amount", "currency"];
    ALREADY_PAID = 409 "already_paid" "The order is paid" "A payment of it has succeeded; `payment_id` names it. Nothing more is due." with ["payment_id"];
    PAYMENT_IN_PROGRESS = 409 "payment_in_progress" "A payment of the order is under way" "An order has one payment under way at most; `payment_id` names it. GET /payments/{id} tells how it ends; if it fails, pay again." with ["payment_id"];
    ORDER_NOT_PAYABLE = 409 "order_not_payable" "The order does not wait for a payment" "Only a pending order can be paid; `current` is where it stands. Place another order." with ["current"];
    NOT_CONFIRMABLE = 409 "not_confirmable" "The payment does not wait for a confirmation" "Only a payment with status requires_action can be confirmed; `current` is where it stands." with ["current"];
    REFUND_EXCEEDS_CAPTURED = 409 "refund_exceeds_captured" "That much is not left to give back" "Refunds together never exceed what was captured; `refundable_amount` is what is left. Ask for no more." with ["refundable_amount"];
    ALREADY_RELEASED = 409 "already_released" "The money was released" "The order is completed and its money was released. Send `after_release: true` to give it back all the same: the freelancer's part comes out of what the order earned and is not paid out yet, and the house gives its fees back pro rata. What was paid out only an administrator gives back: it becomes a debt set off against the next releases.";
    PAID_OUT_ALREADY = 403 "paid_out_already" "The money was paid out" "`debt_amount` of it is paid out to the freelancer or on its way there: the house would have to advance it. Ask an administrator, who may decide that, or give back less." with ["debt_amount"];
    REFUND_IN_PROGRESS = 409 "refund_in_progress" "A refund of the order is under way" "Refunds of a completed order end one after the other, each with its share of the fees; `refund_id` is on its way. Ask again when it has ended." with ["refund_id"];
    ORDER_DISPUTED = 409 "order_disputed" "The order is disputed" "Its money is frozen until an administrator settles the dispute with PUT /orders/{id}.";
    CASE_CLOSED = 409 "case_closed" "The case is closed" "It was resolved before; `resolution` is how. GET /admin/cases/{id} tells by whom and why." with ["resolution"];
    RESOLUTION_NOT_OFFERED = 409 "resolution_not_offered" "The case cannot be resolved so" "What can be done depends on what the case is about and how that stands; `offered` is what can be chosen now." with ["offered"];
    PAYMENT_NOT_REFUNDABLE = 409 "payment_not_refundable" "The payment has nothing to give back" "Only a payment with status success can be given back; `current` is where it stands." with ["current"];
}
