//! What freelancers are paid by the sandbox, and their accounts there.

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::params;

use super::super::{AccountState, Onboarding, TransferOutcome, TransferRequest};
use super::reference;
use super::telling::{Happening, tell};

/// A freelancer has one account, and it is ready at once.
pub(super) fn open_account(tx: &Tx, onboarding: &Onboarding) -> Result<AccountState> {
    let opened = tx.execute(
        "insert into sandbox_accounts (id, key, created_at) values ($1, $2, $3) on conflict (key) do nothing",
        params![reference(tx, "acct"), onboarding.key, tx.now()],
    )?;
    let id: String =
        tx.one("select id from sandbox_accounts where key = $1", params![onboarding.key], |row| row.next())?;
    if opened > 0 {
        let key = Some(onboarding.key.as_str());
        tell(
            tx,
            &Happening { said: "account.updated", object: "account", reference: &id, key, order_id: None },
        )?;
    }
    Ok(ready(id))
}

pub(super) fn ready(reference: String) -> AccountState {
    AccountState { reference, enabled: true, wanted: Vec::new() }
}

pub(super) fn require_account(tx: &Tx, reference: &str) -> Result<()> {
    match tx.exists("select 1 from sandbox_accounts where id = $1", params![reference])? {
        true => Ok(()),
        false => Err(Error::broken(format!("the sandbox has no account {reference}"))),
    }
}

/// The provider's id of the transfer with this key.
pub(super) fn transferred(tx: &Tx, key: &str) -> Result<Option<String>> {
    tx.first("select id from sandbox_transfers where key = $1", params![key], |row| row.next())
}

pub(super) fn send(tx: &Tx, transfer: &TransferRequest) -> Result<TransferOutcome> {
    if let Some(reference) = transferred(tx, &transfer.key)? {
        return Ok(TransferOutcome::Paid { reference });
    }
    require_account(tx, &transfer.account)?;
    let reference = reference(tx, "tr");
    tx.send(
        "insert into sandbox_transfers (id, key, account_id, charge_id, amount_minor, currency, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![
            reference,
            transfer.key,
            transfer.account,
            transfer.charge,
            transfer.amount.minor(),
            transfer.amount.currency(),
            tx.now()
        ],
    )?;
    tell(
        tx,
        &Happening {
            said: "transfer.created",
            object: "transfer",
            reference: &reference,
            key: Some(&transfer.key),
            order_id: Some(transfer.order_id),
        },
    )?;
    Ok(TransferOutcome::Paid { reference })
}
