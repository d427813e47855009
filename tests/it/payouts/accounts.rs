//! Where freelancers are paid to.

use std::time::Duration;

use guildhall::id::Id;
use guildhall::payouts;
use guildhall::providers::AccountState;
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// The provider's word on an account.
async fn stands(app: &TestApp, seller: &Person, enabled: bool, wanted: &[&str]) {
    let reference: String = app
        .app
        .db()
        .read(|tx| tx.one("select reference from payout_accounts limit 1", &[], |row| row.next()))
        .await
        .unwrap();
    let wanted: Vec<String> = wanted.iter().map(|word| (*word).to_owned()).collect();
    let user = Id::from_wire(&seller.id);
    app.write(move |tx| {
        let state = AccountState { reference: reference.clone(), enabled, wanted: wanted.clone() };
        payouts::apply_account(tx, user, "sandbox", &state)
    })
    .await;
}

async fn account(app: &TestApp, seller: &Person) -> Value {
    app.get("/payouts/account", seller).await.expect(200).json()
}

#[tokio::test]
async fn an_account_is_opened_once_and_gone_on_with() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    assert_eq!(account(&app, &seller).await["status"], "none");
    let opened = app.post("/payouts/account", &seller, None).await.expect(201);
    assert_eq!(opened.header("location"), "/payouts/account");
    assert_eq!(opened.json()["status"], "enabled");
    app.post("/payouts/account", &seller, None).await.expect(200);
    assert_eq!(app.count("select count(*) from sandbox_accounts").await, 1);
    assert_eq!(app.told(&seller).await, ["payout_account_enabled"]);
    app.verify().await;
}

#[tokio::test]
async fn freelancers_come_back_to_this_house_only() {
    let app = TestApp::with(|config| {
        config.public_url = Some("https://api.example.com".to_owned());
        config.cors_origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let seller = app.seller().await;
    let open = async |url: &str| app.post("/payouts/account", &seller, json!({ "return_url": url })).await;
    for stranger in
        ["https://evil.example", "https://app.example.com.evil.example/", "http://app.example.com/", "/back"]
    {
        assert_eq!(open(stranger).await.expect(422).pointers(), ["/return_url"], "{stranger}");
    }
    assert_eq!(app.count("select count(*) from payout_accounts").await, 0);
    open("https://app.example.com/payouts?done").await.expect(201);
    open("https://api.example.com/").await.expect(200);
}

#[tokio::test]
async fn an_account_that_is_not_ready_is_looked_at_until_it_is() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let seller = app.cleared().await;
    stands(&app, &seller, false, &["external_account"]).await;
    let shown = account(&app, &seller).await;
    assert_eq!((&shown["status"], &shown["wanted"]), (&json!("restricted"), &json!(["external_account"])));
    let refused = app.pay_out(&seller).await.problem(409, "payout_account_required").json();
    assert_eq!(refused["account"], "restricted");
    app.advance(Duration::from_secs(86_400)).await;
    let seller = app.log_in("seller").await;
    assert_eq!(account(&app, &seller).await["status"], "enabled");
    app.pay_out(&seller).await.expect(201);
    app.settle().await;
    let told = app.told(&seller).await;
    let accounts: Vec<&String> = told.iter().filter(|kind| kind.starts_with("payout_account")).collect();
    assert_eq!(accounts, ["payout_account_enabled", "payout_account_restricted", "payout_account_enabled"]);
    app.verify().await;
}

#[tokio::test]
async fn reading_an_account_that_waits_asks_the_provider() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    app.post("/payouts/account", &seller, None).await.expect(201);
    app.write(|tx| tx.execute("update payout_accounts set status = 'pending'", &[])).await;
    assert_eq!(account(&app, &seller).await["status"], "pending");
    app.app.db().clock().advance(Duration::from_secs(31));
    assert_eq!(account(&app, &seller).await["status"], "enabled");
}

#[tokio::test]
async fn what_the_provider_tells_of_an_account_is_looked_up() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    app.post("/payouts/account", &seller, None).await.expect(201);
    stands(&app, &seller, false, &[]).await;
    let told = app
        .write(|tx| {
            let reference: String =
                tx.one("select reference from payout_accounts limit 1", &[], |row| row.next())?;
            Ok((payouts::account_told(tx, &reference)?, payouts::account_told(tx, "acct_unheard_of")?))
        })
        .await;
    assert_eq!(told, (true, false));
    app.settle().await;
    assert_eq!(account(&app, &seller).await["status"], "enabled");
}
