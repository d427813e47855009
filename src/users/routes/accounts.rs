//! Accounts themselves: opened, read, changed, deleted, overseen.

use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::form::{Form, Unchecked};
use crate::http::{Answer, Call};

use super::super::commands::{self, NewAccount, Proof};
use super::super::model::{Attempt, ChangeAccount, Email, Password, Register, Suspend, Username};
use super::super::queries;
use super::super::throttle::Guess;

pub(super) async fn register(call: Call<Register>) -> Result<Answer> {
    let input = with_password_told(&call.body)?;
    let hash = call.app.hasher().hash(input.password.as_str()).await?;
    let new = NewAccount::new(input, hash);
    call.write(move |tx, _| {
        let account = commands::register(tx, &new)?;
        Ok(Answer::created(&account.own())?.at(format!("/users/{}", account.id)).etag(account.version, &()))
    })
    .await
}

/// The account that is asked for; a guessable password is told together with every other mistake.
fn with_password_told(body: &Unchecked<Register>) -> Result<Register> {
    let (username, email) = (body.peek::<Username>("username"), body.peek::<Email>("email"));
    let known = [username.as_ref().map(Username::as_str), email.as_ref().map(Email::as_str)];
    let own_words: Vec<&str> = known.into_iter().flatten().collect();
    let password = body.peek::<Password>("password");
    let mistake = password.and_then(|password| commands::guessable_password(password.as_str(), &own_words));
    match (body.check(), mistake) {
        (Err(Error::Invalid(mut wrongs)), Some(mistake)) => {
            wrongs.push(mistake);
            Err(Error::Invalid(wrongs))
        }
        (Ok(_), Some(mistake)) => Err(Error::Invalid(vec![mistake])),
        (checked, _) => checked,
    }
}

pub(super) async fn show(call: Call) -> Result<Answer> {
    call.glance(|tx, call| {
        let account = queries::find(tx, call.user_id("id")?)?.ok_or_else(error::not_found)?;
        Ok(Answer::ok(&account.seen_by(&call.actor))?.etag(account.version, &()))
    })
    .await
}

pub(super) async fn update(call: Call<ChangeAccount>) -> Result<Answer> {
    let proof = proof(&call).await?;
    call.write(move |tx, call| {
        let id = call.user_id("id")?;
        let account = commands::change(tx, &call.actor, id, &call.body, &call.expected(), proof.as_ref())?;
        Ok(Answer::ok(&account.seen_by(&call.actor))?.etag(account.version, &()))
    })
    .await
}

/// That the caller knows the password of the account; otherwise it was a guess, and counts as one.
pub async fn prove<F: Form>(call: &Call<F>, current: &Attempt) -> Result<()> {
    let id = call.actor.require_user()?;
    let guess = Guess::own(id, call.address(), !call.app.rate_limits().are_off());
    let early = guess.clone();
    let admitted = move |tx: &Tx| {
        early.admit(tx, Some(id))?;
        queries::password_hash(tx, id)
    };
    let hash = call.app.db().read(admitted).await?;
    if call.app.hasher().verify(current.as_str(), hash.as_deref()).await? {
        return Ok(());
    }
    let count = move |tx: &Tx| guess.admit(tx, Some(id)).and_then(|()| guess.failed(tx, Some(id)));
    call.app.db().write(count).await?;
    Err(commands::wrong_password())
}

/// Compares and hashes the passwords that the change needs, before its transaction.
async fn proof(call: &Call<ChangeAccount>) -> Result<Option<Proof>> {
    let (id, asked) = (call.user_id("id")?, call.clone());
    let guess = Guess::own(id, call.address(), !call.app.rate_limits().are_off());
    let early = guess.clone();
    let demand =
        call.app.db().read(move |tx| commands::demand(tx, &asked.actor, id, &asked.body, &early)).await?;
    let demand = demand.check()?;
    let Some((current, current_hash)) = demand.current else { return Ok(None) };
    if !call.app.hasher().verify(current.as_str(), Some(&current_hash)).await? {
        // Those compared side by side are counted one after the other, and none beyond the allowed ones learns anything.
        let count = move |tx: &Tx| guess.admit(tx, Some(id)).and_then(|()| guess.failed(tx, Some(id)));
        call.app.db().write(count).await?;
        return Err(commands::wrong_password());
    }
    let another = demand.new_password.filter(|new| new.as_str() != current.as_str());
    let new_hash = match another {
        Some(new) => Some(call.app.hasher().hash(new.as_str()).await?),
        None => None,
    };
    Ok(Some(Proof { guess, current_hash, new_hash }))
}

pub(super) async fn close(call: Call) -> Result<Answer> {
    call.write(|tx, call| {
        commands::close(tx, &call.actor, call.user_id("id")?, &call.expected())?;
        Answer::no_content()
    })
    .await
}

pub(super) async fn search(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let short = |text: &str| (text.chars().count() <= 254).then(|| text.to_owned());
        let start =
            call.query.parsed("q", "at most 254 characters", short)?.filter(|start| !start.is_empty());
        let (page, list) = (call.page()?, format!("users {}", start.as_deref().unwrap_or_default()));
        let found = queries::search(tx, &call.actor, start.as_deref(), page.after(&list)?, page.rows())?;
        let seen = page.page(&list, found, |account| account.id)?.map(|account| account.seen_by(&call.actor));
        call.list(&seen, seen.next_cursor.as_deref())
    })
    .await
}

pub(super) async fn suspend(call: Call<Suspend>) -> Result<Answer> {
    call.write(|tx, call| {
        let account = commands::suspend(tx, &call.actor, call.user_id("id")?, &call.body)?;
        Ok(Answer::ok(&account.seen_by(&call.actor))?.etag(account.version, &()))
    })
    .await
}

pub(super) async fn reinstate(call: Call<Suspend>) -> Result<Answer> {
    call.write(|tx, call| {
        let account = commands::reinstate(tx, &call.actor, call.user_id("id")?, &call.body)?;
        Ok(Answer::ok(&account.seen_by(&call.actor))?.etag(account.version, &()))
    })
    .await
}
