//! Reviews: who may write one, what they add up to, what is left when one is hidden.

use guildhall::actor::UserId;
use guildhall::listings::ListingId;
use guildhall::params;
use serde_json::{Value, json};

use crate::support::{Person, Reply, TestApp, path_of};

async fn review(app: &TestApp, by: &Person, order: &Value, rating: i64) -> Reply {
    app.post("/reviews", by, json!({ "order_id": order["id"], "rating": rating })).await
}

async fn of_service(app: &TestApp, listing: &Value) -> Value {
    app.get(&format!("/reviews/{}", listing["id"].as_str().unwrap()), None).await.expect(200).json()
}

#[tokio::test]
async fn a_buyer_reviews_a_completed_order() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let order = app.finished(&buyer, &listing).await;
    let body = json!({ "service_id": listing["id"], "rating": 4, "comment": "Quick.\nAnd kind." });
    let reply = app.post("/reviews", &buyer, body).await.expect(201);
    assert_eq!(reply.header("location"), "", "a review cannot be read on its own");
    let review = reply.json();
    assert_eq!(review["order_id"], order["id"]);
    assert_eq!(review["reviewer_id"], buyer.id);
    assert_eq!(review["freelancer_id"], seller.id);
    assert_eq!(review["comment"], "Quick.\nAnd kind.");
    let listed = of_service(&app, &listing).await;
    assert_eq!(listed["data"], json!([review]));
    assert_eq!(
        listed["summary"],
        json!({ "average": 4.0, "count": 1, "histogram": { "1": 0, "2": 0, "3": 0, "4": 1, "5": 0 } })
    );
    let rating = json!({ "average": 4.0, "count": 1 });
    assert_eq!(app.get(&path_of(&listing), None).await.json()["rating"], rating);
}

#[tokio::test]
async fn the_freelancer_is_told_of_a_review_and_the_reviewer_is_not() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.finished(&buyer, &app.listing(&seller).await).await;
    let review = review(&app, &buyer, &order, 5).await.expect(201).json();
    let told = &app.inbox(&seller).await[0];
    assert_eq!(told["type"], "review_submitted");
    assert_eq!(told["data"]["review_id"], review["id"]);
    assert_eq!(told["data"]["order_id"], order["id"]);
    assert!(!app.told(&buyer).await.contains(&"review_submitted".to_owned()));
}

#[tokio::test]
async fn by_service_the_oldest_unreviewed_order_is_meant() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let body = json!({ "service_id": listing["id"], "rating": 5 });
    let (first, second) = (app.finished(&buyer, &listing).await, app.finished(&buyer, &listing).await);
    assert_eq!(app.post("/reviews", &buyer, body.clone()).await.expect(201).json()["order_id"], first["id"]);
    review(&app, &buyer, &first, 5).await.problem(409, "already_reviewed");
    assert_eq!(app.post("/reviews", &buyer, body.clone()).await.expect(201).json()["order_id"], second["id"]);
    app.post("/reviews", &buyer, body).await.problem(409, "already_reviewed");
}

