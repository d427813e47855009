//! Profiles: the freelancer's page, and what others' deeds add to it.

use guildhall::profiles;
use guildhall::users::UserId;
use guildhall::{error::Result, events};
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

fn path_of(person: &Person) -> String {
    format!("/profiles/{}", person.id)
}

/// The kinds of what happened to an account since it was opened.
async fn history(app: &TestApp, person: &Person) -> Vec<String> {
    let id = UserId::from_wire(&person.id);
    let events = app.app.db().read(move |tx| events::of_subject(tx, id, None, 200)).await.unwrap();
    events.into_iter().rev().map(|event| event.kind).filter(|kind| !kind.starts_with("account")).collect()
}

#[tokio::test]
async fn a_freelancer_who_wrote_nothing_has_an_empty_page() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let read = app.get(&path_of(&seller), None).await.expect(200);
    let page = read.json();
    let keys: Vec<&String> = page.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "user_id",
            "username",
            "first_name",
            "last_name",
            "bio",
            "skills",
            "experience",
            "portfolio",
            "rating",
            "completed_orders",
            "updated_at"
        ]
    );
    assert_eq!((&page["user_id"], &page["username"]), (&json!(seller.id), &json!("seller")));
    assert_eq!((&page["bio"], &page["skills"], &page["portfolio"]), (&Value::Null, &json!([]), &json!([])));
    assert_eq!(page["rating"], json!({ "average": null, "count": 0 }));
    assert_eq!(page["completed_orders"], 0);
    assert!(read.header("etag").starts_with("\"0."));
    let put = app.put(&path_of(&seller), &seller, page).await.expect(200);
    assert_eq!((put.bytes, history(&app, &seller).await), (read.bytes, vec![]));
}

#[tokio::test]
async fn only_freelancers_have_a_page() {
    let app = TestApp::new().await;
    let (buyer, admin, stranger) = (app.buyer().await, app.admin().await, app.stranger().await);
    app.get(&path_of(&buyer), None).await.problem(404, "not_found");
    app.get(&path_of(&buyer), &buyer).await.problem(404, "not_found");
    app.get(&path_of(&admin), &admin).await.problem(404, "not_found");
    app.get("/profiles/nobody", None).await.problem(404, "not_found");
    app.get("/profiles/me", None).await.problem(401, "unauthenticated");
    app.get("/profiles/me", &stranger).await.expect(200);
    let refused = app.put("/profiles/me", &buyer, json!({ "bio": 5 })).await.problem(403, "role_required");
    assert!(refused.json()["detail"].as_str().unwrap().contains("PUT /users/me"));
    app.put("/profiles/me", &admin, json!({})).await.problem(403, "role_required");
    app.post("/profiles/me/portfolio", &buyer, json!({ "title": "Mine" }))
        .await
        .problem(403, "role_required");
}

#[tokio::test]
async fn the_owner_writes_and_others_read() {
    let app = TestApp::new().await;
    let (seller, stranger, admin) = (app.seller().await, app.stranger().await, app.admin().await);
    let body = json!({
        "first_name": "Ada", "last_name": "L.", "bio": "I draw <b>small</b> things.\nAlways.", "experience": "Ten years",
        "skills": ["Logo", "logo", "Type"]
    });
    let written = app.put(&path_of(&seller), &seller, body.clone()).await.expect(200);
    assert!(written.header("etag").starts_with("\"1."));
    let page = app.get(&path_of(&seller), None).await.expect(200).json();
    assert_eq!(page, written.json());
    assert_eq!((&page["bio"], &page["skills"]), (&body["bio"], &json!(["Logo", "Type"])));
    let patched =
        app.send("PATCH", "/profiles/me", &seller, json!({ "last_name": null })).await.expect(200).json();
    assert_eq!((&patched["first_name"], &patched["last_name"]), (&json!("Ada"), &Value::Null));
    app.put(&path_of(&seller), None, body.clone()).await.problem(401, "unauthenticated");
    app.put(&path_of(&seller), &stranger, body.clone()).await.problem(403, "forbidden");
    app.put(&path_of(&seller), &admin, body).await.problem(403, "forbidden");
    assert_eq!(history(&app, &seller).await, ["profile_changed", "profile_changed"]);
}

