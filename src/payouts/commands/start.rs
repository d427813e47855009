//! Starting a payout: everything that is available in one currency is claimed for it in one transaction.

use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::form::Unchecked;
use crate::ledger::{self, Account, Journal};
use crate::money::{Currency, Money};
use crate::params;
use crate::payments::releases::{self, Earned};
use crate::payments::{self, Paying};
use crate::time::Time;
use crate::users;

use super::super::model::{
    AccountStatus, ItemId, Payout, PayoutAccount, PayoutId, PayoutSettings, RequestPayout, Way,
};
use super::super::{
    BALANCE_OWED, BELOW_MINIMUM, NOTHING_TO_PAY_OUT, PAYOUT_ACCOUNT_REQUIRED, PAYOUT_SCHEDULE,
    PAYOUTS_FROZEN, TRANSFER_SEND, Terms, queries,
};

/// A payout pays for so many orders at most; what is left waits for the next.
const MOST_ITEMS: i64 = 100;
/// So many payouts in one currency are started at a time by a schedule.
const MOST_AT_ONCE: usize = 20;

/// Pays out what the caller has available in one currency.
pub fn request(tx: &Tx, actor: &Actor, input: &Unchecked<RequestPayout>, way: Way) -> Result<Payout> {
    let freelancer = actor.require_seller()?;
    let currency = match input.check()?.currency {
        Some(currency) => currency,
        None => only_currency(tx, freelancer)?,
    };
    let account = require_ready(tx, freelancer, currency, way)?;
    start(tx, actor, &account, currency, way)
}

/// The provider whose money is paid out.
fn through(tx: &Tx) -> &'static str {
    tx.wired::<Terms>().paid_through
}

/// The one currency that something is available in; else the house's, for the answer that there is nothing.
fn only_currency(tx: &Tx, freelancer: UserId) -> Result<Currency> {
    match releases::cleared_in_all(tx, freelancer, through(tx))?.as_slice() {
        [only] => Ok(only.currency()),
        [] => match releases::uncleared(tx, freelancer, through(tx))?.first() {
            Some((_, next)) => Ok(next.currency()),
            None => Ok(tx.wired::<crate::config::Market>().currency),
        },
        several => {
            let codes: Vec<&str> = several.iter().map(|money| money.currency().code()).collect();
            let detail = format!("money is available in {}: say which to pay out", codes.join(", "));
            Err(Error::field("currency", "required", detail))
        }
    }
}

