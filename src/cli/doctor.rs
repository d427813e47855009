//! `guildhall doctor`: looks at the settings and what surrounds them, and says the mend of whatever is wrong. Changes
//! nothing, and may run beside `serve`.

use std::fmt;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::time::Duration;

use super::{Failure, lock, open_files, pending, ready, say};
use crate::app::{App, Parts};
use crate::config::{self, Config, KEYS, Loaded, Mistakes, PaymentProvider, Service};
use crate::db::{self, Place};
use crate::events;
use crate::providers::stripe;
use crate::test_clock;
use crate::time::Time;
use crate::users;

const MIB: u64 = 1_024 * 1_024;
/// Below it the database may not survive a busy day …
const LITTLE_SPACE: u64 = 1_024 * MIB;
/// … and below this one not the next hour.
const NO_SPACE: u64 = 100 * MIB;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What was found, and the mend where there is something to mend.
#[derive(Default)]
struct Report(Vec<(Verdict, String, String)>);

impl Report {
    fn ok(&mut self, what: impl fmt::Display) {
        self.0.push((Verdict::Ok, what.to_string(), String::new()));
    }

    fn warn(&mut self, what: impl fmt::Display, mend: impl fmt::Display) {
        self.0.push((Verdict::Warn, what.to_string(), mend.to_string()));
    }

    fn fail(&mut self, what: impl fmt::Display, mend: impl fmt::Display) {
        self.0.push((Verdict::Fail, what.to_string(), mend.to_string()));
    }

    /// Prints it below `heading`; 1 when something fails.
    fn print(&self, mut heading: String) -> Result<ExitCode, Failure> {
        for (verdict, what, mend) in &self.0 {
            let word = match verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            heading.push_str(&format!("{word}  {what}\n"));
            if !mend.is_empty() {
                heading.push_str(&format!("      {mend}\n"));
            }
        }
        say(heading.trim_end())?;
        let failed = self.0.iter().any(|(verdict, _, _)| *verdict == Verdict::Fail);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

pub async fn doctor(loaded: Result<Loaded, Mistakes>) -> Result<ExitCode, Failure> {
    let mut report = Report::default();
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            for mistake in mistakes.0 {
                report.fail(mistake, "");
            }
            return report.print(String::new());
        }
    };
    let config = &loaded.config;
    surplus_variables(&mut report);
    reach(&mut report, config);
    provider(&mut report, config);
    risks(&mut report, config);
    let usable = engine(&mut report, config);
    serving(&mut report, config);
    files(&mut report);
    if system_clock(&mut report) && usable {
        database(&mut report, config).await;
    }
    report.print(settings(&loaded))
}

fn settings(loaded: &Loaded) -> String {
    let mut text = match &loaded.file {
        Some(file) => format!("Settings, with {}:\n", file.display()),
        None => "Settings, without a file:\n".to_owned(),
    };
    for key in KEYS {
        let (value, origin) = (key.show(&loaded.config), loaded.origin(key));
        text.push_str(&format!("  {:<27} {origin:<36} {value}\n", key.name, origin = origin.to_string()));
    }
    text.push('\n');
    text
}

fn surplus_variables(report: &mut Report) {
    for name in config::surplus_variables() {
        report.warn(format!("{name} is no setting"), "check its spelling, or leave it out");
    }
}

/// How clients get here.
fn reach(report: &mut Report, config: &Config) {
    let url = config.public_url();
    let secure = url.starts_with("https://");
    if config.is_public() && config.public_url.is_none() {
        report.warn(
            format!("links start with {url}, where clients may not get"),
            "set public_url to what they call, such as https://api.example.com",
        );
    } else if config.public_url.is_some() && !secure && !config::is_local(&url) {
        report.warn(
            format!("{url} sends passwords and tokens in clear text"),
            "put a proxy with TLS in front and set public_url to its https address",
        );
    } else {
        report.ok(format!("clients reach it at {url}"));
    }
    if config.trusted_proxies.iter().any(crate::config::Network::is_everything) {
        report.fail(
            "trusted_proxies holds every address: anybody can claim to be anybody, and rate limits mean nothing",
            "name your proxies only, such as 10.0.0.0/8",
        );
    } else if secure && config.trusted_proxies.is_empty() {
        report.warn(
            "the proxy in front of it is not trusted: all clients share its address and its rate limit",
            "set trusted_proxies to its address",
        );
    } else {
        report.ok(format!("{} trusted proxies", config.trusted_proxies.len()));
    }
}

