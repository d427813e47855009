//! Where freelancers are paid to: opened and looked at by what the provider says, or written down to be paid by hand.

use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::config::Config;
use crate::db::{Json, Tx};
use crate::error::{Error, Result};
use crate::events;
use crate::form::{Change, Unchecked};
use crate::params;
use crate::providers::{AccountState, Onboarding};
use crate::users;
use crate::version::Expected;

use super::super::model::{
    AccountStatus, ChangePayoutAccount, MANUAL, OpenPayoutAccount, PayoutAccount, SeenPayoutAccount, Way,
};
use super::super::{PAYOUT_ACCOUNT, PAYOUT_SCHEDULE, PAYOUTS_BY_HAND, PAYOUTS_BY_PROVIDER, queries};

/// An account that is not ready is looked at again when it is twice as old, between these.
const SOONEST_LOOK: Duration = Duration::from_secs(600);
const LATEST_LOOK: Duration = Duration::from_secs(86_400);

/// Notes that the caller opens an account, or goes on with it; the provider is asked next.
pub fn begin(
    tx: &Tx,
    actor: &Actor,
    input: &Unchecked<OpenPayoutAccount>,
    way: Way,
    config: &Config,
) -> Result<UserId> {
    let freelancer = actor.require_seller()?;
    return_url(input, config)?;
    if way.is_by_hand() {
        return Err(PAYOUTS_BY_HAND.error(
            "payouts are made by hand here: say where to with PUT /payouts/account {\"details\": …}",
        ));
    }
    tx.execute(
        "insert into payout_accounts (user_id, provider, status, wanted, created_at, updated_at)
         values ($1, $2, 'pending', $3, $4, $4) on conflict (user_id, provider) do nothing",
        params![freelancer, way.provider(), Json(json!([])), tx.now()],
    )?;
    Ok(freelancer)
}

/// Where the provider sends the freelancer back to: never to strangers.
fn return_url(input: &Unchecked<OpenPayoutAccount>, config: &Config) -> Result<String> {
    match input.check()?.return_url {
        None => Ok(config.public_url()),
        Some(url) if config.is_own_site(url.as_str()) => Ok(url.as_str().to_owned()),
        Some(_) => {
            let own: Vec<String> =
                std::iter::once(config.public_url()).chain(config.cors_origins.iter().cloned()).collect();
            let detail = format!("send a page of this marketplace, below one of {}", own.join(", "));
            Err(Error::field("return_url", "url_not_allowed", detail))
        }
    }
}

/// What the provider is asked to open: every time with the same key, so that there is one account.
pub fn onboarding(
    tx: &Tx,
    user: UserId,
    input: &Unchecked<OpenPayoutAccount>,
    way: Way,
    config: &Config,
) -> Result<Onboarding> {
    let account = account_of(tx, user, way.provider())?;
    let owner = users::find(tx, user)?.and_then(|owner| owner.email);
    Ok(Onboarding {
        key: format!("account-{user}"),
        user_id: user.cast(),
        email: owner.ok_or_else(|| Error::broken("an account for nobody"))?,
        reference: account.reference,
        return_url: return_url(input, config)?,
        begun_at: account.created_at,
    })
}

fn account_of(tx: &Tx, user: UserId, provider: &str) -> Result<PayoutAccount> {
    queries::account(tx, user, provider)?
        .ok_or_else(|| Error::broken(format!("the payout account of {user} is gone")))
}

/// Notes how the account stands at its provider. An account that was closed meanwhile stays so.
pub fn apply_account(tx: &Tx, user: UserId, provider: &str, state: &AccountState) -> Result<()> {
    let Some(present) = queries::account(tx, user, provider)? else { return Ok(()) };
    let status = match (state.enabled, present.status) {
        (true, _) => AccountStatus::Enabled,
        (false, AccountStatus::Enabled | AccountStatus::Restricted) => AccountStatus::Restricted,
        (false, AccountStatus::None | AccountStatus::Pending) => AccountStatus::Pending,
    };
    let reference = Some(state.reference.clone());
    if (status, &state.wanted, &reference) == (present.status, &present.wanted, &present.reference) {
        tx.execute(
            "update payout_accounts set looked_at = $3 where user_id = $1 and provider = $2",
            params![user, provider, tx.now()],
        )?;
    } else {
        tx.execute(
            "update payout_accounts set reference = $3, status = $4, wanted = $5, looked_at = $6,
                 version = version + 1, updated_at = $6
             where user_id = $1 and provider = $2",
            params![user, provider, state.reference, status, Json(&state.wanted), tx.now()],
        )?;
    }
    if status == AccountStatus::Enabled {
        events::cancel(tx, PAYOUT_ACCOUNT, user)?;
    } else {
        let age = tx.now().since(present.created_at).clamp(SOONEST_LOOK, LATEST_LOOK);
        events::schedule(tx, PAYOUT_ACCOUNT, user, tx.now().plus(age))?;
    }
    tell(tx, &Actor::System, user, present.status, status, None)
}

