//! The services above stand in the way of a change, or follow it.

use std::sync::Arc;

use guildhall::actor::{Actor, SessionId};
use guildhall::db::{Db, Tx, Wiring};
use guildhall::error::{Error, Result};
use guildhall::events::{self, Subscribers};
use guildhall::form::Unchecked;
use guildhall::time::Clock;
use guildhall::users::commands::{self, check_account, register};
use guildhall::users::{Account, Blocker, Hooks, Role, UserId};
use guildhall::version::Expected;
use serde_json::{Value, json};

use crate::support::Home;

fn blocked_by(kind: &'static str) -> Result<Vec<Blocker>> {
    Ok(vec![Blocker { kind, id: "1".to_owned(), hint: "finish it".to_owned() }])
}

fn note(tx: &Tx, kind: &'static str, id: UserId) -> Result<()> {
    events::append(tx, &Actor::System, kind, id, json!({})).map(|_| ())
}

async fn database(home: &Home, hooks: Hooks) -> Db {
    let wiring = Wiring::default().with(Subscribers(vec![])).with(hooks);
    let db = Db::open(&home.config().place(), Arc::new(Clock::default()), wiring).unwrap();
    db.migrate().await.unwrap();
    db
}

async fn account(db: &Db, username: &str, role: Role) -> (Account, Actor) {
    let email = format!("{username}@example.com");
    let checked = check_account(username, &email, "quiet copper lantern").unwrap();
    let new = checked.with_hash("hash".to_owned(), role);
    let account = db.write(move |tx| register(tx, &new)).await.unwrap();
    let session = SessionId::from_wire("00000000-0000-7000-8000-000000000001");
    let actor = Actor::User { id: account.id, role, session };
    (account, actor)
}

fn refusal(error: Error) -> (&'static str, Value) {
    match error {
        Error::Refused(refusal) => (refusal.problem.code, Value::Object(refusal.members)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_side_that_is_still_needed_cannot_be_given_up() {
    let home = Home::new();
    let hooks = Hooks {
        buying: vec![|_, _| blocked_by("order")],
        selling: vec![|_, _| blocked_by("service")],
        ..Hooks::default()
    };
    let db = database(&home, hooks).await;
    let (person, actor) = account(&db, "person", Role::Both).await;
    let to = async |role: &'static str| {
        let input = Unchecked::from(json!({ "role": role }));
        db.write(move |tx| commands::change(tx, &actor, person.id, &input, &Expected::any(), None)).await
    };
    for (role, kind) in [("freelancer", "order"), ("buyer", "service")] {
        let (code, members) = refusal(to(role).await.unwrap_err());
        assert_eq!(code, "role_in_use");
        assert_eq!(members["blockers"], json!([{ "type": kind, "id": "1", "hint": "finish it" }]));
    }
    assert_eq!(to("both").await.unwrap().version, 1);
}

#[tokio::test]
async fn open_business_keeps_an_account_from_being_deleted() {
    let home = Home::new();
    let hooks = Hooks {
        deletion_blockers: vec![|_, _| blocked_by("order"), |_, _| blocked_by("money")],
        deleted: vec![|_, _| panic!("nothing was deleted")],
        ..Hooks::default()
    };
    let db = database(&home, hooks).await;
    let (person, actor) = account(&db, "person", Role::Buyer).await;
    let closed = db.write(move |tx| commands::close(tx, &actor, person.id, &Expected::any())).await;
    let (code, members) = refusal(closed.unwrap_err());
    assert_eq!(code, "deletion_blocked");
    assert_eq!(members["blockers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_services_above_follow_what_happens_to_an_account() {
    let home = Home::new();
    let hooks = Hooks {
        deleted: vec![|tx, id| note(tx, "followed_deletion", id)],
        suspended: vec![|tx, id, suspended| {
            note(tx, if suspended { "followed_suspension" } else { "followed_reinstatement" }, id)
        }],
        ..Hooks::default()
    };
    let db = database(&home, hooks).await;
    let (person, actor) = account(&db, "person", Role::Buyer).await;
    let (_, admin) = account(&db, "keeper", Role::Admin).await;
    let id = person.id;
    let kinds = db
        .write(move |tx| {
            let why = || Unchecked::from(json!({ "reason": "a trial" }));
            commands::suspend(tx, &admin, id, &why())?;
            commands::reinstate(tx, &admin, id, &why())?;
            commands::close(tx, &actor, id, &Expected::any())?;
            let events = events::of_subject(tx, id, None, 100)?;
            Ok(events.into_iter().rev().map(|event| event.kind).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    let followed: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| kind.starts_with("followed")).collect();
    assert_eq!(followed, ["followed_suspension", "followed_reinstatement", "followed_deletion"]);
}

#[test]
fn the_operator_is_told_every_mistake_in_a_new_account() {
    let Err(Error::Invalid(mistakes)) = check_account("admin", "nowhere", "password1") else {
        panic!("it was accepted");
    };
    let told: Vec<(&str, &str)> =
        mistakes.iter().map(|mistake| (mistake.pointer.as_str(), mistake.code)).collect();
    assert_eq!(
        told,
        [
            ("/username", "reserved_username"),
            ("/email", "invalid_email"),
            ("/password", "password_guessable")
        ]
    );
}
