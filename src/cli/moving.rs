//! `guildhall export` and `guildhall import`. `-` is standard output and standard input.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, stdin, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::bar::{bar, count, show};
use super::whole::{Whole, size_of};
use super::{Failure, Lock, open, pending, require_current, say};
use crate::app::Parts;
use crate::config::Config;
use crate::db::MIGRATIONS;
use crate::moving::{self, Checked, Contents, Progress};
use crate::verify;

/// Writes everything to `to` while others read and write.
pub async fn export(mut config: Config, to: &Path) -> Result<(), Failure> {
    config.only_reads = true;
    require_current(&config)?;
    if to == Path::new("-") {
        let contents = write_out(config, stdout()).await?;
        eprintln!("{}", exported(&contents));
        return Ok(());
    }
    let whole = Whole::begin_new(to, "exports")?;
    let partial = OpenOptions::new().write(true).open(whole.partial()).map_err(whole.failed())?;
    let contents = write_out(config, partial).await?;
    whole.keep()?;
    say(format!("{}\n{} in {}", exported(&contents), size_of(to), to.display()))
}

async fn write_out(config: Config, out: impl io::Write + Send + 'static) -> Result<Contents, Failure> {
    let app = open(config, Parts::default())?;
    let bar = count("exporting");
    let drawn = bar.clone();
    let out = BufWriter::with_capacity(1 << 16, out);
    let written = moving::export(app.db(), out, move |rows| drawn.set_position(rows)).await;
    bar.finish_and_clear();
    let (contents, _) = written.map_err(Failure::of("the export failed"))?;
    Ok(contents)
}

fn exported(contents: &Contents) -> String {
    format!("exported {} rows, contents sha256 {}", contents.rows, contents.digest)
}

/// Fills an empty database from an export, then looks at it like `verify`.
pub async fn import(config: Config, from: &Path) -> Result<(), Failure> {
    let piped = from == Path::new("-");
    let file = match piped {
        true => None,
        false => Some(File::open(from).map_err(Failure::of(format!("cannot read {}", from.display())))?),
    };
    let _lock = Lock::take(&config)?;
    require_empty(&config).await?;
    let file = match file {
        Some(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => file,
        Some(pipe) => spooled(&config, pipe)?,
        None => spooled(&config, stdin())?,
    };
    let (bar, progress) = shown("checking");
    let checked = Checked::new(file, &progress);
    bar.finish_and_clear();
    let named = if piped { "what is piped".to_owned() } else { from.display().to_string() };
    let checked = checked.map_err(Failure::of(format!("{named} cannot be imported")))?;

    let app = open(config, Parts::default())?;
    app.db().migrate().await?;
    let (bar, progress) = shown("importing");
    let imported = moving::import(app.db(), checked, progress).await;
    bar.finish_and_clear();
    let contents = imported?;
    say(format!("imported {} rows, contents sha256 {}", contents.rows, contents.digest))?;
    verify::run(app.db()).await.map_err(Failure::from).and_then(|violations| super::verify::tell(&violations))
}

fn shown(verb: &'static str) -> (indicatif::ProgressBar, Progress) {
    let bar = bar(verb);
    let drawn = bar.clone();
    (bar, Arc::new(move |done, all| show(&drawn, done, all)))
}

/// Nobody lives there yet: said before a long export is read, and made sure of again when it moves in.
async fn require_empty(config: &Config) -> Result<(), Failure> {
    match pending(config)?.len() {
        lacking if lacking == MIGRATIONS.len() => Ok(()),
        0 => Ok(open(config.clone(), Parts::default())?.db().read(moving::require_empty).await?),
        _ => Err(Failure::new(format!(
            "{} is of an older guildhall: import into an empty database",
            config.place()
        ))),
    }
}

/// What comes through a pipe as a file without a name: an export is read twice, so that nothing of a damaged one is
/// ever written. It lies beside the embedded database, where there must be room for as much.
fn spooled(config: &Config, mut pipe: impl io::Read) -> Result<File, Failure> {
    let directory = match config.place().is_embedded() {
        true => config.data_dir.clone(),
        false => std::env::temp_dir(),
    };
    let path = directory.join(format!("guildhall-import-{}.partial", std::process::id()));
    let mut spool = || {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        io::copy(&mut pipe, &mut file)?;
        Ok(file)
    };
    let failed = |error: io::Error| {
        let shown = directory.display();
        Failure::new(format!("cannot keep what is piped in {shown}: {error}; import from a file instead"))
    };
    spool().map_err(failed)
}
