//! One tree of settings. A flag beats an environment variable, which beats `guildhall.toml`, which beats the defaults
//! here; an unknown key is an error. `keys` names each setting once, `layers` puts it together.

mod keys;
mod layers;
mod written;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use crate::db::{Place, Role, Server, ServerUrl};
use crate::error::{Error, Result};
use crate::money::{Currency, Rate, Threshold};
use crate::secret::Secret;

pub use keys::{KEYS, Key, Shape};
pub use layers::{Given, Loaded, Mistakes, Origin, load, surplus_variables};

/// How this Guildhall runs.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// `None`: the embedded database in the data directory.
    pub database_url: Option<ServerUrl>,
    /// Where else the same data can be read.
    pub database_replicas: Vec<ServerUrl>,
    pub database_connections: usize,
    /// Whether nothing will be written, so that a standby will do: a matter of the command.
    pub only_reads: bool,
    /// Whether a transaction pooler stands before the server.
    pub database_pooler: bool,
    /// Whether a server is accepted that can lose what it has acknowledged.
    pub allow_unsafe_database: bool,
    pub listen: SocketAddr,
    pub metrics_listen: Option<SocketAddr>,
    /// Where clients reach it; links in answers and mails start with it.
    pub public_url: Option<String>,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    pub services: Vec<Service>,
    pub no_migrate: bool,
    pub rate_limit: bool,
    /// Whether administrators may move the clock, to see deadlines pass.
    pub test_clock: bool,
    /// Whether every invariant is checked each hour, for the metrics.
    pub verify_hourly: bool,
    /// What is logged, in the words of `RUST_LOG`: `info`, `guildhall=debug,warn`.
    pub log: String,
    pub log_format: LogFormat,
    /// Through whom freelancers are paid.
    pub payouts: PayoutsBy,
    /// Nothing less is paid out to freelancers who say no other.
    pub payout_minimum: Threshold,
    pub market: Market,
    pub provider: PaymentProvider,
    pub stripe: Stripe,
    /// Whether play money is meant although there is a key for real money.
    pub allow_sandbox: bool,
}

crate::words! {
    /// Who charges buyers and pays freelancers.
    pub enum PaymentProvider {
        /// Built in; its money is play money.
        Sandbox = "sandbox",
        Stripe = "stripe",
    }
}

/// How Stripe is reached.
#[derive(Debug, Clone)]
pub struct Stripe {
    pub secret_key: Option<Secret>,
    pub secret_key_file: Option<PathBuf>,
    /// What its webhooks are signed with.
    pub webhook_secrets: Vec<Secret>,
    pub webhook_secrets_file: Option<PathBuf>,
    /// The currencies of the house's balances at Stripe; empty where nobody has said.
    pub settlement_currencies: Vec<Currency>,
    pub url: String,
}

impl Default for Stripe {
    fn default() -> Self {
        Self {
            secret_key: None,
            secret_key_file: None,
            webhook_secrets: Vec::new(),
            webhook_secrets_file: None,
            settlement_currencies: Vec::new(),
            url: "https://api.stripe.com".to_owned(),
        }
    }
}

crate::words! {
    /// Through whom freelancers are paid.
    pub enum PayoutsBy {
        /// The payment provider.
        Provider = "provider",
        /// Whoever runs the marketplace, by hand.
        Manual = "manual",
    }
}

crate::words! {
    /// For whom the log is written.
    pub enum LogFormat {
        /// People when they watch (standard error is a terminal), programs otherwise.
        Auto = "auto",
        Human = "human",
        Json = "json",
    }
}

/// The terms of the marketplace.
#[derive(Debug, Clone)]
pub struct Market {
    /// The currency of a listing that names none.
    pub currency: Currency,
    /// What the house keeps of a released amount where no fee rule covers the order.
    pub fee: Rate,
    /// What the buyer pays beside the amount.
    pub service_fee: Rate,
    /// An order that is not paid within it is cancelled.
    pub pay_within: Duration,
    /// A delivery that is not answered within it is accepted.
    pub review_within: Duration,
    /// How long after its release money can be paid out.
    pub clearance: Duration,
    /// A buyer may cancel an order that is late by more than this.
    pub late_after: Duration,
    /// A dispute that one side does not answer within it ends as the other side wishes.
    pub dispute_within: Duration,
}

