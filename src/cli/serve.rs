//! `guildhall serve`: from the lock on the data directory to the last answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Failure, Lock, exposition, logs, open, open_files, pending, require_same_money, supervisor};
use crate::app::{self, App, Parts};
use crate::config::{self, Config, PaymentProvider, Service};
use crate::db::Place;
use crate::events::{self, Watch};
use crate::http::server::{self, Limits};
use crate::http::{metrics_router, router};
use crate::payments;
use crate::providers::{Stripe, stripe};
use crate::test_clock;
use crate::users;

/// Connections that may wait to be let in: with the system's own 128, of hundreds that come at once some try again a second
/// later.
const QUEUE: u32 = 1_024;
/// How long the worker may take to finish what it has begun.
const WORKER_DRAIN: Duration = Duration::from_secs(10);
/// How long leaving in order may take.
const GOODBYE: Duration = Duration::from_secs(3);

pub async fn serve(mut config: Config) -> Result<(), Failure> {
    refuse_wrong_money(&config)?;
    let _lock = Lock::take(&config)?;
    let held = config.place().hold();
    refuse_old_schema(&config)?;
    let listener = bind(&mut config.listen, "listen").await?;
    let metrics_listener = match &mut config.metrics_listen {
        Some(address) => Some(bind(address, "metrics-listen").await?),
        None => None,
    };
    let metrics = exposition::record().map_err(Failure::of("cannot record metrics"))?;
    let app = open(config, Parts { metrics: Some(metrics), ..Parts::default() })?;
    drop(held);
    for name in app.db().migrate().await? {
        tracing::info!(name, "migrated");
    }
    require_same_money(&app).await?;
    app.db().use_replicas().map_err(Failure::of("cannot read from replicas"))?;
    if app.config().test_clock {
        test_clock::catch_up(&app).await?;
    }
    let stop = stop_on_signal(app.clone()).map_err(Failure::of("cannot listen to signals"))?;
    events::enter(&app).await?;
    let in_step = tokio::spawn(keep_in_step(app.clone()));
    app::start_housekeeping(&app).await?;
    app::start_audits(&app).await?;
    let worker = tokio::spawn(events::run_worker(app.clone(), stopped(stop.clone())));
    let metrics_server = metrics_listener.map(|listener| {
        let edge = metrics_router(app.clone());
        tokio::spawn(server::serve(listener, edge, Limits::default(), stopped(stop.clone())))
    });
    let looking = tokio::spawn(look_around(app.clone()));
    let edge = router(app.clone(), app::served(app.config()));
    supervisor::ready(&format!("http://{}", app.config().listen));
    server::serve(listener, edge, open_files::allow(Limits::default()), stopped(stop))
        .await
        .map_err(Failure::of("cannot serve"))?;
    if tokio::time::timeout(WORKER_DRAIN, worker).await.is_err() {
        tracing::warn!("the worker did not finish in time: what it had taken is tried again");
    }
    in_step.abort();
    looking.abort();
    say_goodbye(&app).await;
    if let Some(server) = metrics_server {
        server.abort();
    }
    tracing::info!("stopped");
    Ok(())
}

/// Keeps this process in step with the others on its database: alive in their eyes, and at the moment that the test clock
/// says. A database that is away for a while is no reason to end.
async fn keep_in_step(app: App) {
    if app.db().is_exclusive() {
        return;
    }
    let mut watch = Watch::default();
    let mut beats = tokio::time::interval(events::BEAT);
    // Beats that were missed are not made up for: each counts as one second of the others' silence.
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failing, mut outages) = (false, 0);
    loop {
        beats.tick().await;
        let seen = app.db().outages();
        let stepped = match step(&app, &mut watch).await {
            Ok(()) if failing || seen != outages => events::let_go(&app).await.inspect(|()| outages = seen),
            other => other,
        };
        match stepped {
            Ok(()) if std::mem::take(&mut failing) => {
                tracing::info!("in step with the other nodes again");
            }
            Err(error) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!(%error, "cannot tell the other nodes that this one lives, and goes on trying");
            }
            _ => {}
        }
    }
}

async fn step(app: &App, watch: &mut Watch) -> crate::error::Result<()> {
    if app.config().test_clock {
        test_clock::catch_up(app).await?;
    }
    watch.beat(app).await
}

/// What cannot be said, because the database is away, the others find out.
async fn say_goodbye(app: &App) {
    match tokio::time::timeout(GOODBYE, events::leave(app)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "this node could not leave in order: the others find out"),
        Err(_) => tracing::warn!("this node could not leave in time: the others find out"),
    }
    // Whoever reads or copies the database meanwhile is in the way; the next start reads the log then.
    if let Err(error) = app.db().settle().await {
        tracing::debug!(%error, "the log stays beside the database");
    }
}