/// Who charges, and with whose money.
fn provider(report: &mut Report, config: &Config) {
    match config.provider {
        PaymentProvider::Sandbox if config.forgets_stripe() => report.fail(
            "there is a key for Stripe, and orders are paid with the sandbox's play money",
            "set provider to stripe, or allow_sandbox to true",
        ),
        PaymentProvider::Sandbox if config.is_public() => report.warn(
            format!("the sandbox payment provider is open to other machines at {}", config.public_url()),
            "listen on 127.0.0.1 without a public_url unless this is a demonstration: its money is play money",
        ),
        PaymentProvider::Sandbox => report.ok(format!(
            "the sandbox payment provider is reached from this machine only ({})",
            config.listen
        )),
        PaymentProvider::Stripe if !config.services.contains(&Service::Payments) => {
            report.ok("payments are served by other processes: only they need the key for Stripe")
        }
        PaymentProvider::Stripe => match stripe::Settings::read(&config.stripe) {
            Err(why) => report.fail(format!("orders cannot be paid through Stripe: {why}"), ""),
            Ok(settings) => {
                for (doubt, mend) in settings.doubts() {
                    report.warn(doubt, mend);
                }
                let money = if settings.is_live() { "real" } else { "test" };
                report.ok(format!("orders are paid through Stripe with {money} money, at {}", settings.url));
            }
        },
    }
}

/// What is meant for trying things out.
fn risks(report: &mut Report, config: &Config) {
    match (config.test_clock, config.is_public()) {
        (true, true) => {
            report.fail("the test clock is on and open to other machines", "set test_clock to false")
        }
        (true, false) => report.warn("the test clock is on", "set test_clock to false where orders are real"),
        (false, _) => {}
    }
    if !config.rate_limit {
        report.warn("rate limits are off", "set rate_limit to on, unless this is a load test");
    }
}

/// Whether there is a database to look into.
fn engine(report: &mut Report, config: &Config) -> bool {
    let place = config.place();
    for url in config.database_url.iter().chain(&config.database_replicas).filter(|url| url.is_unprotected())
    {
        report.warn(
            format!("the way to {url} is not protected: whoever is on it can read, or answer instead"),
            "put sslmode=verify-full into its URL, and sslrootcert=FILE where the authority is your own",
        );
    }
    if config.allow_unsafe_database && !place.is_embedded() {
        report.warn(
            "a server is accepted that can lose what it has acknowledged",
            "set allow_unsafe_database to false where orders are real",
        );
    }
    let engine = place.engine();
    let usable = engine.is_ok();
    match engine {
        Ok(version) => report.ok(version),
        Err(error) => report.fail(
            format!("{place} cannot be used: {error}"),
            "see that the server runs, and that database_url names its address, database, user and password",
        ),
    }
    for (replica, version) in place.replicas() {
        match version {
            Ok(version) => report.ok(format!("PostgreSQL {version} at {replica} follows and answers reads")),
            Err(error) => report.warn(
                format!("{replica} answers no reads: {error}"),
                "see that it runs, that it is a streaming standby of the server of database_url, and that database_replicas names it; until then the primary answers",
            ),
        }
    }
    match place {
        Place::File(file) => {
            data_directory(report, config);
            usable && file.exists()
        }
        Place::Server(_) => usable,
    }
}

fn data_directory(report: &mut Report, config: &Config) {
    let dir = &config.data_dir;
    let shown = dir.display();
    let Ok(metadata) = std::fs::metadata(dir) else {
        return report.ok(format!("{shown} is not there yet: serve makes it"));
    };
    if !metadata.is_dir() {
        return report.fail(format!("{shown} is no directory"), "set data_dir to one");
    }
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    match std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => report.ok(format!("{shown} can be written")),
        Err(error) => report.fail(
            format!("{shown} cannot be written: {error}"),
            "give the directory to the user that runs guildhall, or choose another data_dir",
        ),
    }
    if metadata.mode() & 0o007 != 0 {
        report.warn(format!("{shown} is open to every user of this machine"), format!("chmod 700 {shown}"));
    }
    match rustix::fs::statvfs(dir) {
        Ok(volume) => {
            let free = volume.f_bavail.saturating_mul(volume.f_frsize);
            let said = format!("{} MiB are free in {shown}", free / MIB);
            match free {
                0..NO_SPACE => report.fail(said, "make room: the database cannot grow"),
                NO_SPACE..LITTLE_SPACE => {
                    report.warn(said, "make room soon: backups and the log need it too")
                }
                _ => report.ok(said),
            }
        }
        Err(error) => report.warn(format!("the free space in {shown} is unknown: {error}"), "look with df"),
    }
}

