//! What talking to Stripe takes, and what is wrong with it.

use std::path::Path;

use url::{Host, Url};

use crate::config;
use crate::db::Tx;
use crate::error::{Error, Result as Done};
use crate::money::Currency;
use crate::params;
use crate::providers::Provider;
use crate::secret::Secret;

/// Usable credentials and where to send them.
#[derive(Debug, Clone)]
pub struct Settings {
    pub secret_key: Secret,
    /// What notices are signed with: several while one is replaced by another.
    pub webhook_secrets: Vec<Secret>,
    pub url: String,
    /// In which Stripe keeps what buyers pay; empty where nobody has said.
    pub settlement_currencies: Vec<Currency>,
}

impl Settings {
    /// Reads the files that the configuration names; an error says the mend.
    pub fn read(config: &config::Stripe) -> Result<Self, String> {
        let secret_key = match (&config.secret_key, &config.secret_key_file) {
            (Some(_), Some(_)) => {
                return Err("stripe_secret_key and stripe_secret_key_file are both set: which key is meant? Leave one out".to_owned());
            }
            (Some(key), None) => key.clone(),
            (None, Some(file)) => Secret::new(contents(file)?.trim()),
            (None, None) => {
                return Err("there is no key for Stripe: set stripe_secret_key_file to a file that holds it"
                    .to_owned());
            }
        };
        let mut webhook_secrets = config.webhook_secrets.clone();
        if let Some(file) = &config.webhook_secrets_file {
            let text = contents(file)?;
            let words = text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
            webhook_secrets.extend(words.map(Secret::new));
        }
        let settings = Self {
            secret_key,
            webhook_secrets,
            url: config.url.clone(),
            settlement_currencies: config.settlement_currencies.clone(),
        };
        settings.refuse_mistakes()?;
        Ok(settings)
    }

    fn refuse_mistakes(&self) -> Result<(), String> {
        let key = self.secret_key.reveal();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the key for Stripe is empty or has characters that no key has: write it again".to_owned()
            );
        }
        if key.starts_with("pk_") {
            return Err("the key for Stripe is a publishable one, for browsers: set the secret key (sk_…) or a restricted one (rk_…)".to_owned());
        }
        if key.starts_with("whsec_") {
            return Err(
                "the key for Stripe is a webhook's secret: that goes into stripe_webhook_secrets".to_owned()
            );
        }
        match Url::parse(&self.url) {
            Ok(url) if url.scheme() == "https" || is_loopback(&url) => Ok(()),
            _ => Err(format!(
                "stripe_url {} would send the key in clear text: write an https address (http only to this machine)",
                self.url
            )),
        }
    }

    /// Whether its money is real.
    pub fn is_live(&self) -> bool {
        ["sk_live_", "rk_live_"].iter().any(|live| self.secret_key.reveal().starts_with(live))
    }

    /// What works and yet is seldom meant.
    pub fn doubts(&self) -> Vec<(String, &'static str)> {
        let mut doubts = Vec::new();
        let key = self.secret_key.reveal();
        if !key.starts_with("sk_") && !key.starts_with("rk_") {
            doubts.push((
                "the key for Stripe begins with neither sk_ nor rk_".to_owned(),
                "copy it from Stripe's dashboard again",
            ));
        }
        if self.is_live() && self.url != config::Stripe::default().url {
            doubts.push((
                format!("a live key is sent to {}", self.url),
                "leave stripe_url out where money is real",
            ));
        }
        if self.settlement_currencies.is_empty() {
            doubts.push((
                "in which currencies Stripe settles is not said: orders in others are paid, and cannot be paid out"
                    .to_owned(),
                "set stripe_settlement_currencies to those of the balances in Stripe's dashboard",
            ));
        }
        if self.webhook_secrets.is_empty() {
            doubts.push((
                "no webhook of Stripe's is believed: outcomes that it tells later are only asked for"
                    .to_owned(),
                "set stripe_webhook_secrets to the signing secret of the endpoint",
            ));
        }
        if self.webhook_secrets.iter().any(|secret| !secret.reveal().starts_with("whsec_")) {
            doubts.push((
                "a secret of stripe_webhook_secrets does not begin with whsec_".to_owned(),
                "copy the endpoint's signing secret from Stripe's dashboard again",
            ));
        }
        doubts
    }
}

/// The setting in which a database remembers whose money is in it.
const MONEY: &str = "stripe_money";