/// Says that an account has become ready, or is no longer.
fn tell(
    tx: &Tx,
    actor: &Actor,
    user: UserId,
    from: AccountStatus,
    to: AccountStatus,
    message: Option<&str>,
) -> Result<()> {
    let kind = match to {
        AccountStatus::Enabled => "payout_account_enabled",
        AccountStatus::Restricted => "payout_account_restricted",
        AccountStatus::None | AccountStatus::Pending => return Ok(()),
    };
    if from == to {
        return Ok(());
    }
    events::append(tx, actor, kind, user, json!({ "freelancer_id": user, "message": message })).map(drop)
}

/// Money came back from where this account pays to: nothing more is sent there until somebody has looked after it.
pub(super) fn restrict(tx: &Tx, actor: &Actor, user: UserId, provider: &str, why: &str) -> Result<()> {
    let Some(present) = queries::account(tx, user, provider)? else { return Ok(()) };
    tx.execute(
        "update payout_accounts set status = 'restricted', wanted = $3, looked_at = $4, version = version + 1,
             updated_at = $4
         where user_id = $1 and provider = $2",
        params![user, provider, Json(json!([why])), tx.now()],
    )?;
    events::cancel(tx, PAYOUT_ACCOUNT, user)?;
    tell(tx, actor, user, present.status, AccountStatus::Restricted, Some(why))
}

/// The provider says that something has changed about an account: it is looked at soon. Whether there is such an account.
pub fn account_told(tx: &Tx, reference: &str) -> Result<bool> {
    let Some(account) = queries::account_named(tx, reference)? else { return Ok(false) };
    events::schedule(tx, PAYOUT_ACCOUNT, account.user_id, tx.now())?;
    Ok(true)
}

/// Writes down where to pay to by hand. Details that are there change only when the password was `proven`. Payouts that
/// were started before go where they were to go.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    input: &Unchecked<ChangePayoutAccount>,
    way: Way,
    expected: &Expected,
    proven: bool,
) -> Result<SeenPayoutAccount> {
    let freelancer = actor.require_seller()?;
    let present = queries::account(tx, freelancer, way.provider())?;
    let form = input.check_against(&SeenPayoutAccount::new(way, present.as_ref()))?;
    expected.check(present.as_ref().map_or(0, |account| account.version))?;
    if !way.is_by_hand() {
        return Err(PAYOUTS_BY_PROVIDER.error(
            "payouts are made through the payment provider: open an account with POST /payouts/account",
        ));
    }
    let before = present.as_ref().and_then(|account| account.details.as_deref());
    let Change::To(details) = form.details else {
        return Ok(SeenPayoutAccount::new(way, present.as_ref()));
    };
    // The same details again: whoever wrote them says that they are right after all.
    let stands = present.as_ref().is_some_and(|account| account.status == AccountStatus::Enabled);
    let changes = before != Some(details.as_str());
    if changes || !stands {
        if changes && before.is_some() && !proven {
            let detail = "to change where you are paid to, send the password that you log in with";
            return Err(Error::field("current_password", "required", detail));
        }
        tx.execute(
            "insert into payout_accounts (user_id, provider, status, wanted, details, created_at, updated_at)
             values ($1, $2, 'enabled', $3, $4, $5, $5)
             on conflict (user_id, provider) do update
             set status = 'enabled', wanted = excluded.wanted, details = excluded.details,
                 version = payout_accounts.version + 1, updated_at = excluded.updated_at",
            params![freelancer, MANUAL, Json(json!([])), details.as_str(), tx.now()],
        )?;
        let body = json!({ "freelancer_id": freelancer });
        events::append(tx, actor, "payout_account_changed", freelancer, body)?;
    }
    let now = account_of(tx, freelancer, MANUAL)?;
    Ok(SeenPayoutAccount::new(way, Some(&now)))
}

/// Forgets where a deleted account was paid to, and when.
pub fn forget(tx: &Tx, user: UserId) -> Result<()> {
    tx.execute("delete from payout_accounts where user_id = $1", params![user])?;
    tx.execute("update payouts set details = null where freelancer_id = $1", params![user])?;
    tx.execute("delete from payout_settings where user_id = $1", params![user])?;
    events::cancel(tx, PAYOUT_ACCOUNT, user)?;
    events::cancel(tx, PAYOUT_SCHEDULE, user)
}
