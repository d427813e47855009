//! Accounts: registration, passwords, sessions, who someone is. Owns `users`, sessions and tokens; promises that a token
//! dies with its session and that a deleted account keeps nothing personal.

pub mod commands;
mod model;
pub mod passwords;
pub mod queries;
mod routes;
mod sessions;
mod throttle;

use serde::Serialize;

use crate::db::Tx;
use crate::error::Result;
use crate::problems;

pub use crate::actor::{Role, UserId};
pub use model::{Account, Attempt, Card, Email, LoginName, Username};
pub use queries::{administrators, card, find, has_administrator};
pub use routes::{operations, prove};
pub use sessions::{authenticate, forget_expired, still_valid};
pub use throttle::forget_stale;

problems! {
    EMAIL_TAKEN = 409 "email_taken" "The e-mail address has an account" "Log in with it, or register another address.";
    USERNAME_TAKEN = 409 "username_taken" "The username is taken" "Choose another: usernames are compared without case.";
    INVALID_CREDENTIALS = 401 "invalid_credentials" "Unknown account or wrong password" "Check both. Too many failures slow down further ones.";
    INVALID_REFRESH_TOKEN = 401 "invalid_refresh_token" "The refresh token is not valid" "It is unknown, expired, or was used before. Log in again with POST /users/login.";
    ACCOUNT_SUSPENDED = 403 "account_suspended" "The account is suspended" "Whoever runs this marketplace has suspended it, and can say why.";
    WRONG_PASSWORD = 403 "wrong_password" "The current password is wrong" "Send the password that you log in with as `current_password`.";
    ROLE_IN_USE = 409 "role_in_use" "The role is still needed" "Listings or open orders need the role. Archive or finish them first; `blockers` lists them." with ["blockers"];
    DELETION_BLOCKED = 409 "deletion_blocked" "The account cannot be deleted yet" "Open orders or money due are in the way; `blockers` lists each with a hint." with ["blockers"];
}

/// Something that keeps an account from being deleted or from losing a role.
#[derive(Debug, Clone, Serialize)]
pub struct Blocker {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
    pub hint: String,
}

/// Lists what stands in the way of a change to an account.
pub type Blocking = fn(&Tx, UserId) -> Result<Vec<Blocker>>;
/// Follows an account that was deleted.
pub type OnDeleted = fn(&Tx, UserId) -> Result<()>;
/// Follows an account that was suspended (`true`) or reinstated.
pub type OnSuspended = fn(&Tx, UserId, bool) -> Result<()>;

/// What the services above answer to what happens here. Filled in `app.rs`.
#[derive(Default)]
pub struct Hooks {
    /// Open orders and money due of an account that wants to be deleted.
    pub deletion_blockers: Vec<Blocking>,
    /// What still needs the account to buy.
    pub buying: Vec<Blocking>,
    /// What still needs the account to sell.
    pub selling: Vec<Blocking>,
    /// Erases or archives what an account leaves behind.
    pub deleted: Vec<OnDeleted>,
    pub suspended: Vec<OnSuspended>,
}