/// Refuses a key for other money than this database was paid with: Stripe knows the charges of the one nowhere in the other,
/// and play money would be paid out. `play_money`: orders that the sandbox charged may stay.
pub fn require_same_money(tx: &Tx, live: bool, play_money: bool) -> Done<()> {
    let money = word(live);
    let known: Option<String> =
        tx.first("select value from settings where name = $1", params![MONEY], |row| row.next())?;
    if let Some(known) = known.filter(|known| known != money) {
        return Err(Error::broken(format!(
            "orders in this database were paid, or payout accounts opened, with Stripe's {known} money, and the key is for {money} money: use a {known} key, or an empty database"
        )));
    }
    let play = "select 1 from payments where provider = 'sandbox' and status in ('pending', 'requires_action', 'success')
         limit 1";
    match !play_money && tx.exists(play, params![])? {
        false => Ok(()),
        true => Err(Error::broken(format!(
            "orders in this database were paid with the sandbox's play money, and the key is for Stripe's {money} money: use an empty database, or set allow_sandbox to true to keep them; what they earned is not paid out then"
        ))),
    }
}

/// Refuses play money for a database that was paid with Stripe's: orders of people who pay would be mixed with those of
/// nobody. `play_money`: they may be.
pub fn require_no_money(tx: &Tx, play_money: bool) -> Done<()> {
    let known: Option<String> =
        tx.first("select value from settings where name = $1", params![MONEY], |row| row.next())?;
    match known.filter(|_| !play_money) {
        None => Ok(()),
        Some(known) => Err(Error::broken(format!(
            "orders in this database were paid, or payout accounts opened, with Stripe's {known} money, and the provider is the sandbox: set provider to stripe and give its key, or allow_sandbox to true"
        ))),
    }
}

/// Remembers whose money this is as something is about to be done with it at Stripe; refuses the other.
pub fn remember_money(tx: &Tx, provider: &dyn Provider) -> Done<()> {
    if provider.name() != "stripe" {
        return Ok(());
    }
    let known: Option<String> =
        tx.first("select value from settings where name = $1", params![MONEY], |row| row.next())?;
    if known.is_some() {
        return require_same_money(tx, provider.is_live(), true);
    }
    tx.execute(
        "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing",
        params![MONEY, word(provider.is_live())],
    )?;
    Ok(())
}

fn word(live: bool) -> &'static str {
    if live { "live" } else { "test" }
}

fn contents(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, url: &str) -> Result<Settings, String> {
        let secret_key = Some(Secret::new(key));
        Settings::read(&config::Stripe { secret_key, url: url.to_owned(), ..config::Stripe::default() })
    }

    #[test]
    fn a_key_goes_over_tls_or_stays_on_this_machine() {
        assert!(with("sk_test_1", "https://api.stripe.com").is_ok());
        assert!(with("sk_test_1", "http://127.0.0.1:8420").is_ok());
        assert!(with("sk_test_1", "http://stripe.internal").is_err_and(|why| why.contains("clear text")));
    }

    #[test]
    fn another_secret_is_not_taken_for_the_key() {
        for key in ["pk_live_1", "whsec_1", "", "sk_live_1\u{e9}"] {
            assert!(with(key, "https://api.stripe.com").is_err(), "{key}");
        }
        assert!(Settings::read(&config::Stripe::default()).is_err());
    }

    #[test]
    fn files_hold_what_is_not_to_be_seen_in_the_environment() {
        let dir = tempfile::tempdir().expect("a directory");
        let (key, hooks) = (dir.path().join("key"), dir.path().join("hooks"));
        std::fs::write(&key, "rk_live_1\n").expect("writes");
        std::fs::write(&hooks, "whsec_a\nwhsec_b\n").expect("writes");
        let config = config::Stripe {
            secret_key_file: Some(key),
            webhook_secrets_file: Some(hooks),
            settlement_currencies: vec![Currency::parse("EUR").expect("a currency")],
            ..config::Stripe::default()
        };
        let settings = Settings::read(&config).expect("usable");
        assert!(settings.is_live() && settings.doubts().is_empty());
        assert_eq!(settings.webhook_secrets.len(), 2);
        assert!(!format!("{settings:?}").contains("_1"));
        let both = config::Stripe { secret_key: Some(Secret::new("sk_test_1")), ..config };
        assert!(Settings::read(&both).is_err_and(|why| why.contains("both set")));
    }
}
