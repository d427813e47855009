//! Finding accounts, settings, balances and payouts.

use crate::actor::{Actor, UserId};
use crate::db::{Json, Row, Sql, Tx};
use crate::error::{self, Error, FORBIDDEN, Result};
use crate::ledger::{self, Account};
use crate::money::{Currency, Money, Threshold};
use crate::orders::{self, OrderId};
use crate::page::{Page, PageRequest};
use crate::params;
use crate::payments::{self, releases};
use crate::providers::{TransferRequest, summed};
use crate::users::Blocker;

use super::Terms;
use super::model::{
    AccountStatus, Balance, Balances, Item, ItemId, ItemStatus, Payout, PayoutAccount, PayoutId,
    PayoutSettings, PayoutToMake, Schedule, SeenPayout, Status, Way, day_by_day,
};

const ACCOUNT: &str = "user_id, reference, status, wanted, details, looked_at, version, created_at";

fn payout_account(row: &Row) -> Result<PayoutAccount> {
    Ok(PayoutAccount {
        user_id: row.next()?,
        reference: row.next()?,
        status: row.next()?,
        wanted: row.next::<Json<Vec<String>>>()?.0,
        details: row.next()?,
        looked_at: row.next()?,
        version: row.next()?,
        created_at: row.next()?,
    })
}

/// The freelancer's account at a provider, if there is one.
pub fn account(tx: &Tx, user: UserId, provider: &str) -> Result<Option<PayoutAccount>> {
    let sql = format!("select {ACCOUNT} from payout_accounts where user_id = $1 and provider = $2");
    tx.first(&sql, params![user, provider], payout_account)
}

/// The account that a provider knows by this id.
pub fn account_named(tx: &Tx, reference: &str) -> Result<Option<PayoutAccount>> {
    let sql = format!("select {ACCOUNT} from payout_accounts where reference = $1");
    tx.first(&sql, params![reference], payout_account)
}

/// How the freelancer wants to be paid.
pub fn settings(tx: &Tx, user: UserId) -> Result<PayoutSettings> {
    let stored = tx.first(
        "select schedule, minimum_thousandths, chosen_at, version from payout_settings where user_id = $1",
        params![user],
        |row| {
            let schedule = row.next()?;
            let minimum: Option<i64> = row.next()?;
            Ok(PayoutSettings {
                schedule,
                minimum: minimum.map(Threshold::from_thousandths),
                chosen_at: Some(row.next()?),
                version: row.next()?,
            })
        },
    )?;
    Ok(stored.unwrap_or(PayoutSettings {
        schedule: Schedule::Manual,
        minimum: None,
        chosen_at: None,
        version: 0,
    }))
}

const COLUMNS: &str =
    "id, freelancer_id, provider, account, details, amount_minor, currency, status, version, created_at";

fn payout(row: &Row) -> Result<Payout> {
    Ok(Payout {
        id: row.next()?,
        freelancer_id: row.next()?,
        provider: row.next()?,
        account: row.next()?,
        details: row.next()?,
        amount: Money::new(row.next()?, row.next()?),
        status: row.next()?,
        version: row.next()?,
        created_at: row.next()?,
    })
}

/// The payout, if there is one.
pub fn find(tx: &Tx, id: PayoutId) -> Result<Option<Payout>> {
    tx.first(&format!("select {COLUMNS} from payouts where id = $1"), params![id], payout)
}

/// A payout that is known to be there.
pub fn payout_of(tx: &Tx, id: PayoutId) -> Result<Payout> {
    find(tx, id)?.ok_or_else(|| Error::broken(format!("payout {id} is gone")))
}

/// The payout, if it is the caller's or the caller administrates; otherwise 404.
pub fn seen(tx: &Tx, actor: &Actor, id: PayoutId) -> Result<Payout> {
    let concerns = |payout: &Payout| actor.is(payout.freelancer_id) || actor.is_admin();
    find(tx, id)?.filter(concerns).ok_or_else(error::not_found)
}

/// The caller's payouts, an administrator's all of them, newest first.
pub fn list(tx: &Tx, actor: &Actor, status: Option<Status>, page: &PageRequest) -> Result<Page<SeenPayout>> {
    let caller = actor.require_user()?;
    let own = (!actor.is_admin()).then_some(caller);
    let payouts = page_of(tx, own, status, page)?;
    payouts.try_map(|payout| Ok(payout.seen(&items(tx, payout.id)?)))
}

/// Everybody's, with where to pay to by hand, newest first.
pub fn list_all(
    tx: &Tx,
    actor: &Actor,
    status: Option<Status>,
    page: &PageRequest,
) -> Result<Page<PayoutToMake>> {
    actor.require_admin()?;
    page_of(tx, None, status, page)?.try_map(|payout| to_make(tx, &payout))
}