#[tokio::test]
async fn skills_are_a_list_or_a_text_with_commas() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let fifty: Vec<String> = (0..50).map(|number| format!("skill {number}")).collect();
    for (sent, kept) in [
        (json!("logo, type ,, LOGO,ink"), json!(["logo", "type", "ink"])),
        (json!(""), json!([])),
        (json!([]), json!([])),
        (json!(["a, b", "c"]), json!(["a, b", "c"])),
        (json!(fifty), json!(fifty)),
        (json!(fifty.join(",")), json!(fifty)),
    ] {
        let page = app.put("/profiles/me", &seller, json!({ "skills": sent })).await.expect(200).json();
        assert_eq!(page["skills"], kept);
    }
    let too_many: Vec<String> = (0..51).map(|number| format!("skill {number}")).collect();
    for (sent, pointer) in [
        (json!(too_many), "/skills"),
        (json!(too_many.join(",")), "/skills"),
        (json!(["ok", ""]), "/skills/1"),
        (json!(["ok", "x".repeat(65)]), "/skills/1"),
        (json!("x".repeat(65)), "/skills"),
        (json!(["a\u{7}"]), "/skills/0"),
        (json!([5]), "/skills/0"),
        (json!(5), "/skills"),
        (Value::Null, "/skills"),
    ] {
        let reply = app.put("/profiles/me", &seller, json!({ "skills": sent })).await;
        assert_eq!(reply.problem(422, "validation_failed").pointers(), [pointer]);
    }
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    app.put("/profiles/me", &seller, json!({ "bio": "I draw.", "skills": "a,b" })).await.expect(200);
    let item = app.portfolio_item(&seller, "A work").await;
    let read = app.get("/profiles/me", &seller).await.expect(200);
    let put = app.put("/profiles/me", &seller, read.json()).await.expect(200);
    assert_eq!((put.json(), put.header("etag")), (read.json(), read.header("etag")));
    let path = format!("/profiles/me/portfolio/{}", item["id"].as_str().unwrap());
    assert_eq!(app.put(&path, &seller, item.clone()).await.expect(200).json(), item);
    assert_eq!(history(&app, &seller).await, ["profile_changed", "portfolio_item_added"]);
    let body =
        json!({ "user_id": "x", "username": "y", "portfolio": [], "completed_orders": 9, "about": "z" });
    let wrong = app.put("/profiles/me", &seller, body).await.problem(422, "validation_failed");
    assert_eq!(wrong.pointers(), ["/user_id", "/username", "/portfolio", "/completed_orders", "/about"]);
    assert!(wrong.json()["errors"][4]["detail"].as_str().unwrap().contains("did you mean `bio`?"));
}

#[tokio::test]
async fn works_are_added_changed_and_taken_away() {
    let app = TestApp::new().await;
    let (seller, stranger) = (app.seller().await, app.stranger().await);
    let first = app.portfolio_item(&seller, "First work").await;
    let second = app.portfolio_item(&seller, "Second work").await;
    let item = |item: &Value| format!("{}/portfolio/{}", path_of(&seller), item["id"].as_str().unwrap());
    assert_eq!(first["image_url"], Value::Null);
    let change = json!({ "url": null, "image_url": "http://example.com/a.png", "description": "Ink" });
    let changed = app.put(&item(&first), &seller, change.clone()).await.expect(200).json();
    assert_eq!(
        changed,
        json!({ "id": first["id"], "title": "First work", "description": "Ink", "url": null, "image_url": "http://example.com/a.png" })
    );
    app.put(&item(&first), &stranger, change.clone()).await.problem(403, "forbidden");
    app.delete(&item(&first), &stranger).await.problem(403, "forbidden");
    app.post(&format!("{}/portfolio", path_of(&seller)), &stranger, json!({ "title": "Foreign" }))
        .await
        .problem(403, "forbidden");
    app.delete(&item(&first), &seller).await.expect(204);
    app.delete(&item(&first), &seller).await.problem(404, "not_found");
    app.put(&item(&first), &seller, change).await.problem(404, "not_found");
    let page = app.get(&path_of(&seller), None).await.expect(200).json();
    assert_eq!(page["portfolio"], json!([second]));
    assert_eq!(
        history(&app, &seller).await,
        ["portfolio_item_added", "portfolio_item_added", "portfolio_item_changed", "portfolio_item_removed"]
    );
}

#[tokio::test]
async fn a_portfolio_holds_fifty_works() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let first = app.portfolio_item(&seller, "Work").await;
    for number in 1..50 {
        app.portfolio_item(&seller, &format!("Work {number}")).await;
    }
    let more = json!({ "title": "One more" });
    app.post("/profiles/me/portfolio", &seller, more.clone()).await.problem(409, "portfolio_full");
    app.delete(&format!("/profiles/me/portfolio/{}", first["id"].as_str().unwrap()), &seller)
        .await
        .expect(204);
    app.post("/profiles/me/portfolio", &seller, more).await.expect(201);
}

