//! `guildhall demo`.

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Lock, open};
use crate::config::Config;
use crate::demo;

/// Fills an empty database and prints who can log in.
pub async fn demo(config: Config, scale: u32, seed: u64) -> Result<(), Failure> {
    let _lock = Lock::take(&config)?;
    let (config, parts) = demo::setting(config);
    let app = open(config, parts)?;
    app.db().migrate().await?;
    let bar = bar();
    let made = demo::run(&app, scale, seed, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    println!("{made}");
    Ok(())
}

/// Drawn on a terminal only.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("living through four months {bar:40} {percent}% {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or(ProgressStyle::default_bar()))
}
