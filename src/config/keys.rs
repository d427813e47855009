//! Every setting by name, each in one place: its key in the file, and with it `GUILDHALL_<KEY>` and `--<key>`.

use std::path::PathBuf;

use super::written::{address, joined, list, number, origin, switch, web_url, whole};
use super::{Config, LogFormat, PaymentProvider, PayoutsBy, Service};
use crate::db::ServerUrl;
use crate::money::{Currency, Rate, Threshold};
use crate::secret::Secret;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

/// One setting.
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
    /// What to write; completes “… is not usable: write”.
    pub mend: &'static str,
    pub shape: Shape,
    /// `None` when the text is no such value.
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    pub(super) show: fn(&Config) -> String,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    /// Several, separated by commas; a list in the file.
    List,
    /// `true` or `false`; the bare flag means `true`.
    Switch,
}

impl Key {
    /// `data-dir` of `--data-dir`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Whether its value is not to be repeated to people.
    pub fn is_secret(&self) -> bool {
        matches!(
            self.name,
            "database_url" | "database_replicas" | "stripe_secret_key" | "stripe_webhook_secrets"
        )
    }

    /// What exactly is wrong with a text that it does not take, where that may not be repeated.
    pub(super) fn complaint(&self, text: &str) -> Option<&'static str> {
        match self.name {
            "database_url" => ServerUrl::parse(text).err(),
            "database_replicas" => text.split(',').find_map(|url| ServerUrl::parse(url.trim()).err()),
            _ => None,
        }
    }

    pub fn variable(&self) -> String {
        format!("GUILDHALL_{}", self.name.to_uppercase())
    }

    /// Its value in `config`, as it would be written.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }
}

