//! `guildhall verify`.

use super::{Failure, open, require_current, say};
use crate::app::Parts;
use crate::config::Config;
use crate::verify::{self, Violation};

/// Prints every check with `ok` or what breaks it.
pub async fn verify(mut config: Config) -> Result<(), Failure> {
    config.only_reads = true;
    require_current(&config)?;
    let app = open(config, Parts::default())?;
    tell(&verify::run(app.db()).await?)
}

/// The report; a failure when anything is broken.
pub(super) fn tell(violations: &[Violation]) -> Result<(), Failure> {
    say(verify::report(violations).trim_end())?;
    match violations.len() {
        0 => Ok(()),
        1 => Err(Failure::new("an invariant is broken: the line above says where")),
        found => Err(Failure::new(format!("invariants are broken: the {found} lines above say where"))),
    }
}
