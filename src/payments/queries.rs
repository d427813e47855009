//! Finding payments, refunds and transactions.

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Error, Result};
use crate::id::Id;
use crate::ledger::{self, Account};
use crate::money::{Currency, Money};
use crate::orders::{Order, OrderId};
use crate::page::{Page, PageRequest};
use crate::params;
use crate::users::Blocker;

use super::model::{
    Chargeback, Debt, Filter, MovementKind, Payment, PaymentId, Reader, Refund, RefundId, Release,
    SeenRefund, Sources, Transaction,
};

const COLUMNS: &str = "id, order_id, buyer_id, freelancer_id, amount_minor, currency, status, payment_method, provider, \
     provider_key, transaction_id, failure, confirmed, refunded_minor, charged_back_minor, version, \
     created_at, late_capture, \
     exists (select 1 from cases c where c.resolved_at is null and c.subject_id = payments.id) \
     or exists (select 1 from refunds r join cases c on c.subject_id = r.id \
                where r.payment_id = payments.id and r.order_id = payments.order_id and c.resolved_at is null)";

fn payment(row: &Row) -> Result<Payment> {
    let (id, order_id, buyer_id, freelancer_id) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    Ok(Payment {
        id,
        order_id,
        buyer_id,
        freelancer_id,
        amount,
        status: row.next()?,
        payment_method: row.next()?,
        provider: row.next()?,
        provider_key: row.next()?,
        transaction_id: row.next()?,
        failure: row.next()?,
        confirmed: row.next()?,
        refunded: amount.with_minor(row.next()?),
        charged_back: amount.with_minor(row.next()?),
        version: row.next()?,
        created_at: row.next()?,
        late_capture: row.next()?,
        needs_review: row.next()?,
    })
}

/// The payment, if there is one.
pub fn find(tx: &Tx, id: PaymentId) -> Result<Option<Payment>> {
    tx.first(&format!("select {COLUMNS} from payments where id = $1"), params![id], payment)
}

/// A payment that is known to be there.
pub fn payment_of(tx: &Tx, order: OrderId, id: PaymentId) -> Result<Payment> {
    let sql = format!("select {COLUMNS} from payments where id = $1 and order_id = $2");
    tx.first(&sql, params![id, order], payment)?
        .ok_or_else(|| Error::broken(format!("payment {id} of order {order} is gone")))
}

/// The payment, if it concerns `actor`; otherwise 404.
pub fn seen(tx: &Tx, actor: &Actor, id: PaymentId) -> Result<Payment> {
    find(tx, id)?.filter(|payment| payment.is_seen_by(actor)).ok_or_else(error::not_found)
}

/// The one payment of an order that succeeded or may still.
pub fn live(tx: &Tx, order: OrderId) -> Result<Option<Payment>> {
    let sql = format!(
        "select {COLUMNS} from payments where order_id = $1 and status in ('pending', 'requires_action', 'success')"
    );
    tx.first(&sql, params![order], payment)
}

/// The payment that succeeded.
pub fn captured(tx: &Tx, order: OrderId) -> Result<Option<Payment>> {
    let sql = format!("select {COLUMNS} from payments where order_id = $1 and status = 'success'");
    tx.first(&sql, params![order], payment)
}

/// The payment that a provider means: by our key, or else by the provider's id of the charge.
pub fn known_as(tx: &Tx, key: Option<&str>, reference: &str) -> Result<Option<Payment>> {
    let by_key = format!("select {COLUMNS} from payments where provider_key = $1");
    let by_reference = format!("select {COLUMNS} from payments where transaction_id = $1");
    match key.map(|key| tx.first(&by_key, params![key], payment)).transpose()?.flatten() {
        Some(payment) => Ok(Some(payment)),
        None => tx.first(&by_reference, params![reference], payment),
    }
}

/// The refund that a provider means: by our key, or else by the provider's id of it.
pub fn refund_known_as(tx: &Tx, key: Option<&str>, reference: &str) -> Result<Option<RefundId>> {
    let id = |row: &Row| row.next();
    let by_key = "select id from refunds where provider_key = $1";
    match key.map(|key| tx.first(by_key, params![key], id)).transpose()?.flatten() {
        Some(refund) => Ok(Some(refund)),
        None => tx.first("select id from refunds where transaction_id = $1", params![reference], id),
    }
}