#[tokio::test]
async fn fields_of_a_work_have_limits() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    for (body, pointers) in [
        (json!({}), vec!["/title"]),
        (json!({ "title": "ab", "link": "https://example.com" }), vec!["/link", "/title"]),
        (
            json!({ "title": "x".repeat(121), "description": "x".repeat(5_001) }),
            vec!["/title", "/description"],
        ),
        (
            json!({ "title": "Fine", "url": "javascript:alert(1)", "image_url": "data:text/html,x" }),
            vec!["/url", "/image_url"],
        ),
        (json!({ "title": "Fine", "url": "https://user:pass@example.com/" }), vec!["/url"]),
        (json!({ "title": "Fine", "url": "ftp://example.com/" }), vec!["/url"]),
        (
            json!({ "title": "Fine", "url": format!("https://example.com/{}", "x".repeat(2_048)) }),
            vec!["/url"],
        ),
        (json!({ "title": "Fine", "id": "x" }), vec!["/id"]),
    ] {
        let reply = app.post("/profiles/me/portfolio", &seller, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), pointers);
    }
    for (body, pointer) in [
        (json!({ "first_name": "x".repeat(65) }), "/first_name"),
        (json!({ "last_name": "" }), "/last_name"),
        (json!({ "first_name": "two\nlines" }), "/first_name"),
        (json!({ "bio": "x".repeat(5_001) }), "/bio"),
        (json!({ "bio": "turn \u{202e} around" }), "/bio"),
        (json!({ "experience": ["ten years"] }), "/experience"),
    ] {
        let reply = app.put("/profiles/me", &seller, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn a_stale_writer_is_refused_and_a_reader_who_has_it_gets_304() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let item = app.portfolio_item(&seller, "A work").await;
    let (page, work) =
        ("/profiles/me".to_owned(), format!("/profiles/me/portfolio/{}", item["id"].as_str().unwrap()));
    let first = app.get(&page, &seller).await.header("etag").to_owned();
    let token = Some(seller.token.as_str());
    app.request("GET", &page, token, &[("if-none-match", &first)], None).await.expect(304);
    app.request("PUT", &page, token, &[("if-match", &first)], Some(json!({ "bio": "New" })))
        .await
        .expect(200);
    let change = || Some(json!({ "bio": "Newer" }));
    app.request("PUT", &page, token, &[("if-match", &first)], change()).await.problem(412, "stale_version");
    app.request("DELETE", &work, token, &[("if-match", &first)], None).await.problem(412, "stale_version");
    let title = Some(json!({ "title": "Renamed" }));
    app.request("PUT", &work, token, &[("if-match", &first)], title).await.problem(412, "stale_version");
    app.request("GET", &page, token, &[("if-none-match", &first)], None).await.expect(200);
}

#[tokio::test]
async fn what_others_do_changes_the_etag_and_not_the_version() -> Result<()> {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let user = UserId::from_wire(&seller.id);
    let before = app.get(&path_of(&seller), None).await.header("etag").to_owned();
    let deeds = app.app.db().write(move |tx| {
        profiles::record_rating(tx, user, 4, 1)?;
        profiles::record_rating(tx, user, 5, 1)?;
        profiles::record_completed_order(tx, user)
    });
    deeds.await?;
    let after = app.get(&path_of(&seller), None).await.expect(200);
    assert_eq!(after.json()["rating"], json!({ "average": 4.5, "count": 2 }));
    assert_eq!(after.json()["completed_orders"], 1);
    assert_ne!(before, after.header("etag"));
    assert!(after.header("etag").starts_with("\"0."));
    Ok(())
}

#[tokio::test]
async fn erasing_leaves_nothing_that_was_written() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let empty = app.get(&path_of(&seller), None).await.expect(200).json();
    app.put("/profiles/me", &seller, json!({ "bio": "I draw." })).await.expect(200);
    app.portfolio_item(&seller, "A work").await;
    let user = UserId::from_wire(&seller.id);
    app.app.db().write(move |tx| profiles::erase(tx, user)).await.unwrap();
    assert_eq!(app.get(&path_of(&seller), None).await.expect(200).json(), empty);
}

#[tokio::test]
async fn a_work_sent_again_under_its_key_is_added_once() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let token = Some(seller.token.as_str());
    let send = || {
        let body = Some(json!({ "title": "Once only" }));
        app.request("POST", "/profiles/me/portfolio", token, &[("idempotency-key", "one")], body)
    };
    let (first, again) = (send().await.expect(201), send().await.expect(201));
    assert_eq!((first.bytes, again.headers.get("idempotency-replayed").is_some()), (again.bytes, true));
    let page = app.get("/profiles/me", &seller).await.expect(200).json();
    assert_eq!(page["portfolio"].as_array().unwrap().len(), 1);
}