/// Nobody pays by mistake with play money, or through a provider that cannot be reached.
fn refuse_wrong_money(config: &Config) -> Result<(), Failure> {
    if !config.services.contains(&Service::Payments) {
        return Ok(());
    }
    if config.forgets_stripe() {
        let why = "there is a key for Stripe, and orders would be paid with the sandbox's play money: set provider to stripe, or allow_sandbox to true";
        return Err(Failure::Usage(why.to_owned()));
    }
    if config.provider == PaymentProvider::Stripe {
        let settings = stripe::Settings::read(&config.stripe).map_err(Failure::Usage)?;
        for (doubt, mend) in settings.doubts() {
            tracing::warn!(mend, "{doubt}");
        }
        Stripe::new(settings).map_err(Failure::Usage)?;
    }
    Ok(())
}

/// With `no_migrate` the schema must be there already.
fn refuse_old_schema(config: &Config) -> Result<(), Failure> {
    let lacking = pending(config)?;
    if config.no_migrate && !lacking.is_empty() {
        let names = lacking.join(", ");
        return Err(Failure::new(format!(
            "the database lacks {names}: run `guildhall migrate`, or leave out no_migrate"
        )));
    }
    Ok(())
}

/// Listens, and notes the port that the system chose where 0 was asked for.
async fn bind(address: &mut SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    let asked = *address;
    let failed =
        |error| Failure::new(format!("cannot listen on {asked}: {error}; choose another with --{setting}"));
    let listener = queue(asked).map_err(failed)?;
    *address = listener.local_addr().map_err(failed)?;
    Ok(listener)
}

fn queue(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Becomes true at SIGTERM or Ctrl-C, once readiness says no.
fn stop_on_signal(app: App) -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        app.start_draining();
        supervisor::stopping();
        tell.send_replace(true);
        tracing::info!("draining: running requests finish, no more are taken");
    });
    Ok(told)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender goes only after it has sent, so an error means the same.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Says what an operator wants to know at the start. It reads whole tables, and nobody's first answer waits for it.
async fn look_around(app: App) {
    let said = async {
        announce(&app).await?;
        warn_of_other_providers(&app).await
    };
    if let Err(error) = said.await {
        tracing::warn!(%error, "the database could not be looked at");
    }
}

/// What is open at a provider that was used before is not asked at this one.
async fn warn_of_other_providers(app: &App) -> crate::error::Result<()> {
    let provider = app.provider().name();
    // On a connection of its own, with whose end the memory goes that the tables took.
    let open = app.db().read_long(move |tx| payments::open_elsewhere(tx, provider)).await?;
    if open > 0 {
        tracing::warn!(
            open,
            provider,
            "payments and refunds are open at another payment provider: they wait until it is set again, or a person decides"
        );
    }
    Ok(())
}

/// Says where it listens and what to do next.
async fn announce(app: &App) -> crate::error::Result<()> {
    let config = app.config();
    let address = format!("http://{}", config.listen);
    let metrics = config.metrics_listen.map(|address| format!("http://{address}/metrics"));
    let has_administrator = app.db().read(users::has_administrator).await?;
    tracing::info!(address, metrics, database = %config.place(), has_administrator, "listening");
    if logs::is_human(config) {
        logs::tell(&welcome(config, &address, metrics.as_deref(), has_administrator));
    }
    if config.is_public() && config.provider == PaymentProvider::Sandbox {
        tracing::warn!(
            "THE SANDBOX PAYMENT PROVIDER IS OPEN TO OTHER MACHINES: orders are paid with play money. Listen on 127.0.0.1, without a public_url, unless this is a demonstration"
        );
    }
    for variable in config::surplus_variables() {
        tracing::warn!(variable, "this variable is no setting: check its spelling, or leave it out");
    }
    if config.allow_unsafe_database && !app.db().is_exclusive() {
        tracing::warn!(
            "ANY DATABASE SERVER IS ACCEPTED, ALSO ONE THAT CAN LOSE WHAT IT ACKNOWLEDGED: leave out allow_unsafe_database where orders are real"
        );
    }
    if config.test_clock {
        tracing::warn!("the test clock is on: administrators can move time forward, and it never goes back");
    }
    Ok(())
}

fn welcome(config: &Config, address: &str, metrics: Option<&str>, has_administrator: bool) -> String {
    let mut text = format!(
        "\n  Guildhall {} is open: {address}\n  Reference:  {address}/docs\n  Data:       {}\n",
        env!("CARGO_PKG_VERSION"),
        config.place()
    );
    if let Some(metrics) = metrics {
        text.push_str(&format!("  Metrics:    {metrics}\n"));
    }
    if !has_administrator {
        let place = match config.place() {
            Place::File(_) => format!("--data-dir {}", config.data_dir.display()),
            Place::Server(_) => "--database-url URL".to_owned(),
        };
        text.push_str(&format!(
            "\n  Nobody administrates yet. In another terminal:\n    guildhall admin create {place} --username NAME --email NAME@EXAMPLE.COM --password-stdin\n"
        ));
    }
    text.push_str("\n  Ctrl-C stops it.\n");
    text
}
