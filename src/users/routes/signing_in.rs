//! Login, refresh, logout. A password is compared between two transactions; the second one decides.

use http::header;

use crate::error::{Error, Result};
use crate::http::{Answer, Call};

use super::super::commands::{self, Candidate, Verdict};
use super::super::model::{Attempt, Login, LoginName, Logout, Refresh, Tokens};
use super::super::throttle::Guess;

pub(super) async fn login(call: Call<Login>) -> Result<Answer> {
    let input = call.body.check()?;
    let name = login_name(&input)?;
    let guess = Guess::login(name.clone(), call.address(), !call.app.rate_limits().are_off());
    let early = guess.clone();
    let tried = call.app.db().read(move |tx| commands::candidate(tx, &name, &early)).await?;
    let verdict = compare(&call, &input.password, &tried).await?;
    let outcome = call.app.db().write(move |tx| commands::log_in(tx, &guess, &tried, &verdict)).await?;
    tokens(&outcome?)
}

fn login_name(input: &Login) -> Result<LoginName> {
    match (&input.email, &input.username) {
        (Some(email), None) => Ok(LoginName::email(email.as_str())),
        (None, Some(username)) => Ok(LoginName::either(username.as_str())),
        _ => Err(Error::field("email", "required", "send either `email` or `username`")),
    }
}

/// Takes the same time whether there is an account or not.
async fn compare(call: &Call<Login>, password: &Attempt, tried: &Candidate) -> Result<Verdict> {
    let hasher = call.app.hasher();
    let right = hasher.verify(password.as_str(), tried.password_hash.as_deref()).await?;
    let outdated = right && tried.password_hash.as_deref().is_some_and(|hash| hasher.is_outdated(hash));
    let rehashed = if outdated { Some(hasher.hash(password.as_str()).await?) } else { None };
    Ok(Verdict { right, rehashed })
}

pub(super) async fn refresh(call: Call<Refresh>) -> Result<Answer> {
    let token = call.body.check()?.refresh_token;
    let outcome = call.app.db().write(move |tx| commands::refresh(tx, token.as_str())).await?;
    tokens(&outcome?)
}

/// Tokens are not for caches (RFC 6749, section 5.1).
fn tokens(tokens: &Tokens) -> Result<Answer> {
    Ok(Answer::ok(tokens)?.header(header::CACHE_CONTROL, "no-store".to_owned()))
}

pub(super) async fn logout(call: Call<Logout>) -> Result<Answer> {
    call.write(|tx, call| {
        commands::log_out(tx, &call.actor, &call.body)?;
        Answer::no_content()
    })
    .await
}
