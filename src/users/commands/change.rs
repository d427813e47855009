//! Changing an account: names, role, password.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{Error, FORBIDDEN, FieldError, OnConstraint, Result};
use crate::events;
use crate::form::Unchecked;
use crate::params;
use crate::version::Expected;

use super::super::model::{Account, Attempt, ChangeAccount, Email, Password, Username};
use super::super::queries::{self, account_of};
use super::super::throttle::{self, Guess};
use super::super::{Blocker, Hooks, ROLE_IN_USE, WRONG_PASSWORD, sessions};
use super::{email_taken, guessable_password, username_taken, wrong};

/// What a change needs before its transaction: passwords that are compared and hashed outside of one.
pub struct Demand {
    /// The current password as it was sent, and the hash of the real one.
    pub current: Option<(Attempt, String)>,
    pub new_password: Option<Password>,
    own_words: Vec<String>,
    wrong: Vec<FieldError>,
}

impl Demand {
    /// The same, or every mistake that the form alone does not show.
    pub fn check(mut self) -> Result<Self> {
        let own_words: Vec<&str> = self.own_words.iter().map(String::as_str).collect();
        let password = self.new_password.as_ref();
        self.wrong.extend(password.and_then(|password| guessable_password(password.as_str(), &own_words)));
        if self.wrong.is_empty() { Ok(self) } else { Err(Error::Invalid(self.wrong)) }
    }
}

/// That the current password was right while its hash was this one.
pub struct Proof {
    pub guess: Guess,
    pub current_hash: String,
    /// Of the new password, where it is another one.
    pub new_hash: Option<String>,
}

/// Finds out what a change needs, or that it is not the caller's to make.
pub fn demand(
    tx: &Tx,
    actor: &Actor,
    id: UserId,
    input: &Unchecked<ChangeAccount>,
    guess: &Guess,
) -> Result<Demand> {
    let (account, change) = asked(tx, actor, id, input)?;
    let news = News::of(&account, &change);
    let mut demand = Demand {
        current: None,
        own_words: own_words(&account, &news),
        wrong: wrong_role(&account, &change).into_iter().collect(),
        new_password: change.password.clone().given(),
    };
    match (news.email.is_some() || change.password.is_given(), change.current_password) {
        (true, Some(current)) => {
            guess.admit(tx, Some(id))?;
            let hash = queries::password_hash(tx, id)?;
            demand.current =
                Some((current, hash.ok_or_else(|| Error::broken("an account without a password"))?));
        }
        (true, None) => demand.wrong.push(no_current_password()),
        (false, _) => {}
    }
    Ok(demand)
}

/// Changes the fields given. A new e-mail address or password needs `proof` and ends every other session.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    id: UserId,
    input: &Unchecked<ChangeAccount>,
    expected: &Expected,
    proof: Option<&Proof>,
) -> Result<Account> {
    let (account, change) = asked(tx, actor, id, input)?;
    if let Some(wrong) = wrong_role(&account, &change) {
        return Err(Error::Invalid(vec![wrong]));
    }
    let news = News::of(&account, &change);
    if news.email.is_some() || change.password.is_given() {
        let proof = proof.ok_or_else(|| Error::Invalid(vec![no_current_password()]))?;
        proof.guess.admit(tx, Some(id))?;
        // Somebody else has changed it since it was compared.
        if queries::password_hash(tx, id)?.as_ref() != Some(&proof.current_hash) {
            return Err(wrong_password());
        }
    }
    expected.check(account.version)?;
    let new_hash = proof.and_then(|proof| proof.new_hash.as_deref());
    let changed = news.fields(new_hash);
    if changed.is_empty() {
        return Ok(account);
    }
    if let Some(role) = news.role {
        require_free(tx, &account, role)?;
    }
    news.store(tx, &account, new_hash)?;
    if news.email.is_some() || new_hash.is_some() {
        throttle::lift(tx, &account)?;
        throttle::forget_addresses(tx, id)?;
        sessions::end_all(tx, id, actor.session())?;
    }
    events::append(tx, actor, "account_changed", id, json!({ "fields": changed }))?;
    account_of(tx, id)
}

