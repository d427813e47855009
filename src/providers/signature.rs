//! Signed notices, in Stripe's scheme: a header `t=<seconds>,v1=<hex>` with HMAC-SHA256 of `<seconds>.<raw body>` under a
//! secret that both sides know. Verifies those that come and signs our sandbox's own.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::time::Time;

/// The header that a notice of Stripe's carries.
pub const HEADER: &str = "stripe-signature";

/// An older notice is not believed: somebody may have kept it.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Why a notice is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forged {
    /// It carries no signature, or one that cannot be read.
    Unsigned,
    /// None of its signatures is made with a secret of ours.
    Mismatched,
    /// It was signed longer ago than is tolerated.
    Stale { age: Duration },
    /// It is signed with our secret, and yet no notice: what is missing or wrong.
    Malformed(String),
}

/// Whether `header` signs exactly `raw` with one of `secrets`, no longer ago than `tolerance`. As Stripe's own libraries do
/// it: schemes other than `v1` mean nothing, the first `t` counts, one good signature among several suffices, and a moment
/// in the future is tolerated, however far (the sender's clock may be ahead, and nobody else can have signed it).
pub fn verify(
    secrets: &[impl AsRef<str>],
    header: &str,
    raw: &[u8],
    now: Time,
    tolerance: Duration,
) -> Result<(), Forged> {
    let (seconds, signatures) = read(header).ok_or(Forged::Unsigned)?;
    if std::str::from_utf8(raw).is_err() {
        return Err(Forged::Mismatched);
    }
    let mut good = subtle::Choice::from(0);
    // With a blank secret anybody can sign.
    for secret in secrets.iter().filter(|secret| !secret.as_ref().trim().is_empty()) {
        let expected = hex(secret.as_ref(), seconds, raw);
        for signature in &signatures {
            good |= expected.as_bytes().ct_eq(signature.as_bytes());
        }
    }
    if !bool::from(good) {
        return Err(Forged::Mismatched);
    }
    let age = now.since(Time::from_micros(seconds.saturating_mul(1_000_000)));
    if age > tolerance { Err(Forged::Stale { age }) } else { Ok(()) }
}

/// The header that signs `raw` as of `at`.
pub fn sign(secret: &str, raw: &[u8], at: Time) -> String {
    let seconds = at.as_micros().div_euclid(1_000_000);
    format!("t={seconds},v1={}", hex(secret, seconds, raw))
}

/// The moment and every `v1` signature; `None` where either is missing or an item of theirs has no value. The moment is an
/// optional sign and ASCII digits.
fn read(header: &str) -> Option<(i64, Vec<&str>)> {
    if !header.is_ascii() {
        return None;
    }
    let mut seconds = None;
    let mut signatures = Vec::new();
    for item in header.split(',') {
        // What follows a second `=` is no part of the value.
        let mut parts = item.split('=');
        match (parts.next(), parts.next()) {
            (Some("t"), value) if seconds.is_none() => seconds = Some(value?.parse::<i64>().ok()?),
            (Some("t"), None) | (Some("v1"), None) => return None,
            (Some("v1"), Some(signature)) => signatures.push(signature),
            _ => {}
        }
    }
    seconds.filter(|_| !signatures.is_empty()).map(|seconds| (seconds, signatures))
}

fn hex(secret: &str, seconds: i64, raw: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    let signed = mac.chain_update(seconds.to_string()).chain_update(b".").chain_update(raw).finalize();
    signed.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_one";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn verdict(header: &str, raw: &[u8], now: i64) -> Result<(), Forged> {
        verify(&["whsec_other", SECRET], header, raw, at(now), TOLERANCE)
    }

    /// Made with `openssl dgst -sha256 -hmac whsec_one` over `1700000000.{"id":"evt_1"}`.
    #[test]
    fn a_signature_is_what_others_make_of_it() {
        let header = sign(SECRET, BODY, at(1_700_000_000));
        assert_eq!(
            header,
            "t=1700000000,v1=401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058"
        );
    }

    #[test]
    fn one_good_signature_of_one_live_secret_suffices() {
        let good = sign(SECRET, BODY, at(1_000));
        assert_eq!(verdict(&good, BODY, 1_000), Ok(()));
        assert_eq!(verdict(&good.replace("v1=", "v0=x,v1=bad,v1="), BODY, 1_000), Ok(()));
        assert_eq!(verdict(&good.replace("v1=", "v0="), BODY, 1_000), Err(Forged::Unsigned));
        assert_eq!(
            verdict(&good.to_uppercase().replace("T=", "t=").replace("V1", "v1"), BODY, 1_000),
            Err(Forged::Mismatched)
        );
        assert_eq!(verdict(&good, b"{\"id\":\"evt_2\"}", 1_000), Err(Forged::Mismatched));
        assert_eq!(verdict(&good.replace("t=1000", "t=1001"), BODY, 1_000), Err(Forged::Mismatched));
        assert_eq!(verify(&["whsec_other"], &good, BODY, at(1_000), TOLERANCE), Err(Forged::Mismatched));
    }

    #[test]
    fn a_blank_secret_signs_nothing() {
        let header = sign("", BODY, at(1_000));
        assert_eq!(verify(&[""], &header, BODY, at(1_000), TOLERANCE), Err(Forged::Mismatched));
    }

    #[test]
    fn what_is_no_header_is_unsigned() {
        for header in ["", "t=1000", "v1=aa", "t,v1=aa", "t=soon,v1=aa", "t=1000,v1"] {
            assert_eq!(verdict(header, BODY, 1_000), Err(Forged::Unsigned), "{header}");
        }
    }

    #[test]
    fn an_old_notice_is_stale_and_one_of_the_future_is_not() {
        let header = sign(SECRET, BODY, at(1_000));
        assert_eq!(verdict(&header, BODY, 1_300), Ok(()));
        assert_eq!(verdict(&header, BODY, 1_301), Err(Forged::Stale { age: Duration::from_secs(301) }));
        assert_eq!(verdict(&header, BODY, 100), Ok(()));
    }
}