#[tokio::test]
async fn only_the_buyer_of_a_completed_order_may() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let listing = app.listing(&seller).await;
    let order = app.finished(&buyer, &listing).await;
    let by_service = json!({ "service_id": listing["id"], "rating": 5 });
    review(&app, &seller, &order, 5).await.problem(403, "no_completed_order");
    review(&app, &admin, &order, 5).await.problem(403, "no_completed_order");
    review(&app, &stranger, &order, 5).await.problem(404, "not_found");
    for person in [&seller, &stranger, &admin] {
        app.post("/reviews", person, by_service.clone()).await.problem(403, "no_completed_order");
    }
    app.post("/reviews", None, by_service).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_order_that_is_not_completed_cannot_be_reviewed() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let order = app.finished(&buyer, &listing).await;
    for status in ["pending", "active", "delivered", "cancelled", "disputed"] {
        app.write(move |tx| tx.execute("update orders set status = $1", params![status])).await;
        review(&app, &buyer, &order, 5).await.problem(403, "no_completed_order");
        let body = json!({ "service_id": listing["id"], "rating": 5 });
        app.post("/reviews", &buyer, body).await.problem(403, "no_completed_order");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_before_anything_else_is_wrong() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let draft = app.listing_with(&seller, json!({ "status": "draft" })).await;
    for id in [json!("018f2b6a-0000-7000-8000-000000000000"), json!("1"), draft["id"].clone()] {
        for field in ["service_id", "order_id"] {
            app.post("/reviews", &buyer, json!({ field: id, "rating": 9 })).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn ratings_are_integers_from_1_to_5() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.finished(&buyer, &app.listing(&seller).await).await;
    for rating in [json!(0), json!(6), json!(-1), json!(4.5), json!(5.0), json!("5"), json!(true), json!([5])]
    {
        let body = json!({ "order_id": order["id"], "rating": rating });
        let reply = app.post("/reviews", &buyer, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/rating"], "{rating}");
        assert!(reply.json()["errors"][0]["detail"].as_str().unwrap().contains("an integer from 1 to 5"));
    }
}

#[tokio::test]
async fn a_body_says_what_it_is_about() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (listing, other) = (app.listing(&seller).await, app.listing(&seller).await);
    let order = app.finished(&buyer, &listing).await;
    let nothing = app.post("/reviews", &buyer, json!({ "rating": "5" })).await;
    assert_eq!(nothing.problem(422, "validation_failed").pointers(), ["/rating", "/service_id"]);
    let body = json!({ "order_id": order["id"], "service_id": other["id"], "rating": 5 });
    assert_eq!(app.post("/reviews", &buyer, body).await.expect(422).pointers(), ["/service_id"]);
    let body = json!({ "order_id": order["id"], "rating": 5, "reviewer_id": seller.id, "comment": "\u{0}" });
    let wrong = app.post("/reviews", &buyer, body).await.problem(422, "validation_failed").pointers();
    assert_eq!(wrong, ["/reviewer_id", "/comment"]);
    let body = json!({ "order_id": order["id"], "service_id": listing["id"], "rating": 5 });
    app.post("/reviews", &buyer, body).await.expect(201);
}

/// Sum and count: of the reviews, of the tallies, of the listing, of the freelancer.
async fn sums(app: &TestApp, listing: &Value, seller: &Person) -> [(i64, i64); 4] {
    let service = ListingId::from_wire(listing["id"].as_str().unwrap());
    let freelancer = UserId::from_wire(&seller.id);
    app.write(move |tx| {
        let pair = |sql: &str, id: &dyn guildhall::db::Param| tx.one(sql, &[id], |row| Ok((row.next()?, row.next()?)));
        Ok([
            pair("select cast(coalesce(sum(rating), 0) as bigint), count(*) from reviews where service_id = $1 and hidden_at is null", &service)?,
            pair("select cast(sum(rating * count) as bigint), cast(sum(count) as bigint) from rating_tallies where subject_id = $1", &service)?,
            pair("select rating_sum, rating_count from services where id = $1", &service)?,
            pair("select rating_sum, rating_count from freelancer_stats where user_id = $1", &freelancer)?,
        ])
    })
    .await
}

#[tokio::test]
async fn aggregates_equal_their_recomputation() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let listing = app.listing(&seller).await;
    let mut reviews = Vec::new();
    for rating in [5, 5, 4, 2, 1, 3, 5] {
        let order = app.finished(&buyer, &listing).await;
        reviews.push(review(&app, &buyer, &order, rating).await.expect(201).json());
    }
    assert_eq!(sums(&app, &listing, &seller).await, [(25, 7); 4]);
    for (hidden, left) in [(3, (23, 6)), (4, (22, 5))] {
        let path = format!("/reviews/{}/hide", reviews[hidden]["id"].as_str().unwrap());
        app.post(&path, &admin, json!({ "reason": "abuse" })).await.expect(200);
        assert_eq!(sums(&app, &listing, &seller).await, [left; 4]);
    }
    let histogram = json!({ "1": 0, "2": 0, "3": 1, "4": 1, "5": 3 });
    assert_eq!(of_service(&app, &listing).await["summary"]["histogram"], histogram);
}

#[tokio::test]
async fn a_hidden_review_is_gone_from_lists_and_its_order_stays_reviewed() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let listing = app.listing(&seller).await;
    let order = app.finished(&buyer, &listing).await;
    let written = review(&app, &buyer, &order, 1).await.expect(201).json();
    let path = format!("/reviews/{}/hide", written["id"].as_str().unwrap());
    let hidden = app.post(&path, &admin, json!({ "reason": "insults" })).await.expect(200).json();
    assert_eq!(hidden["hidden_reason"], "insults");
    let again = app.post(&path, &admin, json!({ "reason": "another" })).await.expect(200).json();
    assert_eq!(again, hidden, "hiding it again changes nothing");
    let listed = of_service(&app, &listing).await;
    assert_eq!(listed["data"], json!([]));
    assert_eq!(listed["summary"]["average"], Value::Null);
    for path in ["/reviews/user/me", &format!("/reviews/user/{}?direction=received", seller.id)] {
        assert_eq!(app.get(path, &buyer).await.expect(200).json()["data"], json!([]));
    }
    review(&app, &buyer, &order, 5).await.problem(409, "already_reviewed");
    let told = app.told(&buyer).await;
    assert_eq!(told.iter().filter(|kind| *kind == "review_hidden").count(), 1);
}

