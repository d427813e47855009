//! Slows down guessing. Wrong passwords are counted under the name that was tried, whether it has an account or not, and
//! under the address they came from. An address that the account has logged in from before has a count of its own, so
//! strangers slow themselves down and not the owner.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::{Error, Result, TOO_MANY_REQUESTS};
use crate::params;
use crate::time::Time;

use super::model::{Account, LoginName};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// An account forgives this many failures in each window; then each further one doubles the pause before the next try.
const FREE_PER_ACCOUNT: i64 = 10;
const ACCOUNT_WINDOW: Duration = Duration::from_secs(15 * 60);
const LONGEST_PAUSE: Duration = MINUTE;
/// NIST SP 800-63B, 5.2.2: no more than 100 consecutive failures. Then only the operator's reset opens the account.
const MOST_IN_A_ROW: i64 = 100;
/// Failures from one address in a minute; the rest of the minute is refused.
const FREE_PER_ADDRESS: i64 = 60;
const ADDRESS_WINDOW: Duration = MINUTE;
/// How long failures without a right password are remembered.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// Addresses that are known of an account: the latest ones.
const KNOWN_ADDRESSES: usize = 20;
const ADDRESS_KNOWN_FOR: Duration = Duration::from_secs(90 * 86_400);

/// A password that somebody tries.
#[derive(Debug, Clone)]
pub struct Guess {
    whose: Whose,
    address: Vec<u8>,
    limited: bool,
}

#[derive(Debug, Clone)]
enum Whose {
    Named(LoginName),
    /// Of the caller himself, who wants to change it.
    Own(UserId),
}

impl Guess {
    /// A login. Nothing is counted unless it is `limited`.
    pub fn login(name: LoginName, address: IpAddr, limited: bool) -> Self {
        Self { whose: Whose::Named(name), address: address_hash(address), limited }
    }

    /// The current password, asked for before a change.
    pub fn own(user: UserId, address: IpAddr, limited: bool) -> Self {
        Self { whose: Whose::Own(user), address: address_hash(address), limited }
    }

    /// 429 while there were too many before this one. `user` is the account that it is about, if there is one.
    pub(super) fn admit(&self, tx: &Tx, user: Option<UserId>) -> Result<()> {
        for counter in self.counters(tx, user)? {
            counter.admit(tx)?;
        }
        Ok(())
    }

    /// Counts a wrong password.
    pub(super) fn failed(&self, tx: &Tx, user: Option<UserId>) -> Result<()> {
        for counter in self.counters(tx, user)? {
            counter.count(tx)?;
        }
        Ok(())
    }

    /// Forgives the account what was tried before: its owner is here. His address is known from now on.
    pub(super) fn succeeded(&self, tx: &Tx, account: &Account) -> Result<()> {
        tx.execute(
            "insert into known_addresses (user_id, address_hash, seen_at) values ($1, $2, $3)
             on conflict (user_id, address_hash) do update set seen_at = excluded.seen_at",
            params![account.id, self.address, tx.now()],
        )?;
        for surplus in known_addresses(tx, account.id)?.iter().skip(KNOWN_ADDRESSES) {
            tx.execute(
                "delete from known_addresses where user_id = $1 and address_hash = $2",
                params![account.id, surplus],
            )?;
        }
        lift(tx, account)
    }

    fn counters(&self, tx: &Tx, user: Option<UserId>) -> Result<Vec<Counter>> {
        if !self.limited {
            return Ok(Vec::new());
        }
        let account = match &self.whose {
            Whose::Own(user) => own_key(*user),
            Whose::Named(name) => {
                // Nobody's id is nil: a name without an account is looked up like any other.
                let user = user.unwrap_or(UserId::from_uuid(uuid::Uuid::nil()));
                let known = tx.exists(
                    "select 1 from known_addresses where user_id = $1 and address_hash = $2",
                    params![user, self.address],
                )?;
                name_key(name, known.then_some(self.address.as_slice()))
            }
        };
        Ok(vec![
            Counter { key: account, of: Counted::Account },
            Counter { key: digest(&[b"address", &self.address]), of: Counted::Address },
        ])
    }
}

/// What a counter counts the failures of.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Account,
    Address,
}

struct Counter {
    key: Vec<u8>,
    of: Counted,
}

struct Tally {
    failures: i64,
    in_a_row: i64,
    window_start: Time,
    blocked_until: Time,
}

impl Counter {
    fn tally(&self, tx: &Tx) -> Result<Option<Tally>> {
        tx.first(
            "select failures, in_a_row, window_start, blocked_until from login_throttles where key = $1",
            params![self.key],
            |row| {
                Ok(Tally {
                    failures: row.next()?,
                    in_a_row: row.next()?,
                    window_start: row.next()?,
                    blocked_until: row.next()?,
                })
            },
        )
    }

    fn admit(&self, tx: &Tx) -> Result<()> {
        match self.tally(tx)? {
            Some(tally) if self.of.is_closed(tally.in_a_row) => Err(closed()),
            Some(tally) if tally.blocked_until > tx.now() => Err(paused(tally.blocked_until.since(tx.now()))),
            _ => Ok(()),
        }
    }

