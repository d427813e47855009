//! Transfers as operations at the provider: each part of a payout is one, under one key, sent until it is known how it
//! ended; and what an administrator says of one that nobody can find out about.

use std::time::Duration;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::id::Id;
use crate::payments::calls::{self, Asked};
use crate::payments::cases::Resolution;
use crate::providers::{TransferOutcome, TransferRequest};
use crate::users;

use super::super::model::{Item, ItemId, ItemStatus};
use super::super::{TRANSFER_SEND, queries};
use super::send::{apply_transfer, give_back, pay};

/// How long a suspended freelancer's payouts lie before they are looked at again.
const FROZEN_FOR: Duration = Duration::from_secs(3_600);

/// What to ask the provider for; `None` once the part is decided, where it is paid by hand, and while its freelancer is
/// suspended. What certainly never left is not sent any more once the buyer's bank takes the order's payment back.
pub fn take_up(tx: &Tx, id: ItemId) -> Result<Option<TransferRequest>> {
    let Some(item) = pending(tx, id)? else { return Ok(None) };
    let payout = queries::payout_of(tx, item.payout_id)?;
    if payout.is_by_hand() {
        return Ok(None);
    }
    if item.charged_back && !calls::was_sent(tx, &item.provider_key)? {
        let message = "The buyer's bank takes the payment of this order back: what it earned waits until the bank decides.";
        give_back(tx, &Actor::System, &item, "charged_back", message)?;
        return calls::end(tx, TRANSFER_SEND, id).map(|()| None);
    }
    if !users::find(tx, payout.freelancer_id)?.is_some_and(|account| account.is_active()) {
        events::schedule(tx, TRANSFER_SEND, id, tx.now().plus(FROZEN_FOR))?;
        return Ok(None);
    }
    queries::request_of(tx, &item).map(Some)
}

fn pending(tx: &Tx, id: ItemId) -> Result<Option<Item>> {
    Ok(queries::item(tx, id)?.filter(|item| item.status == ItemStatus::Pending))
}

/// The operation that a transfer is, as it is written down before it is sent.
pub fn asked_transfer(request: &TransferRequest) -> Asked {
    let minor = request.amount.minor().to_string();
    let order = request.order_id.to_string();
    let words =
        ["transfer", &order, &request.account, &request.charge, &minor, request.amount.currency().code()];
    let (kind, order) = (calls::Kind::Transfer, Some(request.order_id.cast()));
    Asked::new(kind, request.key.clone(), request.transfer_id, order, TRANSFER_SEND, &words)
}

/// Books what the provider says of a transfer.
pub fn transfer_answered(
    tx: &Tx,
    request: &TransferRequest,
    id: ItemId,
    outcome: &TransferOutcome,
) -> Result<()> {
    let said = match outcome {
        TransferOutcome::Paid { .. } => "paid",
        TransferOutcome::Pending { .. } => "pending",
        TransferOutcome::Returned { code, .. } => code,
    };
    calls::answered(tx, &asked_transfer(request), said)?;
    apply_transfer(tx, id, outcome)
}

/// It is proven that the provider never carried a transfer out. Whether its money is free again is a person's word: the
/// freelancer would be paid under another key.
pub fn transfer_not_executed(tx: &Tx, asked: &Asked) -> Result<()> {
    calls::review(tx, asked, "the provider has no such transfer: it was never carried out")
}

/// Whether this is a part of a payout that the provider makes, and has not ended.
pub fn awaits_transfer(tx: &Tx, id: Id<()>) -> Result<bool> {
    match pending(tx, id.cast())? {
        Some(item) => Ok(!queries::payout_of(tx, item.payout_id)?.is_by_hand()),
        None => Ok(false),
    }
}

/// What its freelancer reads of it; the administrator's reason is for the audit.
const NEVER_LEFT: &str = "The transfer was never made: its money can be paid out again.";

/// Does about a transfer what an administrator says.
pub fn resolve_transfer(tx: &Tx, actor: &Actor, id: Id<()>, resolution: Resolution) -> Result<()> {
    let Some(item) = pending(tx, id.cast())? else { return Ok(()) };
    match resolution {
        Resolution::LookAgain => return calls::ask_now(tx, TRANSFER_SEND, id),
        Resolution::TransferArrived => pay(tx, actor, &item, None)?,
        Resolution::TransferFailed => give_back(tx, actor, &item, "not_executed", NEVER_LEFT)?,
        Resolution::FailPayment
        | Resolution::SendRefundAnew
        | Resolution::SettledByHand
        | Resolution::Accept
        | Resolution::Leave => return Ok(()),
    }
    calls::end(tx, TRANSFER_SEND, id)
}