/// What was given back of what was paid for an order, is on its way back, or was taken back by the buyer's bank, in minor
/// units.
pub fn given_back(tx: &Tx, order: &Order) -> Result<Option<i64>> {
    Ok(captured(tx, order.id)?.map(|payment| payment.amount.minor() - payment.left()))
}

/// The refund, if there is one.
pub fn refund(tx: &Tx, id: RefundId) -> Result<Option<Refund>> {
    tx.first(&format!("select {REFUND} from refunds where id = $1"), params![id], refund_row)
}

const REFUND: &str = "id, payment_id, order_id, amount_minor, currency, status, reason, provider_key, transaction_id, replaces_id, \
     escrow_minor, fees_minor, payable_minor, owed_minor, created_at";

fn refund_row(row: &Row) -> Result<Refund> {
    Ok(Refund {
        id: row.next()?,
        payment_id: row.next()?,
        order_id: row.next()?,
        amount: Money::new(row.next()?, row.next()?),
        status: row.next()?,
        reason: row.next()?,
        provider_key: row.next()?,
        transaction_id: row.next()?,
        replaces: row.next()?,
        taken: Sources { escrow: row.next()?, fees: row.next()?, payable: row.next()?, owed: row.next()? },
        created_at: row.next()?,
    })
}

/// The refunds of a payment that concerns `actor`, newest first; otherwise 404.
pub fn refunds(tx: &Tx, actor: &Actor, payment: PaymentId, page: &PageRequest) -> Result<Page<SeenRefund>> {
    let payment = seen(tx, actor, payment)?;
    let mut sql = Sql::new("select ");
    sql.push(REFUND).push(" from refunds where payment_id = ").bind(payment.id);
    sql.push(" and order_id = ").bind(payment.order_id);
    if let Some(last) = page.after::<RefundId>("refunds")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    let refunds = page.page("refunds", sql.all(tx, refund_row)?, |refund| refund.id)?;
    refunds.try_map(|refund| seen_refund(tx, actor, &payment, &refund))
}

/// The refund as `actor` sees it. What the house gives of its fee is what is listed of it.
pub fn seen_refund(tx: &Tx, actor: &Actor, payment: &Payment, refund: &Refund) -> Result<SeenRefund> {
    let fee = "select cast(coalesce(sum(amount_minor), 0) as bigint) from transactions
         where cause_id = $1 and type = 'fee_return' and order_id = $2";
    let fee = tx.one(fee, params![refund.id, refund.order_id], |row| row.next())?;
    let reader = match actor {
        _ if actor.is(payment.buyer_id) => Reader::Buyer,
        _ if actor.is(payment.freelancer_id) => Reader::Freelancer,
        _ => Reader::Administrator,
    };
    Ok(SeenRefund::new(refund, fee, reader))
}

/// Who ordered a refund; nobody where a deadline did.
pub fn requester(tx: &Tx, refund: &Refund) -> Result<Option<UserId>> {
    let sql = "select requested_by from refunds where id = $1 and order_id = $2";
    tx.one(sql, params![refund.id, refund.order_id], |row| row.next())
}

/// The payment that the provider knows by this id.
pub fn charged(tx: &Tx, charge: &str) -> Result<Option<Payment>> {
    tx.first(&format!("select {COLUMNS} from payments where transaction_id = $1"), params![charge], payment)
}

const CHARGEBACK: &str =
    "id, payment_id, order_id, amount_minor, currency, status, withdrawn, frozen_minor, evidence_due";

fn chargeback_row(row: &Row) -> Result<Chargeback> {
    Ok(Chargeback {
        id: row.next()?,
        payment_id: row.next()?,
        order_id: row.next()?,
        amount: Money::new(row.next()?, row.next()?),
        stage: row.next()?,
        withdrawn: row.next()?,
        frozen: row.next()?,
        evidence_due: row.next()?,
    })
}