/// Pays out in every currency what a freelancer has available who wants that by himself, and lets it happen again.
pub fn by_schedule(tx: &Tx, freelancer: UserId, way: Way) -> Result<()> {
    let PayoutSettings { schedule, chosen_at, .. } = queries::settings(tx, freelancer)?;
    let Some(pause) = schedule.every() else { return Ok(()) };
    let next = next_of(chosen_at.unwrap_or(tx.now()), pause, tx.now());
    events::schedule(tx, PAYOUT_SCHEDULE, freelancer, next)?;
    for available in releases::cleared_in_all(tx, freelancer, through(tx))? {
        match start_all(tx, freelancer, available.currency(), way) {
            Ok(()) => {}
            Err(Error::Refused(why)) => {
                tracing::debug!(%freelancer, code = why.problem.code, "a payout of the schedule is left out");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// When it is due next, counted from when it was chosen: a payout that comes late makes no later one late.
fn next_of(chosen_at: Time, every: Duration, now: Time) -> Time {
    let passed = now.since(chosen_at).as_micros() / every.as_micros().max(1);
    chosen_at.plus(every.saturating_mul(u32::try_from(passed + 1).unwrap_or(u32::MAX)))
}

/// Pays out everything in one currency, in as many payouts as it takes.
fn start_all(tx: &Tx, freelancer: UserId, currency: Currency, way: Way) -> Result<()> {
    let account = require_ready(tx, freelancer, currency, way)?;
    for _ in 0..MOST_AT_ONCE {
        start(tx, &Actor::System, &account, currency, way)?;
        if cleared(tx, freelancer, currency)?.minor() == 0 {
            break;
        }
    }
    Ok(())
}

/// The account to pay to, if everything that can be paid out in one currency may be now.
fn require_ready(tx: &Tx, freelancer: UserId, currency: Currency, way: Way) -> Result<PayoutAccount> {
    if !users::find(tx, freelancer)?.is_some_and(|account| account.is_active()) {
        return Err(PAYOUTS_FROZEN.error("the account is suspended: its money stays where it is until then"));
    }
    let account = require_account(tx, freelancer, way)?;
    require_nothing_owed(tx, freelancer, currency)?;
    require_enough(tx, freelancer, currency)?;
    Ok(account)
}

fn start(tx: &Tx, actor: &Actor, account: &PayoutAccount, currency: Currency, way: Way) -> Result<Payout> {
    let freelancer = account.user_id;
    let mut earned = releases::cleared(tx, freelancer, currency, through(tx), MOST_ITEMS)?;
    let id: PayoutId = tx.new_id();
    let mut claimed = Vec::with_capacity(earned.len());
    for one in earned.drain(..) {
        if releases::claim(tx, &one, id)? {
            claimed.push(one);
        }
    }
    let amount = sum(&claimed, currency)?;
    if amount.minor() == 0 {
        return Err(nothing(tx, freelancer, currency)?);
    }
    tx.execute(
        "insert into payouts (id, freelancer_id, provider, account, details, currency, amount_minor, status, created_at,
             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8)",
        params![
            id,
            freelancer,
            way.provider(),
            account.reference,
            account.details,
            currency,
            amount.minor(),
            tx.now()
        ],
    )?;
    for one in &claimed {
        let item = send_on_its_way(tx, id, freelancer, one)?;
        if !way.is_by_hand() {
            events::schedule(tx, TRANSFER_SEND, item, tx.now())?;
        }
    }
    let parts: Vec<_> =
        claimed.iter().map(|one| json!({ "order_id": one.order_id, "amount": one.amount })).collect();
    let body = json!({
        "payout_id": id, "freelancer_id": freelancer, "amount": amount, "currency": currency, "items": parts,
    });
    events::append(tx, actor, "payout_started", id, body)?;
    queries::payout_of(tx, id)
}

fn require_account(tx: &Tx, freelancer: UserId, way: Way) -> Result<PayoutAccount> {
    if let Some(account) = queries::enabled_account(tx, freelancer, way)? {
        return Ok(account);
    }
    let present = queries::account(tx, freelancer, way.provider())?;
    let status = present.map_or(AccountStatus::None, |account| account.status);
    let mend = match (way.is_by_hand(), status) {
        (true, AccountStatus::None) => "say where to pay to with PUT /payouts/account {\"details\": …}",
        (true, _) => "the last payout did not arrive: correct the details with PUT /payouts/account",
        (false, AccountStatus::None) => "open an account at the payment provider with POST /payouts/account",
        (false, _) => "GET /payouts/account says what is missing, POST /payouts/account goes on with it",
    };
    Err(PAYOUT_ACCOUNT_REQUIRED
        .error(format!("there is no account that can be paid to: {mend}"))
        .with("account", status))
}

/// What is owed is set off first; nothing is paid while more of it is left, or while it may still come back.
fn require_nothing_owed(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<()> {
    if payments::ready_to_pay_out(tx, freelancer, currency)? {
        return Ok(());
    }
    let owed = Money::new(-ledger::balance(tx, &Account::Owed(freelancer.cast()), currency)?, currency);
    let detail = if payments::is_giving_back(tx, freelancer, currency)? {
        "a refund that takes of what you earned is on its way: ask again when it has arrived".to_owned()
    } else {
        format!("you owe {owed} {currency}: what your next orders earn settles it first")
    };
    Err(BALANCE_OWED.error(detail).with("owed", owed))
}

/// All that can be paid out in one currency, in however many payouts.
fn cleared(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<Money> {
    let all = releases::cleared_in_all(tx, freelancer, through(tx))?;
    Ok(all.into_iter().find(|money| money.currency() == currency).unwrap_or(Money::new(0, currency)))
}

fn require_enough(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<()> {
    let wanted = queries::settings(tx, freelancer)?.minimum.unwrap_or(tx.wired::<Terms>().minimum);
    let (available, minimum) = (cleared(tx, freelancer, currency)?, wanted.of(currency));
    if available.minor() == 0 {
        return Err(nothing(tx, freelancer, currency)?);
    }
    if available.minor() >= minimum.minor() {
        return Ok(());
    }
    Err(BELOW_MINIMUM
        .error(format!(
            "{available} {currency} is available and the minimum is {minimum}: wait for more, or PUT /payouts/settings {{\"minimum\": …}}"
        ))
        .with("available", available)
        .with("minimum", minimum))
}

/// 409 with the moment when there will be something.
fn nothing(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<Error> {
    let uncleared = releases::uncleared(tx, freelancer, through(tx))?;
    let next = uncleared.into_iter().find(|(_, money)| money.currency() == currency).map(|(at, _)| at);
    let on_its_way = ledger::balance(tx, &Account::Payouts(freelancer.cast()), currency)?;
    let detail = match next {
        Some(at) => format!("nothing is available in {currency} yet: ask again from {at} on"),
        None if on_its_way > 0 => format!(
            "{} {currency} is on its way already: GET /payouts?status=pending tells how it stands",
            Money::new(on_its_way, currency)
        ),
        None => format!("nothing is available in {currency}, and nothing is coming: complete orders first"),
    };
    Ok(NOTHING_TO_PAY_OUT.error(detail).with("available_at", next))
}

fn sum(earned: &[Earned], currency: Currency) -> Result<Money> {
    let minor = earned.iter().try_fold(0_i64, |sum, one| sum.checked_add(one.amount.minor()));
    minor.map(|minor| Money::new(minor, currency)).ok_or_else(|| Error::broken("a payout beyond all numbers"))
}

/// Books what one order earned as a part of the payout.
fn send_on_its_way(tx: &Tx, payout: PayoutId, freelancer: UserId, earned: &Earned) -> Result<ItemId> {
    let id: ItemId = tx.new_id();
    let (minor, currency) = (earned.amount.minor(), earned.amount.currency());
    tx.execute(
        "insert into payout_items (id, payout_id, release_id, order_id, amount_minor, currency, status, provider_key,
             created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $8)",
        params![
            id,
            payout,
            earned.id,
            earned.order_id,
            minor,
            currency,
            format!("payout-item-{id}"),
            tx.now()
        ],
    )?;
    let (payable, payouts) = (Account::Payable(freelancer.cast()), Account::Payouts(freelancer.cast()));
    ledger::post(
        tx,
        &Journal {
            order_id: earned.order_id.cast(),
            kind: "payout",
            cause_id: id.cast(),
            currency,
            lines: &[(payable, -minor), (payouts, minor)],
        },
    )?;
    payments::list_payout(
        tx,
        &Paying { freelancer, order_id: earned.order_id, amount: earned.amount, cause_id: id.cast() },
    )?;
    Ok(id)
}