/// Every setting, in the order they are shown.
pub const KEYS: &[Key] = &[
    Key {
        name: "data_dir",
        about: "Where the database lies",
        mend: "a directory",
        shape: Shape::One,
        set: |config, text| {
            config.data_dir = PathBuf::from(text);
            Some(())
        },
        show: |config| config.data_dir.display().to_string(),
    },
    Key {
        name: "database_url",
        about: "A PostgreSQL server (postgres://…), or `embedded`: the database in the data directory",
        mend: "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE (or sslmode=disable, prefer, require, verify-ca, without a certificate) with special characters as %40, or `embedded`",
        shape: Shape::One,
        set: |config, text| {
            config.database_url = if text == "embedded" { None } else { Some(ServerUrl::parse(text).ok()?) };
            Some(())
        },
        show: |config| config.place().to_string(),
    },
    Key {
        name: "database_replicas",
        about: "Servers that follow the one of database_url and answer reads of what is public",
        mend: "a postgres:// URL of one host for each, as for database_url, with commas between them, and set database_url too",
        shape: Shape::List,
        set: |config, text| {
            config.database_replicas = list(text, |url| ServerUrl::parse(url).ok())?;
            Some(())
        },
        show: |config| joined(&config.database_replicas),
    },
    Key {
        name: "database_connections",
        about: "Connections to the server that requests share, and to each replica",
        mend: "a number from 1 to 500",
        shape: Shape::One,
        set: |config, text| {
            config.database_connections = number(text, 1, 500)?.try_into().ok()?;
            Some(())
        },
        show: |config| config.database_connections.to_string(),
    },
    Key {
        name: "database_pooler",
        about: "The server is behind a pooler that hands out transactions, such as PgBouncer",
        mend: "true or false",
        shape: Shape::Switch,
        set: |config, text| {
            config.database_pooler = switch(text)?;
            Some(())
        },
        show: |config| config.database_pooler.to_string(),
    },
    Key {
        name: "allow_unsafe_database",
        about: "Accept a server that can lose what it has acknowledged (fsync, full_page_writes or synchronous_commit off), for tests",
        mend: "true or false",
        shape: Shape::Switch,
        set: |config, text| {
            config.allow_unsafe_database = switch(text)?;
            Some(())
        },
        show: |config| config.allow_unsafe_database.to_string(),
    },
    Key {
        name: "listen",
        about: "Where the API answers",
        mend: "an address and a port, such as 127.0.0.1:8080",
        shape: Shape::One,
        set: |config, text| {
            config.listen = address(text)?;
            Some(())
        },
        show: |config| config.listen.to_string(),
    },
    Key {
        name: "metrics_listen",
        about: "Where /metrics answers, instead of to loopback peers of the API",
        mend: "an address and a port, such as 127.0.0.1:9090",
        shape: Shape::One,
        set: |config, text| {
            config.metrics_listen = Some(address(text)?);
            Some(())
        },
        show: |config| config.metrics_listen.map_or(String::new(), |address| address.to_string()),
    },
    Key {
        name: "public_url",
        about: "Where clients reach it; links start with it",
        mend: "an http or https URL without credentials, query or fragment, such as https://api.example.com",
        shape: Shape::One,
        set: |config, text| {
            config.public_url = Some(web_url(text)?);
            Some(())
        },
        show: Config::public_url,
    },
    Key {
        name: "cors_origins",
        about: "Web sites whose scripts may call it",
        mend: "exact origins such as https://app.example.com, without path and without `*`",
        shape: Shape::List,
        set: |config, text| {
            config.cors_origins = list(text, origin)?;
            Some(())
        },
        show: |config| config.cors_origins.join(","),
    },
    Key {
        name: "trusted_proxies",
        about: "Proxies whose X-Forwarded-For is believed",
        mend: "addresses or CIDR blocks, such as 10.0.0.0/8 or 192.0.2.1",
        shape: Shape::List,
        set: |config, text| {
            config.trusted_proxies = list(text, |text| text.parse().ok())?;
            Some(())
        },
        show: |config| joined(&config.trusted_proxies),
    },
    Key {
        name: "services",
        about: "The services that this process answers for",
        mend: "some of users,profiles,services,orders,payments,notifications,reviews",
        shape: Shape::List,
        set: |config, text| {
            let services = list(text, Service::parse)?;
            config.services = services;
            (!config.services.is_empty()).then_some(())
        },
        show: |config| joined(&config.services),
    },
    Key {
        name: "no_migrate",
        about: "Start only on a database of this version, and leave `guildhall migrate` to you",
        mend: "true or false",
        shape: Shape::Switch,
        set: |config, text| {
            config.no_migrate = switch(text)?;
            Some(())
        },
        show: |config| config.no_migrate.to_string(),
    },
    Key {
        name: "rate_limit",
        about: "off lifts every rate limit, for load tests",
        mend: "on or off",
        shape: Shape::One,
        set: |config, text| {
            config.rate_limit = switch(text)?;
            Some(())
        },
        show: |config| if config.rate_limit { "on".to_owned() } else { "off".to_owned() },
    },
    Key {
        name: "test_clock",
        about: "Let administrators move the clock with POST /test/clock; never where money is real",
        mend: "true or false",
        shape: Shape::Switch,
        set: |config, text| {
            config.test_clock = switch(text)?;
            Some(())
        },
        show: |config| config.test_clock.to_string(),
    },
    Key {
        name: "verify_hourly",
        about: "Check every invariant each hour and count what is broken in the metrics",
        mend: "on or off",
        shape: Shape::One,
        set: |config, text| {
            config.verify_hourly = switch(text)?;
            Some(())
        },
        show: |config| if config.verify_hourly { "on".to_owned() } else { "off".to_owned() },
    },
    Key {
        name: "currency",
        about: "The currency of listings that name none",
        mend: "an ISO 4217 code, such as USD",
        shape: Shape::One,
        set: |config, text| {
            config.market.currency = Currency::parse(text)?;
            Some(())
        },
        show: |config| config.market.currency.to_string(),
    },
    Key {
        name: "fee_percent",
        about: "What the house keeps of a released amount where no fee rule covers the order",
        mend: "a share from 0 to 100 with at most two decimals, such as 10 or 7.5",
        shape: Shape::One,
        set: |config, text| {
            config.market.fee = Rate::parse_percent(text)?;
            Some(())
        },
        show: |config| config.market.fee.percent(),
    },
    Key {
        name: "service_fee_percent",
        about: "What the buyer pays beside the amount of an order",
        mend: "a share from 0 to 100 with at most two decimals, such as 0 or 2.5",
        shape: Shape::One,
        set: |config, text| {
            config.market.service_fee = Rate::parse_percent(text)?;
            Some(())
        },
        show: |config| config.market.service_fee.percent(),
    },
    Key {
        name: "pay_within_hours",
        about: "An order that is not paid within it is cancelled",
        mend: "whole hours from 1 to 8760",
        shape: Shape::One,
        set: |config, text| {
            config.market.pay_within = whole(text, 1, 8_760, HOUR_S)?;
            Some(())
        },
        show: |config| (config.market.pay_within.as_secs() / HOUR_S).to_string(),
    },
    Key {
        name: "review_within_days",
        about: "A delivery that is not answered within it is accepted",
        mend: "whole days from 1 to 365",
        shape: Shape::One,
        set: |config, text| {
            config.market.review_within = whole(text, 1, 365, DAY_S)?;
            Some(())
        },
        show: |config| (config.market.review_within.as_secs() / DAY_S).to_string(),
    },
    Key {
        name: "clearance_days",
        about: "Released money can be paid out after it",
        mend: "whole days from 0 to 365",
        shape: Shape::One,
        set: |config, text| {
            config.market.clearance = whole(text, 0, 365, DAY_S)?;
            Some(())
        },
        show: |config| (config.market.clearance.as_secs() / DAY_S).to_string(),
    },
    Key {
        name: "payouts",
        about: "Who pays freelancers: the payment provider, or you by hand",
        mend: "provider or manual",
        shape: Shape::One,
        set: |config, text| {
            config.payouts = PayoutsBy::parse(text)?;
            Some(())
        },
        show: |config| config.payouts.to_string(),
    },
    Key {
        name: "payout_minimum",
        about: "Less is not paid out, in whichever currency, unless a freelancer says another minimum",
        mend: "a decimal with at most three digits after the point, such as 25 or 12.50; 0 for none",
        shape: Shape::One,
        set: |config, text| {
            config.payout_minimum = Threshold::parse(text)?;
            Some(())
        },
        show: |config| config.payout_minimum.to_string(),
    },
    Key {
        name: "late_after_hours",
        about: "A buyer may cancel an order that is late by more",
        mend: "whole hours from 0 to 8760",
        shape: Shape::One,
        set: |config, text| {
            config.market.late_after = whole(text, 0, 8_760, HOUR_S)?;
            Some(())
        },
        show: |config| (config.market.late_after.as_secs() / HOUR_S).to_string(),
    },
    Key {
        name: "dispute_within_days",
        about: "A dispute that one side does not answer within it ends as the other wishes",
        mend: "whole days from 4 to 365: both are reminded three days before",
        shape: Shape::One,
        set: |config, text| {
            config.market.dispute_within = whole(text, 4, 365, DAY_S)?;
            Some(())
        },
        show: |config| (config.market.dispute_within.as_secs() / DAY_S).to_string(),
    },
    Key {
        name: "provider",
        about: "Who charges buyers and pays freelancers: stripe, or the built-in sandbox with its play money",
        mend: "sandbox or stripe",
        shape: Shape::One,
        set: |config, text| {
            config.provider = PaymentProvider::parse(text)?;
            Some(())
        },
        show: |config| config.provider.to_string(),
    },
    Key {
        name: "stripe_secret_key",
        about: "The secret key (sk_…) or a restricted one (rk_…); safer in a file",
        mend: "the key from Stripe's dashboard",
        shape: Shape::One,
        set: |config, text| {
            config.stripe.secret_key = Some(Secret::new(text.trim()));
            Some(())
        },
        show: |config| config.stripe.secret_key.as_ref().map_or(String::new(), redacted),
    },
    Key {
        name: "stripe_secret_key_file",
        about: "A file with the secret key",
        mend: "a file",
        shape: Shape::One,
        set: |config, text| {
            config.stripe.secret_key_file = Some(PathBuf::from(text));
            Some(())
        },
        show: |config| shown(config.stripe.secret_key_file.as_ref()),
    },
    Key {
        name: "stripe_webhook_secrets",
        about: "The signing secrets of the webhook's endpoint, several while one replaces another; safer in a file",
        mend: "secrets such as whsec_…",
        shape: Shape::List,
        set: |config, text| {
            config.stripe.webhook_secrets = list(text, |text| Some(Secret::new(text)))?;
            Some(())
        },
        show: |config| config.stripe.webhook_secrets.iter().map(redacted).collect::<Vec<_>>().join(","),
    },
    Key {
        name: "stripe_webhook_secrets_file",
        about: "A file with the signing secrets, one a line",
        mend: "a file",
        shape: Shape::One,
        set: |config, text| {
            config.stripe.webhook_secrets_file = Some(PathBuf::from(text));
            Some(())
        },
        show: |config| shown(config.stripe.webhook_secrets_file.as_ref()),
    },
    Key {
        name: "stripe_settlement_currencies",
        about: "The currencies of the house's balances at Stripe: in others nothing is charged, for Stripe could not pay it out",
        mend: "ISO 4217 codes, such as USD,EUR",
        shape: Shape::List,
        set: |config, text| {
            config.stripe.settlement_currencies = list(text, Currency::parse)?;
            Some(())
        },
        show: |config| {
            let codes = config.stripe.settlement_currencies.iter().map(|currency| currency.code());
            codes.collect::<Vec<_>>().join(",")
        },
    },
    Key {
        name: "stripe_url",
        about: "Where Stripe's API answers; another one only for tests",
        mend: "an https URL without credentials, query or fragment, such as https://api.stripe.com",
        shape: Shape::One,
        set: |config, text| {
            config.stripe.url = web_url(text)?;
            Some(())
        },
        show: |config| config.stripe.url.clone(),
    },
    Key {
        name: "allow_sandbox",
        about: "Take play money although there is a key for Stripe, or a key although orders were paid with play money",
        mend: "true or false",
        shape: Shape::Switch,
        set: |config, text| {
            config.allow_sandbox = switch(text)?;
            Some(())
        },
        show: |config| config.allow_sandbox.to_string(),
    },
    Key {
        name: "log",
        about: "What is logged, as in RUST_LOG",
        mend: "a level or a filter, such as info or guildhall=debug,warn",
        shape: Shape::One,
        set: |config, text| {
            text.parse::<tracing_subscriber::filter::EnvFilter>().ok()?;
            config.log = text.to_owned();
            Some(())
        },
        show: |config| config.log.clone(),
    },
    Key {
        name: "log_format",
        about: "human, json, or auto: human on a terminal",
        mend: "auto, human or json",
        shape: Shape::One,
        set: |config, text| {
            config.log_format = LogFormat::parse(text)?;
            Some(())
        },
        show: |config| config.log_format.to_string(),
    },
];

/// A secret's kind: `sk_live_…`.
fn redacted(secret: &Secret) -> String {
    let kinds = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"];
    let kind = kinds.into_iter().find(|kind| secret.reveal().starts_with(kind));
    format!("{}…", kind.unwrap_or_default())
}

fn shown(file: Option<&PathBuf>) -> String {
    file.map_or(String::new(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_by_its_kind() {
        let mut config = Config::default();
        for key in KEYS.iter().filter(|key| key.name.starts_with("stripe_") && key.is_secret()) {
            assert_eq!((key.set)(&mut config, "sk_live_hunter2,whsec_hunter2"), Some(()), "{}", key.name);
            assert!(!key.show(&config).contains("hunter2"), "{}", key.show(&config));
        }
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    /// What is shown can be written back, so `doctor` prints a file that works.
    #[test]
    fn defaults_are_shown_as_they_are_written() {
        let defaults = Config::default();
        for key in KEYS.iter().filter(|key| key.name != "database_url") {
            let shown = key.show(&defaults);
            if !shown.is_empty() {
                let mut config = Config::default();
                assert_eq!((key.set)(&mut config, &shown), Some(()), "{}", key.name);
                assert_eq!(key.show(&config), shown);
            }
        }
    }
}
