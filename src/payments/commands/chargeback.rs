//! Chargebacks: a buyer's bank takes back what was paid, at the provider. Only the money of that order is frozen, and
//! whatever order the provider tells things in, each is booked once.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::ledger::{self, Account, Journal};
use crate::money::Money;
use crate::orders::{self, Order, OrderId};
use crate::params;
use crate::providers::{ChargebackState, ChargebackStatus};
use crate::users;

use super::super::cases;
use super::super::model::{
    Chargeback, ChargebackId, ChargebackStage as Stage, MovementStatus, Payment, Sources, Status,
};
use super::super::queries;
use super::{debt, order_of, recovery, shared, tell_more};

/// 409 while a bank has taken money of the order and not decided.
pub(super) fn require_none(tx: &Tx, order: OrderId) -> Result<()> {
    if queries::is_charged_back(tx, order)? {
        return Err(orders::CHARGEBACK_OPEN.error(
            "the buyer's bank takes the payment back and the order's money is frozen: wait until the bank decides",
        ));
    }
    Ok(())
}

/// Books how a chargeback stands at the provider, once. `false` when no payment here has its charge, or none that is decided
/// yet: what is not booked cannot be taken back.
pub fn chargeback_told(tx: &Tx, told: &ChargebackState) -> Result<bool> {
    let Some(payment) = queries::charged(tx, &told.charge)? else { return Ok(false) };
    if matches!(payment.status, Status::Pending | Status::RequiresAction) {
        return Ok(false);
    }
    let known = queries::chargeback(tx, &told.reference)?;
    if !is_ours(&payment, known.as_ref(), told) {
        // Booking it would be a guess.
        let said = json!({
            "chargeback": told.reference, "payment_id": payment.id, "amount": told.amount,
            "currency": told.amount.currency(),
        });
        let subject = known.map_or_else(|| unrecorded(&told.reference), |known| known.id);
        cases::open(tx, cases::Kind::IntegrityFailure, subject, Some(payment.order_id), &said)?;
        return Ok(true);
    }
    let (chargeback, is_new) = match known {
        Some(known) => (Chargeback { evidence_due: told.evidence_due, ..known }, false),
        None => (record(tx, &payment, told)?, true),
    };
    note(tx, &chargeback, told)?;
    if !matches!(told.status, ChargebackStatus::Strange(_)) {
        cases::settle(tx, cases::Kind::Strange, chargeback.id, "answered")?;
    }
    let stage = match &told.status {
        ChargebackStatus::Warning => Stage::Warning,
        ChargebackStatus::Open => Stage::Open,
        ChargebackStatus::Won => Stage::Won,
        ChargebackStatus::Lost => Stage::Lost,
        ChargebackStatus::Strange(what) => {
            let said = json!({ "said": what });
            cases::open(tx, cases::Kind::Strange, chargeback.id, Some(chargeback.order_id), &said)?;
            // Until somebody has looked, nothing of it moves; whether it was taken is not known.
            Stage::Open
        }
    };
    if matches!(told.status, ChargebackStatus::Open | ChargebackStatus::Won | ChargebackStatus::Lost) {
        withdraw(tx, &chargeback)?;
    }
    advance(tx, &payment, &chargeback, stage, is_new).map(|()| true)
}

/// Takes in one that nobody has told of, and that was found at the provider. `false`, and nothing is booked, where no payment
/// here can have it, or where it has ended otherwise in our books.
pub fn charged_back_elsewhere(tx: &Tx, found: &ChargebackState) -> Result<bool> {
    let Some(payment) = queries::charged(tx, &found.charge)? else { return Ok(false) };
    let known = queries::chargeback(tx, &found.reference)?;
    let contradicts = known.as_ref().is_some_and(|known| match known.stage {
        Stage::Warning | Stage::Open => false,
        Stage::Won => found.status == ChargebackStatus::Lost,
        Stage::Lost => found.status == ChargebackStatus::Won,
    });
    match is_ours(&payment, known.as_ref(), found) && !contradicts {
        true => chargeback_told(tx, found),
        false => Ok(false),
    }
}

