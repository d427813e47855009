//! Where a server is, as people write it.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use url::form_urlencoded;

use super::tls::{Roots, Trust};

/// A `postgres://` URL. It is shown without its password.
#[derive(Clone)]
pub struct ServerUrl {
    /// All of it, as it was written.
    config: Config,
    /// The same for each host that it names.
    pub(super) hosts: Vec<Config>,
    pub(super) trust: Trust,
    pub(super) roots: Roots,
}

impl ServerUrl {
    /// The error says what is wrong with it, and repeats nothing of it: there is a password in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("it does not begin with postgres://");
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        // The rest of a password with an `@` in it would be taken for the host, and shown.
        if base.matches('@').count() > 1 {
            return Err("there is more than one `@` in it");
        }
        let (mut trust, mut roots) = (Trust::Prefer, None);
        // The rest goes to the driver as it is written, for it reads no `+` as a space.
        let mut others = Vec::new();
        for written in query.split('&').filter(|written| !written.is_empty()) {
            let Some((name, value)) = form_urlencoded::parse(written.as_bytes()).next() else { continue };
            match name.as_ref() {
                "sslmode" => trust = Trust::parse(&value).ok_or("its sslmode is none of the known ones")?,
                "sslrootcert" if value == "system" => roots = Some(Roots::System),
                "sslrootcert" => roots = Some(Roots::File(value.into_owned().into())),
                _ => others.push(written),
            }
        }
        // As libpq has it: whoever names an authority wants it asked.
        match (trust, &roots) {
            (Trust::Require, Some(_)) => trust = Trust::VerifyCa,
            (Trust::Disable | Trust::Prefer, Some(_)) => {
                return Err("its sslrootcert is of no use without sslmode=verify-full");
            }
            _ => {}
        }
        let options = others.join("&");
        let read = |base: &str| -> Result<Config, &'static str> {
            let mut config = Config::from_str(&format!("{base}?{options}"))
                .map_err(|_| "its address or a parameter of it is none that is known")?;
            config.ssl_mode(match trust {
                Trust::Disable => SslMode::Disable,
                Trust::Prefer => SslMode::Prefer,
                Trust::Require | Trust::VerifyCa | Trust::VerifyFull => SslMode::Require,
            });
            if config.get_application_name().is_none() {
                config.application_name("guildhall");
            }
            Ok(config)
        };
        let config = read(base)?;
        let hosts = for_each_host(base).iter().map(|base| read(base)).collect::<Result<_, _>>()?;
        Ok(Self { config, hosts, trust, roots: roots.unwrap_or(Roots::System) })
    }

    /// Whether data and the password would cross a network in clear text, or to whoever answers.
    pub fn is_unprotected(&self) -> bool {
        let local = self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
            Host::Unix(_) => true,
        });
        !local && !matches!(self.trust, Trust::VerifyCa | Trust::VerifyFull)
    }
}

/// The part of a URL before its `?`, once for each of the hosts that it names: with a port each, or with one for all.
fn for_each_host(base: &str) -> Vec<String> {
    let (scheme, rest) = base.split_once("://").unwrap_or(("", base));
    let (authority, database) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{database}")).collect()
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url =
            ServerUrl::parse("postgres://app:s%C3%A4cret@db.example.com:5433/market?sslmode=verify-full")
                .expect("a URL");
        assert_eq!(format!("{url} {url:?}").matches("cret").count(), 0);
        assert_eq!(url.to_string(), "postgres://app@db.example.com:5433/market");
        assert!(!url.is_unprotected());
    }

    #[test]
    fn a_parameter_may_have_a_space_in_it() {
        let url = ServerUrl::parse("postgres://localhost/a?options=-c%20jit%3Don&application_name=my%20shop");
        let config = url.expect("a URL").config;
        assert_eq!(config.get_options(), Some("-c jit=on"));
        assert_eq!(config.get_application_name(), Some("my shop"));
    }

    #[test]
    fn each_of_several_servers_can_be_asked() {
        let url = ServerUrl::parse("postgres://app:pw@one,two:5433/market").expect("a URL");
        let each = url.hosts.iter().map(|host| (host.get_hosts(), host.get_ports(), host.get_password()));
        let host = |name: &str| Host::Tcp(name.to_owned());
        let password = Some("pw".as_bytes());
        assert_eq!(
            each.collect::<Vec<_>>(),
            [(&[host("one")][..], &[5432][..], password), (&[host("two")], &[5433], password)]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "mysql://localhost/a",
            "localhost",
            "postgres://localhost/a?sslmode=verify",
            "postgres://localhost/a?no_such_parameter=1",
            "postgres://u:half@of@localhost/a",
            "postgres://localhost/a?sslrootcert=ca.pem",
            "postgres://localhost/a?sslmode=disable&sslrootcert=ca.pem",
        ] {
            assert!(ServerUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(ServerUrl::parse("postgres://db.example.com/a").is_ok_and(|url| url.is_unprotected()));
        assert!(ServerUrl::parse("postgresql://127.0.0.1/a").is_ok_and(|url| !url.is_unprotected()));
    }
}
