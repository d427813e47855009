//! What the two sides and administrators write to each other.

use guildhall::orders::Status;
use serde_json::json;

use super::{accept, decide, dispute_path, disputed, offer, write};
use crate::support::TestApp;

#[tokio::test]
async fn what_is_written_is_told_to_everybody_else() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let path = format!("{}/messages", dispute_path(&order));
    let first = write(&app, &cast.seller, &order, "Look again.\nPlease.").await.expect(201).json();
    assert_eq!((&first["side"], &first["author_id"]), (&json!("freelancer"), &json!(cast.seller.id)));
    assert_eq!(app.inbox(&cast.buyer).await[0]["type"], "dispute_message");
    assert_eq!(app.inbox(&cast.buyer).await[0]["data"]["message"], "Look again.\nPlease.");
    let to_seller = app.told(&cast.seller).await.len();
    let second = write(&app, &cast.admin, &order, "Which files?").await.expect(201).json();
    assert_eq!(second["side"], "admin");
    for person in [&cast.buyer, &cast.seller] {
        assert_eq!(app.inbox(person).await[0]["data"]["message"], "Which files?");
    }
    assert_eq!(app.told(&cast.seller).await.len(), to_seller + 1, "not of their own words");
    write(&app, &cast.buyer, &order, "The second.").await.expect(201);
    let page = app.get(&format!("{path}?limit=2"), &cast.admin).await.expect(200).json();
    assert_eq!((&page["data"][0]["message"], &page["data"][1]), (&json!("The second."), &second));
    let next = format!("{path}?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.get(&next, &cast.seller).await.expect(200).json()["data"], json!([first]));
    write(&app, &cast.stranger, &order, "Hello?").await.problem(404, "not_found");
    app.get(&path, &cast.stranger).await.problem(404, "not_found");
    write(&app, &cast.buyer, &order, "").await.problem(422, "validation_failed");
    decide(&app, &cast.admin, &order, json!({ "refund_amount": 0, "reason": "All is there." }))
        .await
        .expect(200);
    let refused = write(&app, &cast.buyer, &order, "But…").await.problem(409, "dispute_closed");
    assert_eq!(refused.json()["current"], "decided");
    assert_eq!(app.get(&path, &cast.buyer).await.expect(200).json()["data"].as_array().unwrap().len(), 3);
    app.verify().await;
}

#[tokio::test]
async fn an_order_that_nobody_disputed_has_no_thread() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    write(&app, &cast.buyer, &order, "Hello").await.problem(404, "not_found");
    offer(&app, &cast.buyer, &order, "1").await.problem(404, "not_found");
    accept(&app, &cast.buyer, &order, "1").await.problem(404, "not_found");
    decide(&app, &cast.admin, &order, json!({})).await.problem(404, "not_found");
    app.get(&format!("{}/messages", dispute_path(&order)), &cast.buyer).await.problem(404, "not_found");
}