/// Whether one serves, or could.
fn serving(report: &mut Report, config: &Config) {
    if let Some(holder) = lock::held_by(config) {
        return report.ok(format!("a guildhall uses the data directory{holder}"));
    }
    // On a server there is no lock that would tell.
    let on_server = !config.place().is_embedded();
    if on_server && TcpListener::bind(config.listen).is_err() && ready::is_ours(config.listen) {
        return report.ok(format!("a guildhall answers on {}", config.listen));
    }
    for address in [Some(config.listen), config.metrics_listen].into_iter().flatten() {
        match TcpListener::bind(address) {
            Ok(_) => report.ok(format!("{address} is free")),
            Err(error) => report.fail(
                format!("{address} cannot be listened on: {error}"),
                "stop what listens there, or set listen (metrics_listen) to another address",
            ),
        }
    }
}

fn files(report: &mut Report) {
    let (wanted, attainable) = (open_files::wanted(), open_files::attainable());
    match attainable < wanted {
        true => report.warn(
            format!("{attainable} open files are allowed: connections beyond that wait"),
            format!("raise the hard limit to {wanted}, with `ulimit -Hn` or LimitNOFILE="),
        ),
        false => report.ok("enough open files are allowed"),
    }
}

/// Ids and deadlines come from it.
fn system_clock(report: &mut Report) -> bool {
    let now = crate::time::Clock::default().now();
    let plausible = |text: &str| Time::parse(text).map(Time::as_micros).unwrap_or_default();
    let range = plausible("2026-01-01T00:00:00Z")..plausible("2100-01-01T00:00:00Z");
    let sane = range.contains(&now.as_micros());
    match sane {
        true => report.ok(format!("the clock says {now}")),
        false => {
            report.fail(format!("the clock says {now}"), "set the system's clock, and keep it set with NTP")
        }
    }
    sane
}

async fn database(report: &mut Report, config: &Config) {
    match pending(config) {
        Err(Failure::Failed(why) | Failure::Usage(why)) => {
            let mend = match config.place() {
                Place::File(_) => "use the guildhall that made it, or restore a backup",
                Place::Server(_) => "mend that, or name another database in database_url",
            };
            return report.fail(why, mend);
        }
        Ok(lacking) if !lacking.is_empty() => {
            return report.warn(
                format!("the database lacks {} migrations: {}", lacking.len(), lacking.join(", ")),
                "run `guildhall migrate`, or let serve do it",
            );
        }
        Ok(_) => report.ok(format!("the database is at schema version {}", db::MIGRATIONS.len())),
    }
    let looked = look_into(config).await;
    let Found { newest, ahead, has_administrator, money } = match looked {
        Ok(found) => found,
        Err(error) => {
            return report.fail(format!("the database cannot be read: {error}"), "restore a backup");
        }
    };
    if let Err(why) = money {
        report.fail(why, "");
    }
    if ahead > Duration::ZERO && !config.test_clock {
        report.warn(
            format!("the test clock of this database is {} days ahead, and off", ahead.as_secs() / 86_400),
            "start with an empty data directory where orders are real",
        );
    }
    let now =
        crate::time::Clock::default().now().plus(if config.test_clock { ahead } else { Duration::ZERO });
    if let Some(at) = newest.filter(|at| at.since(now) > Duration::from_secs(60)) {
        report.warn(
            format!("the newest event is from {at}, and it is {now}"),
            "set the system's clock, and keep it set with NTP",
        );
    }
    match has_administrator {
        true => report.ok("there is an administrator"),
        false => report.warn(
            "there is no administrator: nobody can settle disputes",
            "run `guildhall admin create --username NAME --email EMAIL --password-stdin`",
        ),
    }
}

/// What is looked up in the database.
struct Found {
    newest: Option<Time>,
    ahead: Duration,
    has_administrator: bool,
    /// Whether the provider's money is the money that is in it.
    money: Result<(), String>,
}

async fn look_into(config: &Config) -> crate::error::Result<Found> {
    let app = App::open(config.clone(), Parts::default())?;
    let ahead = test_clock::ahead(&app).await?;
    let through_stripe =
        config.provider == PaymentProvider::Stripe && config.services.contains(&Service::Payments);
    let key = stripe::Settings::read(&config.stripe).ok().filter(|_| through_stripe);
    let in_play = config.provider == PaymentProvider::Sandbox && config.services.contains(&Service::Payments);
    let (live, play_money) = (key.map(|settings| settings.is_live()), config.allow_sandbox);
    app.db()
        .read(move |tx| {
            let money = match live {
                Some(live) => stripe::require_same_money(tx, live, play_money),
                None if in_play => stripe::require_no_money(tx, play_money),
                None => Ok(()),
            };
            Ok(Found {
                newest: events::newest_at(tx)?,
                ahead,
                has_administrator: users::has_administrator(tx)?,
                money: money.map_err(|why| why.to_string()),
            })
        })
        .await
}
