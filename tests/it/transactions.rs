//! What a transaction promises, on either engine: statements that nobody waited for count as much as the others.

use guildhall::db::Tx;
use guildhall::error::{self, Error, Result};
use guildhall::params;

use crate::support::TestApp;

const NAME: &str = "of a test";

fn note(tx: &Tx) -> Result<()> {
    tx.send("insert into settings (name, value) values ($1, $2)", params![NAME, "here"])
}

fn noted(tx: &Tx) -> Result<i64> {
    tx.one("select count(*) from settings where name = $1", params![NAME], |row| row.next())
}

#[tokio::test]
async fn what_was_sent_is_there_for_the_next_statement() {
    let app = TestApp::new().await;
    let seen = app.app.db().write(|tx| note(tx).and_then(|()| noted(tx))).await.unwrap();
    assert_eq!((seen, app.app.db().read(noted).await.unwrap()), (1, 1));
}

#[tokio::test]
async fn what_was_sent_and_fails_fails_the_transaction() {
    let app = TestApp::new().await;
    let other = "insert into settings (name, value) values ('of another test', '')";
    // Noticed by the commit, and by the statement that follows.
    for asks in [false, true] {
        let outcome = app
            .app
            .db()
            .write(move |tx| {
                tx.execute(other, &[])?;
                note(tx)?;
                note(tx)?;
                if asks { noted(tx).map(drop) } else { Ok(()) }
            })
            .await;
        assert!(matches!(outcome, Err(Error::Database(_))), "{outcome:?}");
    }
    let left: i64 = app
        .app
        .db()
        .read(|tx| tx.one("select count(*) from settings where name like 'of a%'", &[], |row| row.next()))
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_attempt_takes_back_what_it_sent() {
    let app = TestApp::new().await;
    let tried = |tx: &Tx| {
        let failed = tx.attempt(|| note(tx).and_then(|()| note(tx)));
        assert!(failed.is_err());
        note(tx)?;
        noted(tx)
    };
    assert_eq!(app.app.db().write(tried).await.unwrap(), 1);
    assert_eq!(app.app.db().read(noted).await.unwrap(), 1);
}

#[tokio::test]
async fn what_was_sent_goes_with_a_refusal() {
    let app = TestApp::new().await;
    let refused = app.app.db().write(|tx| note(tx).and(Err::<(), _>(error::not_found()))).await;
    assert!(refused.is_err());
    assert_eq!(app.app.db().read(noted).await.unwrap(), 0);
}

#[tokio::test]
async fn a_transaction_has_its_time_before_it_asks_anything() {
    let app = TestApp::new().await;
    let (first, then) = app.app.db().write(|tx| Ok((tx.now(), noted(tx).map(|_| tx.now())?))).await.unwrap();
    assert_eq!(first, then);
    assert!(app.app.db().write(|tx| Ok(tx.now())).await.unwrap() >= first);
    assert_eq!(app.app.db().write(|_| Ok(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_glance_is_answered_as_a_read_is() {
    let app = TestApp::new().await;
    assert_eq!(app.app.db().glance(noted).await.unwrap(), 0);
    app.app.db().write(note).await.unwrap();
    assert_eq!(app.app.db().glance(noted).await.unwrap(), 1);
    assert_eq!(app.app.db().glance(|_| Ok(7)).await.unwrap(), 7);
    let refused = app.app.db().glance(|tx| noted(tx).and(Err::<(), _>(error::not_found()))).await;
    assert!(refused.unwrap_err().is(&error::NOT_FOUND));
    let wrong = app.app.db().glance(|tx| tx.exists("select nothing from settings", &[])).await;
    assert!(matches!(wrong, Err(Error::Database(_))), "{wrong:?}");
}
