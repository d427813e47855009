//! How often one caller may ask: token buckets in memory, keyed by account, else by address (IPv6 by its /64).

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::actor::{Actor, UserId};
use crate::error::{Result, TOO_MANY_REQUESTS};

/// What an operation is counted as, beside the general bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    Default,
    Register,
    CreateListing,
    Pay,
    Refund,
    Review,
    Message,
    /// What a payment provider tells: many at once after an outage of ours, and none of it may be lost.
    Notice,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(UserId),
    V4([u8; 4]),
    V6([u8; 8]),
}

/// Keys above this many are swept of callers whose buckets are full again.
const SWEEP_ABOVE: usize = 50_000;

/// The buckets of this process.
pub struct RateLimits {
    anonymous: DefaultKeyedRateLimiter<Caller>,
    signed: DefaultKeyedRateLimiter<Caller>,
    notices: DefaultKeyedRateLimiter<Caller>,
    classes: HashMap<RateClass, (u32, Duration, DefaultKeyedRateLimiter<Caller>)>,
    off: bool,
}

impl RateLimits {
    /// `off` lifts every limit, for load tests.
    pub fn new(off: bool) -> Self {
        let minute = Duration::from_secs(60);
        let hour = Duration::from_secs(3_600);
        let classes = [
            (RateClass::Register, 30, minute),
            (RateClass::CreateListing, 20, hour),
            (RateClass::Pay, 10, minute),
            (RateClass::Refund, 20, hour),
            (RateClass::Review, 30, 24 * hour),
            (RateClass::Message, 60, minute),
        ];
        Self {
            anonymous: RateLimiter::keyed(Quota::per_second(count(100)).allow_burst(count(200))),
            signed: RateLimiter::keyed(Quota::per_second(count(50)).allow_burst(count(100))),
            notices: RateLimiter::keyed(Quota::per_second(count(500)).allow_burst(count(1_000))),
            classes: classes
                .into_iter()
                .map(|(class, allowed, per)| (class, (allowed, per, RateLimiter::keyed(quota(allowed, per)))))
                .collect(),
            off,
        }
    }

    /// Whether limits are lifted.
    pub fn are_off(&self) -> bool {
        self.off
    }

    /// Counts one request; 429 when there were too many.
    pub(super) fn count(&self, actor: &Actor, address: IpAddr, class: RateClass) -> Result<()> {
        if self.off {
            return Ok(());
        }
        let caller = match (actor.id(), address.to_canonical()) {
            (Some(user), _) => Caller::User(user),
            (None, IpAddr::V4(address)) => Caller::V4(address.octets()),
            (None, IpAddr::V6(address)) => {
                let octets = address.octets();
                Caller::V6([
                    octets[0], octets[1], octets[2], octets[3], octets[4], octets[5], octets[6], octets[7],
                ])
            }
        };
        if class == RateClass::Notice {
            return take(&self.notices, &caller, "500 events a second");
        }
        match actor.id() {
            Some(_) => take(&self.signed, &caller, "50 requests a second")?,
            None => take(&self.anonymous, &caller, "100 requests a second without a token")?,
        }
        match self.classes.get(&class) {
            Some((allowed, per, limiter)) => {
                let within = match per.as_secs() / 60 {
                    1 => "a minute".to_owned(),
                    minutes => format!("{minutes} minutes"),
                };
                take(limiter, &caller, &format!("{allowed} of these in {within}"))
            }
            None => Ok(()),
        }
    }
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// `allowed` at once, refilled evenly over `per`.
fn quota(allowed: u32, per: Duration) -> Quota {
    Quota::with_period(per / allowed.max(1)).unwrap_or(Quota::per_hour(count(1))).allow_burst(count(allowed))
}

fn take(limiter: &DefaultKeyedRateLimiter<Caller>, caller: &Caller, allowed: &str) -> Result<()> {
    if limiter.len() > SWEEP_ABOVE {
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
    limiter.check_key(caller).map_err(|refused| {
        let wait = refused.wait_time_from(DefaultClock::default().now());
        TOO_MANY_REQUESTS
            .error(format!("at most {allowed} are answered: wait {} s and try again", wait.as_secs() + 1))
            .retry_after(wait.as_secs() + 1)
    })
}