    fn count(&self, tx: &Tx) -> Result<()> {
        let now = tx.now();
        let before = self.tally(tx)?;
        let in_a_row = before.as_ref().map_or(0, |tally| tally.in_a_row) + 1;
        let (failures, window_start) = match before {
            Some(tally) if now.since(tally.window_start) < self.of.window() => {
                (tally.failures + 1, tally.window_start)
            }
            _ => (1, now),
        };
        let blocked_until = self.of.blocked_until(failures, window_start, now);
        let forget_at = (!self.of.is_closed(in_a_row)).then(|| now.plus(REMEMBERED));
        tx.execute(
            "insert into login_throttles (key, failures, in_a_row, window_start, blocked_until, forget_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (key) do update set failures = excluded.failures, in_a_row = excluded.in_a_row,
                 window_start = excluded.window_start, blocked_until = excluded.blocked_until, forget_at = excluded.forget_at",
            params![self.key, failures, in_a_row, window_start, blocked_until, forget_at],
        )?;
        Ok(())
    }
}

impl Counted {
    fn window(self) -> Duration {
        match self {
            Self::Account => ACCOUNT_WINDOW,
            Self::Address => ADDRESS_WINDOW,
        }
    }

    /// Whether only the operator can open it again.
    fn is_closed(self, in_a_row: i64) -> bool {
        matches!(self, Self::Account) && in_a_row >= MOST_IN_A_ROW
    }

    /// When the next try is looked at.
    fn blocked_until(self, failures: i64, window_start: Time, now: Time) -> Time {
        match self {
            Self::Account => match u32::try_from(failures - FREE_PER_ACCOUNT) {
                Ok(surplus) => now.plus(Duration::from_secs(1 << surplus.min(6)).min(LONGEST_PAUSE)),
                Err(_) => now,
            },
            Self::Address if failures >= FREE_PER_ADDRESS => window_start.plus(ADDRESS_WINDOW),
            Self::Address => now,
        }
    }
}

fn paused(wait: Duration) -> Error {
    let seconds = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
    TOO_MANY_REQUESTS
        .error(format!("too many wrong passwords: wait {seconds} s and try again"))
        .retry_after(seconds)
}

fn closed() -> Error {
    TOO_MANY_REQUESTS
        .error("a hundred wrong passwords in a row: log in from where you did before, or ask whoever runs this marketplace for a reset")
        .retry_after(DAY.as_secs())
}

/// Forgets every failure to guess the password of an account.
pub(super) fn lift(tx: &Tx, account: &Account) -> Result<()> {
    let addresses = known_addresses(tx, account.id)?;
    let mut keys = vec![own_key(account.id)];
    for name in account.login_names() {
        keys.push(name_key(&name, None));
        keys.extend(addresses.iter().map(|address| name_key(&name, Some(address))));
    }
    for key in keys {
        tx.execute("delete from login_throttles where key = $1", params![key])?;
    }
    Ok(())
}

/// Forgets where an account was logged in from.
pub(super) fn forget_addresses(tx: &Tx, user: UserId) -> Result<()> {
    tx.execute("delete from known_addresses where user_id = $1", params![user])?;
    Ok(())
}

/// Forgets failures and addresses that are long past, `most` of each; whether that was all.
pub fn forget_stale(tx: &Tx, most: u32) -> Result<bool> {
    let failures = tx.execute(
        "delete from login_throttles where key in (select key from login_throttles where forget_at <= $1 limit $2)",
        params![tx.now(), most],
    )?;
    let addresses = tx.execute(
        "delete from known_addresses where (user_id, address_hash) in
             (select user_id, address_hash from known_addresses where seen_at <= $1 limit $2)",
        params![tx.now().minus(ADDRESS_KNOWN_FOR), most],
    )?;
    Ok(failures.max(addresses) < u64::from(most))
}

/// The latest first.
fn known_addresses(tx: &Tx, user: UserId) -> Result<Vec<Vec<u8>>> {
    tx.all(
        "select address_hash from known_addresses where user_id = $1 order by seen_at desc, address_hash",
        params![user],
        |row| row.next(),
    )
}

fn name_key(name: &LoginName, known_address: Option<&[u8]>) -> Vec<u8> {
    let (kind, folded): (&[u8], &str) = match name {
        LoginName::Email(folded) => (b"email", folded),
        LoginName::Username(folded) => (b"username", folded),
    };
    digest(&[kind, folded.as_bytes(), known_address.unwrap_or_default()])
}

fn own_key(user: UserId) -> Vec<u8> {
    digest(&[b"own", user.as_uuid().as_bytes()])
}

/// An IPv6 network gives each customer a /64, so the rest of the address names nobody.
fn address_hash(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => digest(&[b"v4", &address.octets()]),
        IpAddr::V6(address) => digest(&[b"v6", &address.octets()[..8]]),
    }
}

/// SHA-256 over the parts, each with its length.
fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let start = Sha256::new();
    let fed = parts.iter().fold(start, |digest, part| {
        digest.chain_update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).chain_update(part)
    });
    fed.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let now = Time::from_micros(0);
        let pause = |failures| Counted::Account.blocked_until(failures, now, now).since(now).as_secs();
        assert_eq!([9, 10, 11, 12, 15, 16, 17, 99].map(pause), [0, 1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn an_address_waits_for_its_minute_to_end() {
        let (start, now) = (Time::from_micros(0), Time::from_micros(50_000_000));
        assert_eq!(Counted::Address.blocked_until(59, start, now), now);
        assert_eq!(Counted::Address.blocked_until(60, start, now), start.plus(MINUTE));
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_address() {
        let hash = |text: &str| address_hash(text.parse().expect("an address"));
        assert_eq!(hash("2001:db8::1"), hash("2001:db8::ffff:1"));
        assert_ne!(hash("2001:db8::1"), hash("2001:db8:0:1::1"));
        assert_eq!(hash("::ffff:192.0.2.1"), hash("192.0.2.1"));
    }
}