/// The chargeback that the provider knows by this id.
pub fn chargeback(tx: &Tx, reference: &str) -> Result<Option<Chargeback>> {
    let sql = format!("select {CHARGEBACK} from chargebacks where reference = $1");
    tx.first(&sql, params![reference], chargeback_row)
}

/// The first chargeback of an order that no bank has decided.
pub fn open_chargeback(tx: &Tx, order: OrderId) -> Result<Option<Chargeback>> {
    let sql = format!(
        "select {CHARGEBACK} from chargebacks where order_id = $1 and status = 'open' order by id limit 1"
    );
    tx.first(&sql, params![order], chargeback_row)
}

/// What banks took of a payment for good beyond what was left of it, in minor units: the house advanced it, and money that
/// comes back covers it before it is anybody's. What the provider still holds of refunds that buyers got in another way has
/// covered it already.
pub fn advanced(tx: &Tx, payment: &Payment) -> Result<i64> {
    let uncovered = tx.one(
        "select cast(coalesce(sum(amount_minor - escrow_minor - fees_minor - payable_minor - owed_minor), 0) as bigint)
         from chargebacks where payment_id = $1 and status = 'lost' and order_id = $2",
        params![payment.id, payment.order_id],
        |row| row.next::<i64>(),
    )?;
    let by_hand = tx.one(
        "select cast(coalesce(sum(r.amount_minor), 0) as bigint) from refunds r
         join ledger_journals j on j.cause_id = r.id and j.order_id = r.order_id and j.kind = 'refund_by_hand'
         where r.payment_id = $1 and r.order_id = $2",
        params![payment.id, payment.order_id],
        |row| row.next::<i64>(),
    )?;
    Ok((uncovered - by_hand).max(0))
}

/// Whether a bank has taken money of an order and not decided: until then nothing of it moves.
pub fn is_charged_back(tx: &Tx, order: OrderId) -> Result<bool> {
    tx.exists("select 1 from chargebacks where order_id = $1 and status = 'open'", params![order])
}

const RELEASE: &str = "id, order_id, case when payout_id is null then net_minor - taken_minor else 0 end";

fn release(row: &Row) -> Result<Release> {
    Ok(Release { id: row.next()?, order_id: row.next()?, unpaid: row.next()? })
}

/// The release of an order, once it was released.
pub fn release_of(tx: &Tx, order: OrderId) -> Result<Option<Release>> {
    tx.first(&format!("select {RELEASE} from releases where order_id = $1"), params![order], release)
}