fn is_ours(payment: &Payment, known: Option<&Chargeback>, told: &ChargebackState) -> bool {
    payment.status == Status::Success
        && told.amount.currency() == payment.amount.currency()
        && known.is_none_or(|known| known.amount == told.amount && known.payment_id == payment.id)
}

/// What a case about a chargeback is known by that was not recorded: the same each time.
fn unrecorded(reference: &str) -> ChargebackId {
    let digest = Sha256::digest(reference.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Id::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn record(tx: &Tx, payment: &Payment, told: &ChargebackState) -> Result<Chargeback> {
    let chargeback = Chargeback {
        id: tx.new_id(),
        payment_id: payment.id,
        order_id: payment.order_id,
        amount: told.amount,
        stage: Stage::Warning,
        withdrawn: false,
        frozen: 0,
        evidence_due: told.evidence_due,
    };
    tx.send(
        "insert into chargebacks (id, payment_id, order_id, reference, amount_minor, currency, status, reason, created_at,
             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        params![
            chargeback.id,
            payment.id,
            payment.order_id,
            told.reference,
            told.amount.minor(),
            told.amount.currency(),
            chargeback.stage,
            told.reason,
            tx.now()
        ],
    )?;
    Ok(chargeback)
}

/// What the provider may still change while it goes on.
fn note(tx: &Tx, chargeback: &Chargeback, told: &ChargebackState) -> Result<()> {
    tx.send(
        "update chargebacks set reason = $2, evidence_due = $3 where id = $1 and order_id = $4",
        params![chargeback.id, told.reason, told.evidence_due, chargeback.order_id],
    )
}

/// The provider has taken the money: the house advances it.
fn withdraw(tx: &Tx, chargeback: &Chargeback) -> Result<()> {
    if chargeback.withdrawn {
        return Ok(());
    }
    tx.send(
        "update chargebacks set withdrawn = true where id = $1 and order_id = $2",
        params![chargeback.id, chargeback.order_id],
    )?;
    let minor = chargeback.amount.minor();
    book(tx, chargeback, "chargeback_withdrawn", &[(Account::Losses, -minor), (Account::Provider, minor)])
}

/// Moves a chargeback forward. What is behind was told late; what contradicts the end is for a person to look at.
fn advance(tx: &Tx, payment: &Payment, chargeback: &Chargeback, to: Stage, is_new: bool) -> Result<()> {
    match (chargeback.stage, to) {
        (Stage::Warning, Stage::Warning) if is_new => {
            let message = format!(
                "The buyer's bank inquires about {} {}. No money moves; it may still take it back.",
                chargeback.amount,
                chargeback.amount.currency()
            );
            tell(tx, "chargeback_warned", payment, chargeback, &message, Vec::new())
        }
        (Stage::Won, Stage::Lost) | (Stage::Lost, Stage::Won) => {
            let said = json!({ "said": to, "booked": chargeback.stage });
            cases::open(tx, cases::Kind::Strange, chargeback.id, Some(chargeback.order_id), &said)
        }
        // It was held while nobody understood what the provider said.
        (Stage::Open, Stage::Warning) if !chargeback.withdrawn => {
            step(tx, chargeback, to)?;
            let_go(tx, payment, chargeback)
        }
        (from, to) if from >= to => Ok(()),
        (_, to) => {
            step(tx, chargeback, to)?;
            match to {
                Stage::Warning => Ok(()),
                Stage::Open => opened(tx, payment, chargeback),
                Stage::Won => won(tx, payment, chargeback),
                Stage::Lost => lost(tx, payment, chargeback),
            }
        }
    }
}

fn step(tx: &Tx, chargeback: &Chargeback, to: Stage) -> Result<()> {
    let moved = tx.execute(
        "update chargebacks set status = $3, updated_at = $4 where id = $1 and status = $2 and order_id = $5",
        params![chargeback.id, chargeback.stage, to, tx.now(), chargeback.order_id],
    )?;
    if moved == 1 { Ok(()) } else { Err(Error::broken("a chargeback moved twice")) }
}

/// No money was taken: nothing is frozen any longer. An order that waited for the bank is for its people to settle.
fn let_go(tx: &Tx, payment: &Payment, chargeback: &Chargeback) -> Result<()> {
    let order = order_of(tx, payment)?;
    thaw(tx, &order, chargeback, chargeback.frozen)?;
    nothing_frozen(tx, chargeback)?;
    let message = format!(
        "The buyer's bank has only inquired about {} {}: no money was taken, and nothing is frozen any longer.",
        chargeback.amount,
        chargeback.amount.currency()
    );
    tell(tx, "chargeback_warned", payment, chargeback, &message, Vec::new())?;
    debt::set_off(tx, order.freelancer_id, chargeback.amount.currency())
}

fn nothing_frozen(tx: &Tx, chargeback: &Chargeback) -> Result<()> {
    tx.send(
        "update chargebacks set frozen_minor = 0 where id = $1 and order_id = $2",
        params![chargeback.id, chargeback.order_id],
    )
}

/// Freezes the money of the order and tells its freelancer before anything is debited.
fn opened(tx: &Tx, payment: &Payment, chargeback: &Chargeback) -> Result<()> {
    let order = order_of(tx, payment)?;
    let currency = chargeback.amount.currency();
    let money = |minor: i64| chargeback.amount.with_minor(minor);
    let at_stake = chargeback.amount.minor().min(payment.left());
    let until = match chargeback.evidence_due {
        Some(due) => format!("The bank decides after {due}, until when the marketplace can send evidence."),
        None => "The bank decides.".to_owned(),
    };
    let released = queries::release_of(tx, order.id)?;
    let (frozen, debit, debt) = match &released {
        Some(release) => {
            let net = recovery::shares(&order, payment.left(), at_stake).net;
            (release.unpaid, net, (net - release.unpaid).max(0))
        }
        None => (payment.left(), 0, 0),
    };
    let what = match &released {
        Some(_) if frozen == 0 => format!(
            "Nothing of what this order earned is left to freeze. If the buyer wins, {} {currency} is debited, of which \
             {} {currency} is set off against your next releases.",
            money(debit),
            money(debt)
        ),
        Some(_) => format!(
            "{} {currency} of what this order earned is frozen, nothing else. If the buyer wins, {} {currency} is debited, \
             of which {} {currency} is set off against your next releases.",
            money(frozen),
            money(debit),
            money(debt)
        ),
        None => format!("{} {currency} held for this order is frozen, nothing else.", money(frozen)),
    };
    let message = format!("The buyer's bank takes {} {currency} back. {what} {until}", chargeback.amount);
    let more = vec![
        ("frozen_amount", json!(money(frozen))),
        ("debit_amount", json!(money(debit))),
        ("debt_amount", json!(money(debt))),
        ("evidence_due", json!(chargeback.evidence_due)),
    ];
    tell(tx, "chargeback_opened", payment, chargeback, &message, more)?;
    match released {
        Some(release) => freeze(tx, &order, chargeback, release.unpaid),
        None => hold(tx, &order),
    }
}

/// An order that is under way waits for the bank.
fn hold(tx: &Tx, order: &Order) -> Result<()> {
    match order.status {
        orders::Status::Active | orders::Status::Delivered => {
            let reason = "The buyer's bank takes the payment back: the order waits until the bank decides.";
            orders::dispute(tx, &Actor::System, order, Some(reason)).map(drop)
        }
        orders::Status::Pending
        | orders::Status::Completed
        | orders::Status::Cancelled
        | orders::Status::Disputed => Ok(()),
    }
}

/// Freezes what an order earned and is not paid out.
fn freeze(tx: &Tx, order: &Order, chargeback: &Chargeback, minor: i64) -> Result<()> {
    // What was let go stays so: while the bank decides, nothing of the order is paid out, frozen or not.
    let was_frozen =
        "select 1 from ledger_journals where cause_id = $1 and kind = 'chargeback_frozen' and order_id = $2";
    if minor == 0 || tx.exists(was_frozen, params![chargeback.id, order.id])? {
        return Ok(());
    }
    recovery::take(tx, order, minor)?;
    tx.send(
        "update chargebacks set frozen_minor = frozen_minor + $2 where id = $1 and order_id = $3",
        params![chargeback.id, minor, order.id],
    )?;
    let (payable, frozen) = accounts(order);
    book(tx, chargeback, "chargeback_frozen", &[(payable, -minor), (frozen, minor)])
}

/// What was paid out of an order has come back: it is frozen where a bank takes the order's payment back, and otherwise
/// debts are set off against it.
pub fn came_back(tx: &Tx, order: OrderId) -> Result<()> {
    let order =
        orders::find(tx, order)?.ok_or_else(|| Error::broken("a payout for an order that is gone"))?;
    let chargeback = queries::open_chargeback(tx, order.id)?;
    if let (Some(chargeback), Some(release)) = (chargeback, queries::release_of(tx, order.id)?) {
        freeze(tx, &order, &chargeback, release.unpaid)?;
    }
    debt::set_off(tx, order.freelancer_id, order.amount.currency())
}

/// Gives so much of what is frozen back to what is paid out, unless another chargeback of the order needs it.
fn thaw(tx: &Tx, order: &Order, chargeback: &Chargeback, minor: i64) -> Result<()> {
    if minor == 0 {
        return Ok(());
    }
    let other =
        "select id from chargebacks where order_id = $1 and status = 'open' and id <> $2 order by id limit 1";
    if let Some(other) =
        tx.first(other, params![order.id, chargeback.id], |row| row.next::<ChargebackId>())?
    {
        tx.send(
            "update chargebacks set frozen_minor = frozen_minor + $2 where id = $1 and order_id = $3",
            params![other, minor, order.id],
        )?;
        return Ok(());
    }
    recovery::put_back(tx, order, minor)?;
    let (payable, frozen) = accounts(order);
    book(tx, chargeback, "chargeback_thawed", &[(frozen, -minor), (payable, minor)])
}

fn accounts(order: &Order) -> (Account, Account) {
    (Account::Payable(order.freelancer_id.cast()), Account::Chargebacks(order.id.cast()))
}

/// The money is back, and nothing is frozen any longer. An order that waited for the bank is for its people to settle.
fn won(tx: &Tx, payment: &Payment, chargeback: &Chargeback) -> Result<()> {
    let order = order_of(tx, payment)?;
    let minor = chargeback.amount.minor();
    book(tx, chargeback, "chargeback_reinstated", &[(Account::Provider, -minor), (Account::Losses, minor)])?;
    thaw(tx, &order, chargeback, chargeback.frozen)?;
    nothing_frozen(tx, chargeback)?;
    let message = format!(
        "The bank decided for the marketplace: {} {} stays, and nothing of it is frozen any longer.",
        chargeback.amount,
        chargeback.amount.currency()
    );
    tell(tx, "chargeback_won", payment, chargeback, &message, Vec::new())?;
    debt::set_off(tx, order.freelancer_id, chargeback.amount.currency())
}

/// The money is gone: what is left of the order covers it, and an order under way is off.
fn lost(tx: &Tx, payment: &Payment, chargeback: &Chargeback) -> Result<()> {
    let order = order_of(tx, payment)?;
    let minor = chargeback.amount.minor().min(payment.left());
    if minor < chargeback.amount.minor() {
        let said = json!({ "amount": chargeback.amount, "covered": chargeback.amount.with_minor(minor) });
        cases::open(tx, cases::Kind::ChargebackExceeds, chargeback.id, Some(order.id), &said)?;
    }
    let taken = cover(tx, &order, payment, chargeback, minor)?;
    let money = |minor: i64| chargeback.amount.with_minor(minor);
    let currency = chargeback.amount.currency();
    let message = match taken.were_released() {
        true => format!(
            "The bank decided for the buyer. {} {currency} of what this order earned is debited, of which {} {currency} \
             is set off against your next releases; the house gives {} {currency} of its fees back.",
            money(taken.freelancers()),
            money(taken.owed),
            money(taken.fees)
        ),
        false => "The bank decided for the buyer, out of what was held for this order.".to_owned(),
    };
    let mut more = shared(&taken, chargeback.amount).to_vec();
    more.push(("escrow_amount", json!(money(taken.escrow))));
    tell(tx, "chargeback_lost", payment, chargeback, &message, more)?;
    call_off(tx, payment)?;
    debt::set_off(tx, order.freelancer_id, currency)
}

/// Takes what a lost chargeback cost from where the money is now.
fn cover(tx: &Tx, order: &Order, payment: &Payment, chargeback: &Chargeback, minor: i64) -> Result<Sources> {
    let released = queries::release_of(tx, order.id)?;
    let shares = recovery::shares(order, payment.left(), minor);
    let (frozen, taken) = match released {
        None => (0, Sources { escrow: minor, ..Sources::default() }),
        Some(release) => {
            let frozen = shares.net.min(chargeback.frozen);
            let payable = shares.net.min(frozen + release.unpaid);
            let fees = shares.fee + shares.service_fee;
            (frozen, Sources { escrow: 0, fees, payable, owed: shares.net - payable })
        }
    };
    thaw(tx, order, chargeback, chargeback.frozen - frozen)?;
    tx.send(
        "update chargebacks set frozen_minor = 0, escrow_minor = $2, fees_minor = $3, payable_minor = $4, owed_minor = $5
         where id = $1 and order_id = $6",
        params![chargeback.id, taken.escrow, taken.fees, taken.payable, taken.owed, order.id],
    )?;
    if minor == 0 {
        return Ok(taken);
    }
    tx.send(
        "update payments set charged_back_minor = charged_back_minor + $2, version = version + 1, updated_at = $3
         where id = $1 and order_id = $4",
        params![payment.id, minor, tx.now(), payment.order_id],
    )?;
    if taken.payable > frozen {
        recovery::take(tx, order, taken.payable - frozen)?;
    }
    let unfrozen = Sources { payable: taken.payable - frozen, ..taken };
    let mut lines = recovery::lines(order, &unfrozen, -1);
    if frozen > 0 {
        lines.push((accounts(order).1, -frozen));
    }
    lines.push((Account::Losses, minor));
    book(tx, chargeback, "chargeback_lost", &lines)?;
    if taken.owed > 0 {
        recovery::owe(tx, order, chargeback.id.cast(), taken.owed)?;
    }
    if taken.were_released() {
        recovery::list_taken(tx, payment, chargeback.id.cast(), &shares, MovementStatus::Success)?;
    }
    orders::refunded(tx, order.id, payment.left() - minor)?;
    Ok(taken)
}

/// An order whose payment is gone is off, and the rest of the money goes back; unless another chargeback of it is open.
fn call_off(tx: &Tx, payment: &Payment) -> Result<()> {
    if queries::is_charged_back(tx, payment.order_id)? {
        return Ok(());
    }
    hold(tx, &order_of(tx, payment)?)?;
    let order = order_of(tx, payment)?;
    if order.status != orders::Status::Disputed {
        return Ok(());
    }
    let rest = super::held(tx, &order)?;
    let reason = "The buyer's bank took the payment back.";
    orders::resolve(tx, &Actor::System, &order, rest, reason).map(drop)
}

fn book(tx: &Tx, chargeback: &Chargeback, kind: &'static str, lines: &[(Account, i64)]) -> Result<()> {
    ledger::post(
        tx,
        &Journal {
            order_id: chargeback.order_id.cast(),
            kind,
            cause_id: chargeback.id.cast(),
            currency: chargeback.amount.currency(),
            lines,
        },
    )
}

/// Tells the freelancer and every administrator.
fn tell(
    tx: &Tx,
    kind: &'static str,
    payment: &Payment,
    chargeback: &Chargeback,
    message: &str,
    mut more: Vec<(&'static str, Value)>,
) -> Result<()> {
    let amount: Money = chargeback.amount;
    more.push(("chargeback_id", json!(chargeback.id)));
    more.push(("chargeback_amount", json!(amount)));
    more.push((
        "admin_message",
        json!(message.replace("your next releases", "the freelancer's next releases")),
    ));
    more.push(("admin_ids", json!(users::administrators(tx)?)));
    tell_more(tx, &Actor::System, kind, payment, Some(message), more)
}