/// The payout as an administrator sees it.
pub fn to_make(tx: &Tx, payout: &Payout) -> Result<PayoutToMake> {
    let items = items(tx, payout.id)?;
    Ok(PayoutToMake {
        charged_back: items.iter().any(|item| item.status == ItemStatus::Pending && item.charged_back),
        payout: payout.seen(&items),
        details: payout.details.clone(),
    })
}

fn page_of(
    tx: &Tx,
    freelancer: Option<UserId>,
    status: Option<Status>,
    page: &PageRequest,
) -> Result<Page<Payout>> {
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from payouts where 1 = 1");
    if let Some(freelancer) = freelancer {
        sql.push(" and freelancer_id = ").bind(freelancer);
    }
    if status == Some(Status::Pending) {
        // Said in the text, for the index of open payouts.
        sql.push(" and status = 'pending'");
    } else if let Some(status) = status {
        sql.push(" and status = ").bind(status);
    }
    if let Some(last) = page.after::<PayoutId>("payouts")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    page.page("payouts", sql.all(tx, payout)?, |payout| payout.id)
}

const ITEM: &str = "select i.id, i.payout_id, i.release_id, i.order_id, o.title, i.amount_minor, i.currency, i.status, \
     i.provider_key, i.transaction_id, i.failure, i.failure_message, \
     exists (select 1 from chargebacks c where c.order_id = i.order_id and c.status = 'open'), i.created_at \
     from payout_items i join orders o on o.id = i.order_id";

fn item_row(row: &Row) -> Result<Item> {
    Ok(Item {
        id: row.next()?,
        payout_id: row.next()?,
        release_id: row.next()?,
        order_id: row.next()?,
        title: row.next()?,
        amount: Money::new(row.next()?, row.next()?),
        status: row.next()?,
        provider_key: row.next()?,
        transaction_id: row.next()?,
        failure: row.next()?,
        failure_message: row.next()?,
        charged_back: row.next()?,
        created_at: row.next()?,
    })
}

/// What the payout consists of.
pub fn items(tx: &Tx, payout: PayoutId) -> Result<Vec<Item>> {
    tx.all(&format!("{ITEM} where i.payout_id = $1 order by i.id"), params![payout], item_row)
}

/// One part of a payout, if there is one.
pub fn item(tx: &Tx, id: ItemId) -> Result<Option<Item>> {
    tx.first(&format!("{ITEM} where i.id = $1"), params![id], item_row)
}

/// The part whose transfer a provider knows by this id.
pub fn item_named(tx: &Tx, reference: &str) -> Result<Option<Item>> {
    let sql = format!(
        "{ITEM} join payouts p on p.id = i.payout_id
         where i.transaction_id = $1 and p.provider <> 'manual' order by i.id limit 1"
    );
    tx.first(&sql, params![reference], item_row)
}

/// The part whose transfer a provider means, by our key or else by its own id, and what it was asked for, to look how it
/// stands: decided or not.
pub fn transfer_known_as(
    tx: &Tx,
    key: Option<&str>,
    reference: &str,
) -> Result<Option<(ItemId, TransferRequest)>> {
    let by_key = format!(
        "{ITEM} join payouts p on p.id = i.payout_id where i.provider_key = $1 and p.provider <> 'manual'"
    );
    let keyed = key.map(|key| tx.first(&by_key, params![key], item_row)).transpose()?.flatten();
    let Some(item) = keyed.map_or_else(|| item_named(tx, reference), |item| Ok(Some(item)))? else {
        return Ok(None);
    };
    Ok(Some((item.id, request_of(tx, &item)?)))
}

/// What the provider is asked for: every time the same.
pub fn request_of(tx: &Tx, item: &Item) -> Result<TransferRequest> {
    let payout = payout_of(tx, item.payout_id)?;
    let charge = payments::captured(tx, item.order_id)?.and_then(|payment| payment.transaction_id);
    Ok(TransferRequest {
        key: item.provider_key.clone(),
        transfer_id: item.id.cast(),
        order_id: item.order_id.cast(),
        account: payout.account.ok_or_else(|| Error::broken("a payout by hand has no transfer"))?,
        charge: charge.ok_or_else(|| Error::broken("an order that earned without a charge"))?,
        amount: item.amount,
        begun_at: item.created_at,
    })
}

