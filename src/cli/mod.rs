//! The commands of the program: arguments in, exit code out. 0 is done, 1 failed, 2 wrong usage.

mod admin;
mod backup;
mod bar;
mod demo;
mod doctor;
pub mod exposition;
mod flags;
mod lock;
mod logs;
mod moving;
mod open_files;
mod ready;
mod reconcile;
mod serve;
mod supervisor;
mod verify;
mod whole;

use std::fmt;
use std::io::{ErrorKind, Write, stdout};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::{self, App, Parts};
use crate::config::{self, Config, Given, Loaded, Mistakes, PaymentProvider, Service};
use crate::db::Place;
use crate::error::Error;
use crate::http::printed_document;
use crate::providers::stripe;
use crate::test_clock;
use crate::time::Time;

use flags::Flags;
use lock::Lock;

/// The backend of a freelance marketplace in one program.
#[derive(Parser)]
#[command(name = "guildhall", version, after_help = AFTER_HELP)]
struct Arguments {
    /// The settings' file [GUILDHALL_CONFIG, else guildhall.toml in the working directory]
    #[arg(long, global = true, value_name = "FILE", help_heading = flags::HEADING)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str =
    "Without a command it serves. A flag beats its variable, which beats its key in guildhall.toml.";

#[derive(Subcommand)]
enum Command {
    /// Answer requests until SIGTERM or Ctrl-C
    Serve,
    /// Bring the database to this version
    Migrate,
    /// Accounts of administrators, and lost passwords
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Fill an empty database with a believable marketplace
    Demo {
        /// How much of it: 1 is about 130 people and 500 orders
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        scale: u32,
        /// The same seed tells the same story
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Check every invariant in one read-only snapshot, also while serving
    Verify,
    /// Compare the books with the payment provider's records, also while serving; what differs waits for an administrator
    Reconcile {
        /// From this day or moment on; the beginning of yesterday unless said
        #[arg(long, value_name = "DAY", value_parser = reconcile::moment)]
        from: Option<Time>,
        /// Up to this day or moment; now unless said
        #[arg(long, value_name = "DAY", value_parser = reconcile::moment)]
        to: Option<Time>,
    },
    /// Copy a consistent state of the database to FILE, also while serving; of one on a server it is an export
    Backup { file: PathBuf },
    /// Fill an empty data directory, or an empty database on a server, from a backup
    Restore { file: PathBuf },
    /// Write everything to FILE as one checksummed stream that any engine can import, also while serving; `-` is standard output
    Export { file: PathBuf },
    /// Fill an empty database from an export, all of it or nothing, and verify it; `-` is standard input
    Import { file: PathBuf },
    /// Print the OpenAPI document that /openapi.json serves
    Openapi,
    /// Ask the one that serves here whether it is ready; 1 when it is not
    Ready,
    /// Say what is wrong with the settings or their surroundings, and the mend
    Doctor,
}

/// Why a command ends without success.
enum Failure {
    /// 2: the settings or arguments are wrong.
    Usage(String),
    /// 1: it was tried.
    Failed(String),
}

impl Failure {
    fn new(what: impl fmt::Display) -> Self {
        Self::Failed(what.to_string())
    }

