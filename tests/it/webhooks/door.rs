//! Who gets in at the door of events, and with what.

use std::time::Duration;

use axum::body::Body;
use guildhall::config::PaymentProvider;
use guildhall::providers::{sandbox, signature};
use http::Request;
use serde_json::json;

use super::{DAY, about_payment, event};
use crate::payments::ordered;
use crate::support::TestApp;

#[tokio::test]
async fn only_what_the_provider_has_signed_is_believed() {
    let app = TestApp::new().await;
    let now = app.app.db().clock().now();
    let secret = app.secret().await;
    let raw = event("evt_1", "charge.succeeded", "charge", "ch_1", None).to_string();
    let good = signature::sign(&secret, raw.as_bytes(), now);
    let mut flipped = raw.clone().into_bytes();
    flipped[9] ^= 1;
    let other = signature::sign("whsec_of_another_endpoint", raw.as_bytes(), now);
    let old = signature::sign(&secret, raw.as_bytes(), now.minus(Duration::from_secs(302)));
    let bad_last = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let not_an_event = signature::sign(&secret, b"[]", now);
    let refused = [
        (raw.clone().into_bytes(), None, "invalid_signature"),
        (raw.clone().into_bytes(), Some(""), "invalid_signature"),
        (flipped, Some(good.as_str()), "invalid_signature"),
        (raw.clone().into_bytes(), Some(&bad_last), "invalid_signature"),
        (raw.clone().into_bytes(), Some(&other), "invalid_signature"),
        (raw.clone().into_bytes(), Some(&good.replace("v1=", "v0=")), "invalid_signature"),
        (format!("{raw} ").into_bytes(), Some(&good), "invalid_signature"),
        (raw.clone().into_bytes(), Some(&old), "stale_signature"),
        (b"[]".to_vec(), Some(&not_an_event), "invalid_request"),
    ];
    for (raw, signature, code) in refused {
        app.knock(raw, signature).await.problem(400, code);
    }
    assert_eq!(app.kept().await, []);
    let future = signature::sign(&secret, raw.as_bytes(), now.plus(DAY));
    for signature in [&good, &format!("{other},{}", good.split_once(',').unwrap().1), &future] {
        let reply = app.knock(raw.clone(), Some(signature)).await;
        // The moment of the other signature counts, which is the same.
        assert_eq!(reply.expect(200).json(), json!({ "received": true }));
    }
    assert_eq!(app.states().await, ["waiting"]);
    app.settle().await;
}

#[tokio::test]
async fn the_door_is_the_deployments_own_providers() {
    let app = TestApp::new().await;
    for path in ["/webhooks/stripe", "/webhooks/Sandbox", "/webhooks"] {
        assert_eq!(app.post(path, None, json!({})).await.status, 404, "{path}");
    }
    app.get("/webhooks/sandbox", None).await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_body_is_bytes_of_any_kind_up_to_its_cap() {
    let app = TestApp::new().await;
    let mut told = event("evt_1", "quantum.entangled", "quantum", "q_1", None);
    told["padding"] = json!("x".repeat(200 * 1_024));
    let raw = told.to_string();
    let signature = app.signed(raw.as_bytes()).await;
    let request = Request::post("/webhooks/sandbox")
        .header("content-type", "text/plain; charset=latin-1")
        .header("authorization", "Bearer not-a-token")
        .header(sandbox::SIGNATURE, signature)
        .body(Body::from(raw))
        .unwrap();
    app.raw(request).await.expect(200);
    assert_eq!(app.states().await, ["ignored"], "nothing here knows what a quantum is");
    let big = vec![b'x'; 256 * 1_024 + 1];
    app.knock(big.clone(), None).await.problem(413, "body_too_large");
    let declared = Request::post("/webhooks/sandbox").header("content-length", big.len());
    app.raw(declared.body(Body::empty()).unwrap()).await.problem(413, "body_too_large");
    app.knock(big[1..].to_vec(), None).await.problem(400, "invalid_signature");
}

#[tokio::test]
async fn an_event_about_real_money_is_not_for_play_money() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.taken(&buyer, &order).await;
    let mut told = about_payment("evt_1", "charge.succeeded", &payment);
    told["livemode"] = json!(true);
    app.tell(&told).await.expect(200);
    app.settle().await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "pending");
    let note = "about real money, and this deployment is not live".to_owned();
    assert_eq!(app.kept().await, [("evt_1".to_owned(), "ignored".to_owned(), Some(note))]);
    app.advance(Duration::from_secs(60)).await;
    app.audit().await;
}

#[tokio::test]
async fn a_door_whose_provider_is_not_set_up_says_so() {
    let app = TestApp::with(|config| config.provider = PaymentProvider::Stripe).await;
    let request = Request::post("/webhooks/stripe").header("stripe-signature", "t=1,v1=00");
    app.raw(request.body(Body::from("{}")).unwrap()).await.problem(503, "provider_misconfigured");
}

#[tokio::test]
async fn the_door_of_another_provider_says_which_is_there() {
    let app = TestApp::new().await;
    let refused = app.post("/webhooks/stripe", None, json!({})).await.problem(404, "not_found").json();
    assert_eq!(
        refused["detail"],
        "this deployment is paid through sandbox: only /webhooks/sandbox is there, for its events"
    );
}