/// The owner's account and what he asks for.
fn asked(
    tx: &Tx,
    actor: &Actor,
    id: UserId,
    input: &Unchecked<ChangeAccount>,
) -> Result<(Account, ChangeAccount)> {
    let account = queries::standing(tx, id)?;
    if !actor.is(id) {
        return Err(FORBIDDEN.error("only its owner changes an account: PUT /users/me changes yours"));
    }
    let change = input.check_against(&account.own())?;
    Ok((account, change))
}

/// What really changes, without the password.
struct News<'c> {
    username: Option<&'c Username>,
    email: Option<&'c Email>,
    role: Option<Role>,
}

impl<'c> News<'c> {
    fn of(account: &Account, change: &'c ChangeAccount) -> Self {
        let username = change.username.as_ref().given();
        let email = change.email.as_ref().given();
        Self {
            username: username.filter(|new| account.username.as_deref() != Some(new.as_str())),
            email: email.filter(|new| account.email.as_deref() != Some(new.as_str())),
            role: change.role.clone().given().filter(|new| account.role != *new),
        }
    }

    fn fields(&self, new_hash: Option<&str>) -> Vec<&'static str> {
        let changed = [
            ("username", self.username.is_some()),
            ("email", self.email.is_some()),
            ("role", self.role.is_some()),
            ("password", new_hash.is_some()),
        ];
        changed.into_iter().filter_map(|(field, changes)| changes.then_some(field)).collect()
    }

    fn store(&self, tx: &Tx, account: &Account, new_hash: Option<&str>) -> Result<()> {
        tx.execute(
            "update users set username = coalesce($2, username), username_folded = coalesce($3, username_folded),
                 email = coalesce($4, email), email_folded = coalesce($5, email_folded), email_verified = $6,
                 role = $7, password_hash = coalesce($8, password_hash), version = version + 1, updated_at = $9
             where id = $1",
            params![
                account.id,
                self.username.map(Username::as_str),
                self.username.map(Username::folded),
                self.email.map(Email::as_str),
                self.email.map(Email::folded),
                account.email_verified && self.email.is_none(),
                self.role.unwrap_or(account.role),
                new_hash,
                tx.now()
            ],
        )
        .on_unique("users_email_folded", email_taken)
        .on_unique("users_username_folded", username_taken)?;
        Ok(())
    }
}

fn own_words(account: &Account, news: &News) -> Vec<String> {
    let new = [news.username.map(Username::as_str), news.email.map(Email::as_str)];
    account.own_words().into_iter().chain(new.into_iter().flatten()).map(str::to_owned).collect()
}

fn wrong_role(account: &Account, change: &ChangeAccount) -> Option<FieldError> {
    let role = change.role.clone().given().filter(|role| *role != account.role)?;
    match (account.role, role) {
        (_, Role::Admin) => Some(wrong(
            "role",
            "invalid_value",
            "send \"buyer\", \"freelancer\" or \"both\": administrators are made at the command line",
        )),
        (Role::Admin, _) => Some(wrong(
            "role",
            "role_fixed",
            "an administrator stays one: leave `role` out, and register another account to trade with",
        )),
        _ => None,
    }
}

/// 409 while the side that `role` gives up is still needed.
fn require_free(tx: &Tx, account: &Account, role: Role) -> Result<()> {
    let hooks = tx.wired::<Hooks>();
    let buying = hooks.buying.iter().filter(|_| account.role.buys() && !role.buys());
    let selling = hooks.selling.iter().filter(|_| account.role.sells() && !role.sells());
    let mut blockers: Vec<Blocker> = Vec::new();
    for blocking in buying.chain(selling) {
        blockers.extend(blocking(tx, account.id)?);
    }
    if blockers.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "listings or open orders still need the role {}: see `blockers`, or send \"both\"",
        account.role
    );
    Err(ROLE_IN_USE.error(detail).with("blockers", blockers))
}

fn no_current_password() -> FieldError {
    wrong(
        "current_password",
        "required",
        "a new e-mail address or password needs `current_password`: the one that you log in with now",
    )
}

pub fn wrong_password() -> Error {
    WRONG_PASSWORD.error("`current_password` is wrong: send the password that you log in with now")
}
