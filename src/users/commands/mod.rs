//! What people do with their accounts. Passwords are hashed and compared before a transaction opens: nothing waits inside
//! one, and what was compared is checked to be still true.

mod change;
mod close;
mod operator;
mod oversee;
mod register;
mod sign_in;

pub use change::{Demand, Proof, change, demand, wrong_password};
pub use close::close;
pub use operator::{CheckedAccount, check_account, check_password, reset_password};
pub use oversee::{reinstate, suspend};
pub use register::{NewAccount, register};
pub use sign_in::{Candidate, Verdict, candidate, log_in, log_out, refresh};

use super::model::guessable;
use super::{EMAIL_TAKEN, USERNAME_TAKEN};
use crate::error::{Error, FieldError};

fn email_taken() -> Error {
    EMAIL_TAKEN.error("this e-mail address has an account: log in, or register another address")
}

fn username_taken() -> Error {
    USERNAME_TAKEN.error("this username is taken: choose another")
}

pub(super) fn wrong(field: &str, code: &'static str, detail: impl Into<String>) -> FieldError {
    FieldError { pointer: format!("/{field}"), code, detail: detail.into() }
}

/// The mistake in a password that somebody who knows the account would soon guess. Takes milliseconds: not for inside a
/// transaction.
pub(super) fn guessable_password(password: &str, own_words: &[&str]) -> Option<FieldError> {
    let mend = "this would soon be guessed: try three unrelated words";
    guessable(password, own_words).then(|| wrong("password", "password_guessable", mend))
}
