//! Events in the shape that Stripe gives them, which the sandbox shares: signed, and pointing at an object by its id.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::id::Id;
use crate::time::Time;

use super::signature::{TOLERANCE, verify};
use super::{Forged, Notice, NoticeKind};

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    #[serde(default)]
    livemode: bool,
    /// The connected account that it happened in.
    account: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Map<String, Value>,
}

/// The notice that `raw` is, if the header named `header` signs it with one of `secrets`.
pub(super) fn read(
    secrets: &[impl AsRef<str>],
    header: &str,
    headers: &HeaderMap,
    raw: &[u8],
    now: Time,
) -> Result<Notice, Forged> {
    let signed = headers.get(header).and_then(|value| value.to_str().ok()).ok_or(Forged::Unsigned)?;
    verify(secrets, signed, raw, now, TOLERANCE)?;
    parse(raw)
}

pub(super) fn parse(raw: &[u8]) -> Result<Notice, Forged> {
    let event: Event = serde_json::from_slice(raw).map_err(|error| Forged::Malformed(error.to_string()))?;
    let object = &event.data.object;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let kind = NoticeKind::of_object(text("object").unwrap_or_default());
    // A charge of Stripe's belongs to an intent, and that is what we know it by.
    let intent = text("payment_intent").filter(|_| text("object") == Some("charge"));
    let named = |name: &str| object.get("metadata").and_then(|metadata| metadata.get(name)?.as_str());
    Ok(Notice {
        kind,
        reference: intent.or_else(|| text("id")).unwrap_or_default().to_owned(),
        key: named("key").map(str::to_owned),
        order_id: named("order_id").map(Id::from_wire),
        id: event.id,
        said: event.kind,
        account: event.account,
        live: event.livemode,
        at: Time::from_micros(event.created.saturating_mul(1_000_000)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::signature::{HEADER, sign};
    use super::*;

    const RAW: &[u8] = br#"{"id":"evt_1","object":"event","type":"charge.refunded","created":1700000000,"livemode":true,
        "data":{"object":{"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{"key":"payment-1"}}}}"#;

    fn signed(raw: &[u8], at: Time) -> HeaderMap {
        let header = sign("whsec_a", raw, at).parse().expect("visible ASCII");
        HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), header)])
    }

    #[test]
    fn a_signed_event_points_at_what_we_know_the_object_by() {
        let now = Time::from_micros(1_700_000_001_000_000);
        let notice = read(&["whsec_a"], HEADER, &signed(RAW, now), RAW, now).expect("signed");
        assert_eq!((notice.kind, notice.reference.as_str()), (NoticeKind::Charge, "pi_1"));
        assert_eq!((notice.key.as_deref(), notice.live, notice.account), (Some("payment-1"), true, None));
        assert_eq!((notice.id.as_str(), notice.said.as_str()), ("evt_1", "charge.refunded"));
    }

    #[test]
    fn what_it_does_not_know_is_still_a_notice() {
        let raw = br#"{"id":"evt_2","type":"quantum.entangled","created":1,"account":"acct_1","data":{"object":{}}}"#;
        let notice = parse(raw).expect("an event");
        assert_eq!((notice.kind, notice.reference.as_str()), (NoticeKind::Other, ""));
        assert_eq!(notice.account.as_deref(), Some("acct_1"));
    }

    #[test]
    fn what_is_unsigned_or_no_event_is_refused() {
        let now = Time::from_micros(0);
        assert_eq!(read(&["whsec_a"], HEADER, &HeaderMap::new(), RAW, now), Err(Forged::Unsigned));
        assert_eq!(read(&["whsec_b"], HEADER, &signed(RAW, now), RAW, now), Err(Forged::Mismatched));
        let raw = b"[]";
        let read = read(&["whsec_a"], HEADER, &signed(raw, now), raw, now);
        assert!(matches!(read, Err(Forged::Malformed(_))));
    }
}