/// What the caller has with the house, per currency; for an administrator what `of` has.
pub fn balances(tx: &Tx, actor: &Actor, of: Option<UserId>) -> Result<Balances> {
    let freelancer = match of {
        Some(freelancer) if actor.is_admin() => freelancer,
        Some(freelancer) if !actor.is(freelancer) => {
            return Err(FORBIDDEN.error("a balance is its freelancer's own: leave out `user_id`"));
        }
        _ => actor.require_seller()?,
    };
    let through = tx.wired::<Terms>().paid_through;
    let available = releases::cleared_in_all(tx, freelancer, through)?;
    let uncleared = releases::uncleared(tx, freelancer, through)?;
    let on_its_way = ledger::balances(tx, &Account::Payouts(freelancer.cast()))?;
    let owed = ledger::balances(tx, &Account::Owed(freelancer.cast()))?;
    let frozen = frozen(tx, freelancer)?;
    let mut currencies: Vec<Currency> = available.iter().map(|money| money.currency()).collect();
    currencies.extend(uncleared.iter().map(|(_, money)| money.currency()));
    currencies.extend(on_its_way.iter().chain(&owed).chain(&frozen).map(|(currency, _)| *currency));
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    let of = |held: &[(Currency, i64)], currency| {
        held.iter().find(|(of, _)| *of == currency).map_or(0, |(_, minor)| *minor)
    };
    let balance = |currency: Currency| {
        let here = |money: &Money| money.currency() == currency;
        let next = day_by_day(uncleared.iter().filter(|(_, money)| here(money)).copied());
        let pending = next.iter().fold(0_i64, |sum, day| sum.saturating_add(day.amount.minor()));
        Balance {
            currency,
            pending: Money::new(pending, currency),
            available: available.iter().copied().find(here).unwrap_or(Money::new(0, currency)),
            owed: Money::new(-of(&owed, currency), currency),
            on_its_way: Money::new(of(&on_its_way, currency), currency),
            frozen: Money::new(of(&frozen, currency), currency),
            next,
        }
    };
    Ok(Balances { data: currencies.into_iter().map(balance).collect() })
}

/// What waits for a bank or the end of a dispute: the freelancer's share of what is held of disputed orders, and what of
/// released ones a chargeback keeps.
fn frozen(tx: &Tx, freelancer: UserId) -> Result<Vec<(Currency, i64)>> {
    // What no bank has decided is little: `cross join` keeps it outside, before all that the freelancer ever sold.
    let mut sums: Vec<Money> = tx.all(
        "select c.frozen_minor, c.currency from chargebacks c cross join orders o
         where o.id = c.order_id and o.freelancer_id = $1 and c.status = 'open' order by c.id",
        params![freelancer],
        |row| Ok(Money::new(row.next()?, row.next()?)),
    )?;
    let disputed: Vec<OrderId> = tx.all(
        "select id from orders where freelancer_id = $1 and status = 'disputed' order by id",
        params![freelancer],
        |row| row.next(),
    )?;
    for id in disputed {
        let order = orders::find(tx, id)?.ok_or_else(|| Error::broken(format!("order {id} is gone")))?;
        let held = payments::held(tx, &order)?;
        sums.push(order.amount.with_minor(order.shares_of(held).net));
    }
    Ok(summed(sums).into_iter().map(|sum| (sum.currency(), sum.minor())).collect())
}

/// Payouts under way and debts of an account that wants to be deleted.
pub fn money_due(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    let mut blockers = tx.all(
        "select id, amount_minor, currency from payouts where freelancer_id = $1 and status = 'pending'
         order by id limit 100",
        params![user],
        |row| {
            let id: PayoutId = row.next()?;
            let amount = Money::new(row.next()?, row.next()?);
            let hint = format!(
                "{amount} {} is on its way to you: wait until GET /payouts/{id} says how it ended",
                amount.currency()
            );
            Ok(Blocker { kind: "payout", id: id.to_string(), hint })
        },
    )?;
    let owed = ledger::balances(tx, &Account::Owed(user.cast()))?;
    blockers.extend(owed.into_iter().map(|(currency, minor)| Blocker {
        kind: "debt",
        id: user.to_string(),
        hint: format!(
            "you owe {} {currency}: settle it with whoever runs this marketplace",
            Money::new(-minor, currency)
        ),
    }));
    Ok(blockers)
}

/// Money that keeps an account selling: nobody else could ask for its payout.
pub fn needed_to_sell(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    let due = ledger::balances(tx, &Account::Payable(user.cast()))?;
    Ok(due
        .into_iter()
        .map(|(currency, minor)| Blocker {
            kind: "balance",
            id: user.to_string(),
            hint: format!(
                "{} {currency} is yours and not paid out: POST /payouts, once GET /payouts/balance says that it is available",
                Money::new(minor, currency)
            ),
        })
        .collect())
}

/// Where the parts of a payout stand.
pub fn standings(tx: &Tx, payout: PayoutId) -> Result<Vec<ItemStatus>> {
    tx.all("select status from payout_items where payout_id = $1 order by id", params![payout], |row| {
        row.next()
    })
}

/// Whether the freelancer can be paid at all, by [`Way`]: an account that is enabled.
pub fn enabled_account(tx: &Tx, user: UserId, way: Way) -> Result<Option<PayoutAccount>> {
    let enabled = |account: &PayoutAccount| account.status == AccountStatus::Enabled;
    Ok(account(tx, user, way.provider())?.filter(enabled))
}