#[tokio::test]
async fn only_an_administrator_hides() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let order = app.finished(&buyer, &app.listing(&seller).await).await;
    let written = review(&app, &buyer, &order, 1).await.expect(201).json();
    let path = format!("/reviews/{}/hide", written["id"].as_str().unwrap());
    let body = json!({ "reason": "I do not like it" });
    for person in [&buyer, &seller] {
        app.post(&path, person, body.clone()).await.problem(403, "forbidden");
    }
    app.post(&path, None, body.clone()).await.problem(401, "unauthenticated");
    app.post("/reviews/1/hide", &admin, body).await.problem(404, "not_found");
    app.post(&path, &admin, json!({})).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn an_archived_service_keeps_its_reviews_and_can_be_reviewed_still() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    app.finished(&buyer, &listing).await;
    app.delete(&path_of(&listing), &seller).await.expect(204);
    app.post("/reviews", &buyer, json!({ "service_id": listing["id"], "rating": 3 })).await.expect(201);
    assert_eq!(of_service(&app, &listing).await["summary"]["count"], 1);
}

#[tokio::test]
async fn a_service_that_never_was_has_no_reviews() {
    let app = TestApp::new().await;
    let (seller, stranger) = (app.seller().await, app.stranger().await);
    let draft = app.listing_with(&seller, json!({ "status": "draft" })).await;
    let path = format!("/reviews/{}", draft["id"].as_str().unwrap());
    app.get(&path, &stranger).await.problem(404, "not_found");
    app.get(&path, &seller).await.expect(200);
    app.get("/reviews/018f2b6a-0000-7000-8000-000000000000", None).await.problem(404, "not_found");
}

#[tokio::test]
async fn reviews_are_listed_by_who_wrote_and_who_received_them() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.finished(&buyer, &app.listing(&seller).await).await;
    let written = review(&app, &buyer, &order, 4).await.expect(201).json();
    let by = app.get(&format!("/reviews/user/{}", buyer.id), None).await.expect(200).json();
    assert_eq!(by, json!({ "data": [written], "next_cursor": null }));
    let about = app.get("/reviews/user/me?direction=received", &seller).await.expect(200).json();
    assert_eq!(about["data"], json!([written]));
    assert_eq!(about["summary"]["count"], 1);
    assert_eq!(app.get("/reviews/user/me", &seller).await.expect(200).json()["data"], json!([]));
    app.get("/reviews/user/me?direction=sideways", &seller).await.problem(400, "invalid_parameter");
    app.get("/reviews/user/me", None).await.problem(401, "unauthenticated");
    app.get("/reviews/user/1", None).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_reviews_of_a_deleted_account_stay() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let order = app.finished(&buyer, &listing).await;
    let written = review(&app, &buyer, &order, 4).await.expect(201).json();
    let gone = UserId::from_wire(&buyer.id);
    app.write(move |tx| tx.execute("update users set status = 'deleted' where id = $1", params![gone])).await;
    let path = format!("/reviews/user/{}", buyer.id);
    assert_eq!(app.get(&path, None).await.expect(200).json()["data"], json!([written]));
    assert_eq!(of_service(&app, &listing).await["summary"]["count"], 1);
}

#[tokio::test]
async fn pages_walk_every_review_once() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let mut written = Vec::new();
    for rating in [1, 2, 3, 4, 5] {
        let order = app.finished(&buyer, &listing).await;
        written.insert(0, review(&app, &buyer, &order, rating).await.expect(201).json()["id"].clone());
    }
    let path = format!("/reviews/{}?limit=2", listing["id"].as_str().unwrap());
    let (mut seen, mut next) = (Vec::new(), path.clone());
    loop {
        let page = app.get(&next, None).await.expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|review| review["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}&cursor={cursor}");
    }
    assert_eq!(seen, written);
}