    /// Says what was tried when it went wrong.
    fn of<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(match &error {
            Error::Refused(refusal) => refusal.detail.to_string(),
            Error::Invalid(wrong) => {
                let lines = wrong
                    .iter()
                    .map(|field| format!("{}: {}", field.pointer.trim_start_matches('/'), field.detail));
                lines.collect::<Vec<_>>().join("\n")
            }
            other => other.to_string(),
        })
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::Usage(mistakes.to_string())
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::of("cannot start"))
        .and_then(|runtime| runtime.block_on(run(arguments)));
    let (code, text) = match outcome {
        Ok(code) => return code,
        Err(Failure::Failed(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, text),
    };
    for line in text.lines() {
        logs::tell(&format!("guildhall: {line}"));
    }
    ExitCode::from(code)
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let command = arguments.command.unwrap_or(Command::Serve);
    let loaded = load(arguments.config, arguments.flags);
    if matches!(command, Command::Doctor) {
        return doctor::doctor(loaded).await;
    }
    let config = loaded?.config;
    logs::start(&config);
    match command {
        Command::Serve => serve::serve(config).await,
        Command::Migrate => migrate(config).await,
        Command::Admin(act) => admin::run(config, act).await,
        Command::Demo { scale, seed } => demo::demo(config, scale, seed).await,
        Command::Verify => verify::verify(config).await,
        Command::Reconcile { from, to } => reconcile::reconcile(config, from, to).await,
        Command::Backup { file } => backup::backup(config, &file).await,
        Command::Restore { file } => backup::restore(config, &file).await,
        Command::Export { file } => moving::export(config, &file).await,
        Command::Import { file } => moving::import(config, &file).await,
        Command::Openapi => say(printed_document(app::served(&config), &config.public_url())),
        Command::Ready => ready::ready(&config),
        Command::Doctor => Ok(()),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output; a reader that has seen enough is no failure.
fn say(text: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn load(file: Option<PathBuf>, flags: Flags) -> Result<Loaded, Mistakes> {
    let environment = |name: &str| std::env::var(name).ok();
    let named = || environment("GUILDHALL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let directory = std::env::current_dir().unwrap_or_default();
    config::load(&Given {
        flags: flags.0,
        file: file.or_else(named),
        directory: &directory,
        environment: &environment,
    })
}

async fn migrate(config: Config) -> Result<(), Failure> {
    let _lock = Lock::take(&config)?;
    let app = open(config, Parts::default())?;
    let ran = app.db().migrate().await?;
    match ran.as_slice() {
        [] => say("the database is at this version already"),
        names => say(format!("applied {}", names.join(", "))),
    }
}

/// Makes the data directory, readable for its owner only.
fn make_data_dir(config: &Config) -> Result<(), Failure> {
    let dir = &config.data_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(Failure::of(format!("cannot create the data directory {}", dir.display())))
}

fn open(config: Config, parts: Parts) -> Result<App, Failure> {
    let place = config.place();
    if place.is_embedded() {
        make_data_dir(&config)?;
    }
    App::open(config, parts).map_err(Failure::of(format!("cannot open {place}")))
}

/// There is a database to look at: a mistyped directory must not become an empty one.
fn require_database(config: &Config) -> Result<(), Failure> {
    match config.place() {
        Place::File(file) if !file.exists() => Err(Failure::new(format!(
            "there is no database in {}: name its directory with --data-dir",
            config.data_dir.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a provider with other money than the database was paid with.
async fn require_same_money(app: &App) -> Result<(), Failure> {
    if !app.config().services.contains(&Service::Payments) {
        return Ok(());
    }
    let play_money = app.config().allow_sandbox;
    let (provider, live) = (app.config().provider, app.provider().is_live());
    let same = app.db().read(move |tx| match provider {
        PaymentProvider::Sandbox => stripe::require_no_money(tx, play_money),
        PaymentProvider::Stripe => stripe::require_same_money(tx, live, play_money),
    });
    Ok(same.await?)
}

/// There is a database, and it is of this version.
fn require_current(config: &Config) -> Result<(), Failure> {
    require_database(config)?;
    let lacking = pending(config)?;
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "the database lacks {}: run `guildhall migrate` first",
            lacking.join(", ")
        ))),
    }
}

/// The migrations that the database lacks; all of them where there is none.
fn pending(config: &Config) -> Result<Vec<&'static str>, Failure> {
    let place = config.place();
    place.pending_migrations().map_err(Failure::of(place))
}

/// The application beside one that may be serving: of this version, and at its time.
async fn open_beside(config: Config) -> Result<App, Failure> {
    let lock = match pending(&config)?.is_empty() {
        true => None,
        false => Some(Lock::take(&config)?),
    };
    let app = open(config, Parts::default())?;
    if lock.is_some() {
        app.db().migrate().await?;
    }
    if app.config().test_clock {
        test_clock::catch_up(&app).await?;
    }
    Ok(app)
}