/// What can still be paid out to a freelancer, the oldest first.
pub fn unpaid_releases(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<Vec<Release>> {
    let sql = format!(
        "select {RELEASE} from releases
         where freelancer_id = $1 and currency = $2 and payout_id is null and taken_minor < net_minor
         order by available_at, id"
    );
    tx.all(&sql, params![freelancer, currency], release)
}

/// What a freelancer owes and can be set off, the oldest first. A debt for a refund that is still on its way is not among
/// them: the provider may refuse it, and then nothing is owed.
pub fn open_debts(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<Vec<Debt>> {
    tx.all(
        "select id, order_id, amount_minor - paid_minor from debts d
         where freelancer_id = $1 and currency = $2 and paid_minor < amount_minor
             and not exists (select 1 from refunds r where r.id = d.cause_id and r.order_id = d.order_id and r.status = 'pending')
         order by id",
        params![freelancer, currency],
        |row| Ok(Debt { id: row.next()?, order_id: row.next()?, unpaid: row.next()? }),
    )
}

/// A refund of the payment that is on its way and took of what was released.
pub fn giving_back(tx: &Tx, payment: &Payment) -> Result<Option<RefundId>> {
    tx.first(
        "select id from refunds
         where payment_id = $1 and status = 'pending' and escrow_minor = 0 and order_id = $2
         order by id limit 1",
        params![payment.id, payment.order_id],
        |row| row.next(),
    )
}

/// Whether a refund is on its way that took of what a freelancer earned: refused, it would come back to them.
pub fn is_giving_back(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<bool> {
    tx.exists(
        "select 1 from refunds r join payments p on p.id = r.payment_id and p.order_id = r.order_id
         where p.freelancer_id = $1 and r.currency = $2 and r.status = 'pending' and r.payable_minor + r.owed_minor > 0",
        params![freelancer, currency],
    )
}

/// How many payments and refunds are open at other providers than `provider`.
pub fn open_elsewhere(tx: &Tx, provider: &str) -> Result<i64> {
    tx.one(
        "select (select count(*) from payments where status in ('pending', 'requires_action') and provider <> $1)
             + (select count(*) from refunds r join payments p on p.id = r.payment_id and p.order_id = r.order_id
                where r.status = 'pending' and p.provider <> $1)",
        params![provider],
        |row| row.next(),
    )
}

/// The caller's transactions, an administrator's all of them, newest first.
pub fn transactions(
    tx: &Tx,
    actor: &Actor,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Transaction>> {
    let caller = actor.require_user()?;
    let mut sql = Sql::new(
        "select t.id, t.type, t.status, t.amount_minor, t.currency, t.order_id, t.payment_id, t.transaction_id, r.id, r.reason,
             t.created_at
         from transactions t left join refunds r on r.id = t.cause_id and r.order_id = t.order_id where 1 = 1",
    );
    if !actor.is_admin() {
        sql.push(" and t.user_id = ").bind(caller);
    }
    if let Some(kind) = filter.kind {
        sql.push(" and t.type = ").bind(kind);
    }
    if let Some(status) = filter.status {
        sql.push(" and t.status = ").bind(status);
    }
    if let Some(order) = filter.order_id {
        sql.push(" and t.order_id = ").bind(order);
    }
    if let Some(from) = filter.from {
        sql.push(" and t.created_at >= ").bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" and t.created_at < ").bind(to);
    }
    if let Some(last) = page.after::<Id<Transaction>>("transactions")? {
        sql.push(" and t.id < ").bind(last);
    }
    sql.push(" order by t.id desc limit ").bind(page.rows());
    page.page("transactions", sql.all(tx, transaction)?, |transaction| transaction.id)
}

fn transaction(row: &Row) -> Result<Transaction> {
    let (id, kind, status) = (row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    Ok(Transaction {
        id,
        kind,
        status,
        amount,
        currency: amount.currency(),
        order_id: row.next()?,
        payment_id: row.next()?,
        transaction_id: row.next()?,
        refund_id: row.next()?,
        reason: row.next()?,
        created_at: row.next()?,
    })
}

/// Money due from or to an account that wants to be deleted.
pub fn money_due(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    let due = ledger::balances(tx, &Account::Payable(user.cast()))?;
    let owed = due.into_iter().map(|(currency, minor)| Blocker {
        kind: "balance",
        id: user.to_string(),
        hint: format!(
            "{} {currency} is yours and not paid out: POST /payouts, once GET /payouts/balance says that it is available",
            Money::new(minor, currency)
        ),
    });
    let mut blockers: Vec<Blocker> = owed.collect();
    blockers.extend(tx.all(
        "select t.type, t.payment_id from transactions t join payments p on p.id = t.payment_id and p.order_id = t.order_id
         where t.user_id = $1 and t.status = 'pending' and (t.type = 'refund' or p.status = 'pending')
         order by t.id limit 100",
        params![user],
        |row| {
            let (kind, payment): (MovementKind, PaymentId) = (row.next()?, row.next()?);
            let hint = format!(
                "a {kind} is under way: wait until GET /payments/{payment} and its order are settled"
            );
            Ok(Blocker { kind: "payment", id: payment.to_string(), hint })
        },
    )?);
    blockers.extend(tx.all(
        "select c.payment_id from chargebacks c join payments p on p.id = c.payment_id and p.order_id = c.order_id
         where p.freelancer_id = $1 and c.status = 'open' order by c.id limit 100",
        params![user],
        |row| {
            let payment: PaymentId = row.next()?;
            let hint = "its buyer's bank takes it back: wait until the bank decides".to_owned();
            Ok(Blocker { kind: "payment", id: payment.to_string(), hint })
        },
    )?);
    Ok(blockers)
}