impl Default for Market {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            currency: Currency::parse("USD").expect("USD is in ISO 4217"),
            fee: Rate::from_basis_points(1_000).expect("ten per cent is no more than the whole"),
            service_fee: Rate::NONE,
            pay_within: day,
            review_within: 3 * day,
            clearance: 7 * day,
            late_after: day,
            dispute_within: 14 * day,
        }
    }
}

crate::words! {
    /// A part of the API that a process can serve alone.
    pub enum Service {
        Users = "users",
        Profiles = "profiles",
        Services = "services",
        Orders = "orders",
        Payments = "payments",
        Notifications = "notifications",
        Reviews = "reviews",
    }
}

/// An address block in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl std::str::FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let wrong =
            || Error::broken(format!("`{text}` is no address or CIDR block: write 10.0.0.0/8 or 192.0.2.1"));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(widest), str::parse).map_err(|_| wrong())?;
        if prefix <= widest { Ok(Self { address, prefix }) } else { Err(wrong()) }
    }
}

impl Network {
    /// Whether it is every address there is.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                mine.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                mine.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./guildhall-data"),
            database_url: None,
            database_replicas: Vec::new(),
            database_connections: 16,
            only_reads: false,
            database_pooler: false,
            allow_unsafe_database: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            public_url: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            services: Service::ALL.to_vec(),
            no_migrate: false,
            rate_limit: true,
            test_clock: false,
            verify_hourly: true,
            log: "info".to_owned(),
            log_format: LogFormat::Auto,
            payouts: PayoutsBy::Provider,
            payout_minimum: Threshold::default(),
            market: Market::default(),
            provider: PaymentProvider::Sandbox,
            stripe: Stripe::default(),
            allow_sandbox: false,
        }
    }
}

impl Config {
    /// Where clients reach it, without a final slash.
    pub fn public_url(&self) -> String {
        let url = self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen));
        url.trim_end_matches('/').to_owned()
    }

    /// Whether a link leads to this house: to where clients reach it, or to a site whose scripts may call it.
    pub fn is_own_site(&self, link: &str) -> bool {
        let origin = |link: &str| Url::parse(link).ok().map(|url| url.origin().ascii_serialization());
        let Some(of_link) = origin(link) else { return false };
        origin(&self.public_url()).as_ref() == Some(&of_link) || self.cors_origins.contains(&of_link)
    }

    /// Play money while there is a key for real money: somebody forgot to choose.
    pub fn forgets_stripe(&self) -> bool {
        let has_key = self.stripe.secret_key.is_some() || self.stripe.secret_key_file.is_some();
        self.provider == PaymentProvider::Sandbox && has_key && !self.allow_sandbox
    }

    /// Whether strangers can reach it: by itself, or through a proxy before it.
    pub fn is_public(&self) -> bool {
        !self.listen.ip().to_canonical().is_loopback()
            || self.public_url.as_ref().is_some_and(|url| !is_local(url))
    }

    pub fn trusts(&self, proxy: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(proxy))
    }

    /// Where the database is.
    pub fn place(&self) -> Place {
        match &self.database_url {
            None => Place::File(self.database_file()),
            Some(url) => Place::Server(Box::new(Server {
                url: url.clone(),
                connections: self.database_connections,
                pooler: self.database_pooler,
                allow_unsafe: self.allow_unsafe_database,
                role: if self.only_reads { Role::Any } else { Role::Primary },
                replicas: if self.only_reads { Vec::new() } else { self.database_replicas.clone() },
                timeline: Arc::default(),
            })),
        }
    }

    /// The embedded database's file.
    pub fn database_file(&self) -> PathBuf {
        self.data_dir.join("guildhall.db")
    }
}

/// Whether a URL leads to this machine only.
pub fn is_local(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    match host {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let network: Network = "10.1.0.0/16".parse().expect("a block");
        assert!(network.contains(IpAddr::from([10, 1, 2, 3])));
        assert!(!network.contains(IpAddr::from([10, 2, 0, 1])));
        assert!("0.0.0.0/0".parse::<Network>().expect("everything").contains(IpAddr::from([9, 9, 9, 9])));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("proxy".parse::<Network>().is_err());
    }
}
