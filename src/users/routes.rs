//! The operations on accounts.

use serde_json::json;

use crate::error::{self, Error, Result};
use crate::http::{Access, Answer, Call, Operation, RateClass, get, post};

use super::commands::{self, NewAccount};
use super::model::{Login, Register, SeenAccount, Tokens, guessable};
use super::{EMAIL_TAKEN, INVALID_CREDENTIALS, USERNAME_TAKEN, queries};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/users/register", register)
            .named("register", "Open an account")
            .access(Access::Unseen, "anyone")
            .rate(RateClass::Register)
            .body::<Register>(json!({ "username": "ada", "email": "ada@example.com", "password": "quiet copper lantern", "role": "buyer" }))
            .answers::<SeenAccount>(201, "The account, as its owner sees it.")
            .located()
            .problems(&[&EMAIL_TAKEN, &USERNAME_TAKEN]),
        post("/users/login", login)
            .named("login", "Log in")
            .access(Access::Unseen, "anyone")
            .body::<Login>(json!({ "email": "ada@example.com", "password": "quiet copper lantern" }))
            .answers::<Tokens>(200, "Tokens: an access token for 15 minutes, and a refresh token for the next pair.")
            .problems(&[&INVALID_CREDENTIALS]),
        get("/users/{id}", show)
            .named("getUser", "Read an account")
            .access(Access::Anyone, "anyone; the owner and an administrator see more")
            .answers::<SeenAccount>(200, "The account.")
            .versioned(),
    ];
    operations.into_iter().map(|operation| operation.tagged("Users")).collect()
}

async fn register(call: Call<Register>) -> Result<Answer> {
    let input = call.body.check()?;
    if guessable(input.password.as_str(), &[input.username.as_str(), input.email.as_str()]) {
        return Err(password_guessable());
    }
    let hash = call.app.hasher().hash(input.password.as_str()).await?;
    let new = NewAccount::new(input, hash);
    call.write(move |tx, _| {
        let account = commands::register(tx, &new)?;
        Ok(Answer::created(&account.own())?.at(format!("/users/{}", account.id)).etag(account.version, &()))
    })
    .await
}

pub(super) fn password_guessable() -> Error {
    Error::field("password", "password_guessable", "this would soon be guessed: try three unrelated words")
}

async fn login(call: Call<Login>) -> Result<Answer> {
    let input = call.body.check()?;
    let name = match (&input.email, &input.username) {
        (Some(name), None) | (None, Some(name)) => name.as_str().to_owned(),
        _ => return Err(Error::field("email", "required", "send either `email` or `username`")),
    };
    let by_email = input.email.is_some();
    let found = call.app.db().read(move |tx| queries::credentials(tx, &name, by_email)).await?;
    let hash = found.as_ref().map(|credentials| credentials.password_hash.as_str());
    let right = call.app.hasher().verify(input.password.as_str(), hash).await?;
    let Some(credentials) = found.filter(|_| right) else {
        return Err(INVALID_CREDENTIALS.error("unknown account or wrong password: check both"));
    };
    call.write(move |tx, _| Answer::ok(&commands::start_session(tx, credentials.id)?)).await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let id = call.user_id("id")?;
        let account = queries::find(tx, id)?.ok_or_else(error::not_found)?;
        Ok(Answer::ok(&account.seen_by(&call.actor))?.etag(account.version, &()))
    })
    .await
}
