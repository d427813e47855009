//! Accounts and their sessions.

use crate::db::Tx;
use crate::error::Result;
use crate::form::fold;
use crate::id::Id;
use crate::params;
use crate::users::Email;

use super::Witnesses;

/// Folded e-mails and usernames are what folding the shown ones gives, and unique; nobody who is deleted or suspended
/// has a live session.
pub(super) fn are_distinct(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    folded_anew(tx, found)?;
    for (column, what) in [("username_folded", "username"), ("email_folded", "e-mail address")] {
        let shared = format!(
            "select {column}, count(*) from users where {column} is not null group by {column} having count(*) > 1"
        );
        found.search(tx, &shared, params![], |row| {
            let (folded, accounts): (String, i64) = (row.next()?, row.next()?);
            Ok(Some(format!("{accounts} accounts share the {what} {folded}")))
        })?;
    }
    let sessions = "select s.id, u.id, u.status from sessions s join users u on u.id = s.user_id
         where u.status <> 'active' and s.expires_at > $1";
    found.search(tx, sessions, params![tx.now()], |row| {
        let (session, user, status): (Id<()>, Id<()>, String) = (row.next()?, row.next()?, row.next()?);
        Ok(Some(format!("session {session} of account {user}, which is {status}, is alive")))
    })?;
    for tokens in ["access_tokens", "refresh_tokens"] {
        let strangers = format!(
            "select s.id, s.user_id, t.user_id from {tokens} t join sessions s on s.id = t.session_id
             where t.user_id <> s.user_id"
        );
        found.search(tx, &strangers, params![], |row| {
            let (session, owner, other): (Id<()>, Id<()>, Id<()>) = (row.next()?, row.next()?, row.next()?);
            Ok(Some(format!(
                "session {session} of account {owner} has a token in {tokens} for account {other}"
            )))
        })?;
    }
    Ok(())
}

fn folded_anew(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let names = "select id, status, username, username_folded, email, email_folded from users";
    found.search(tx, names, params![], |row| {
        let (user, status): (Id<()>, String) = (row.next()?, row.next()?);
        let (username, username_folded): (Option<String>, Option<String>) = (row.next()?, row.next()?);
        let (email, email_folded): (Option<String>, Option<String>) = (row.next()?, row.next()?);
        let refolded =
            email.as_deref().map(|email| Email::parse(email).map(|email| email.folded().to_owned()));
        Ok(if username.as_deref().map(fold) != username_folded {
            let name = |name: Option<String>| name.unwrap_or_else(|| "no name".to_owned());
            Some(format!(
                "account {user} is called {}, but found under {}",
                name(username),
                name(username_folded)
            ))
        } else if refolded.transpose().ok() != Some(email_folded) {
            Some(format!("account {user} has a folded e-mail address that is not the one it shows"))
        } else if status == "deleted" && (username.is_some() || email.is_some()) {
            Some(format!("account {user} is deleted and still has a name or an address"))
        } else {
            None
        })
    })
}
