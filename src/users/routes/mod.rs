//! The operations on accounts.

mod accounts;
mod signing_in;

use serde_json::json;

pub use accounts::prove;

use crate::http::{Access, Operation, Param, RateClass, delete, get, patch, post, put};
use crate::page::Page;

use super::model::{
    ChangeAccount, Login, Logout, OwnAccount, Refresh, Register, SeenAccount, Suspend, Tokens,
};
use super::{
    ACCOUNT_SUSPENDED, DELETION_BLOCKED, EMAIL_TAKEN, INVALID_CREDENTIALS, INVALID_REFRESH_TOKEN,
    ROLE_IN_USE, USERNAME_TAKEN, WRONG_PASSWORD,
};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = signing_in().into_iter().chain(own()).chain(overseeing());
    operations.map(|operation| operation.tagged("Users")).collect()
}

fn signing_in() -> Vec<Operation> {
    vec![
        post("/users/register", accounts::register)
            .named("register", "Open an account")
            .access(Access::Unseen, "anyone")
            .rate(RateClass::Register)
            .body::<Register>(json!({ "username": "ada", "email": "ada@example.com", "password": "quiet copper lantern", "role": "buyer" }))
            .answers::<OwnAccount>(201, "The account, as its owner sees it.")
            .located()
            .problems(&[&EMAIL_TAKEN, &USERNAME_TAKEN]),
        post("/users/login", signing_in::login)
            .named("login", "Log in")
            .about("By `email` or by `username`. After ten wrong passwords in a quarter of an hour each further one makes the account wait longer, up to a minute; after a hundred in a row only a reset by the operator helps. An address that the account has logged in from is counted on its own.")
            .access(Access::Unseen, "anyone")
            .body::<Login>(json!({ "email": "ada@example.com", "password": "quiet copper lantern" }))
            .answers::<Tokens>(200, "Tokens: an access token for 15 minutes, and a refresh token for the next pair.")
            .problems(&[&INVALID_CREDENTIALS, &ACCOUNT_SUSPENDED]),
        post("/users/refresh", signing_in::refresh)
            .named("refresh", "Get the next pair of tokens")
            .about("The refresh token sent is spent. Sent again within ten seconds, while the pair it gave is unused, it gives another pair in place of that one; later it ends the session, for somebody else may hold a copy.")
            .access(Access::Unseen, "whoever holds the refresh token")
            .body::<Refresh>(json!({ "refresh_token": "gh_rt_the_one_of_the_last_login_or_refresh" }))
            .answers::<Tokens>(200, "As login answers.")
            .problems(&[&INVALID_REFRESH_TOKEN]),
        post("/users/logout", signing_in::logout)
            .named("logout", "Log out")
            .about("Ends this session, or with `all` every session of the account. Its tokens are dead at once.")
            .access(Access::Signed, "anyone who is logged in")
            .body::<Logout>(json!({ "all": false }))
            .answers_nothing("The session has ended."),
    ]
}

fn own() -> Vec<Operation> {
    let change = |operation: Operation| {
        operation
            .about("Changes the fields given. A new e-mail address or password needs `current_password` and ends every other session.")
            .access(Access::Signed, "its owner")
            .body::<ChangeAccount>(json!({ "role": "both" }))
            .answers::<SeenAccount>(200, "The account as it is now.")
            .problems(&[&WRONG_PASSWORD, &EMAIL_TAKEN, &USERNAME_TAKEN, &ROLE_IN_USE])
            .versioned()
    };
    vec![
        get("/users/{id}", accounts::show)
            .named("getUser", "Read an account")
            .access(Access::Anyone, "anyone; the owner and an administrator see more")
            .answers::<SeenAccount>(200, "The account.")
            .versioned(),
        change(put("/users/{id}", accounts::update).named("updateUser", "Change an account")),
        change(patch("/users/{id}", accounts::update).named("patchUser", "Change an account")),
        delete("/users/{id}", accounts::close)
            .named("deleteUser", "Delete an account")
            .about("Ends its sessions, archives its listings and erases what is personal. Orders, payments and reviews stay.")
            .access(Access::Signed, "its owner")
            .answers_nothing("The account is gone.")
            .problems(&[&DELETION_BLOCKED])
            .versioned(),
    ]
}

fn overseeing() -> Vec<Operation> {
    vec![
        get("/users", accounts::search)
            .named("listUsers", "Find accounts")
            .access(Access::Signed, "administrators")
            .query(vec![Param::new(
                "q",
                "How the username or the e-mail address starts.",
                json!({ "type": "string", "maxLength": 254 }),
            )])
            .paged()
            .answers::<Page<SeenAccount>>(200, "The accounts, newest first."),
        post("/users/{id}/suspend", accounts::suspend)
            .named("suspendUser", "Suspend an account")
            .about("Its sessions end and it cannot log in. A suspended account stays as it is.")
            .access(Access::Signed, "administrators")
            .body::<Suspend>(json!({ "reason": "Asked buyers to pay elsewhere." }))
            .answers::<SeenAccount>(200, "The account."),
        post("/users/{id}/reinstate", accounts::reinstate)
            .named("reinstateUser", "Reinstate a suspended account")
            .access(Access::Signed, "administrators")
            .body::<Suspend>(json!({ "reason": "It was a misunderstanding." }))
            .answers::<SeenAccount>(200, "The account."),
    ]
}
