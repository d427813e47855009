//! `guildhall verify`.

use super::{Failure, open, pending, require_database};
use crate::app::Parts;
use crate::config::Config;
use crate::verify;

/// Prints every check with `ok` or what breaks it.
pub async fn verify(config: Config) -> Result<(), Failure> {
    require_database(&config)?;
    let lacking = pending(&config)?;
    if !lacking.is_empty() {
        return Err(Failure::new(format!(
            "the database lacks {}: run `guildhall migrate` first",
            lacking.join(", ")
        )));
    }
    let app = open(config, Parts::default())?;
    let violations = verify::run(app.db()).await?;
    print!("{}", verify::report(&violations));
    match violations.len() {
        0 => Ok(()),
        1 => Err(Failure::new("an invariant is broken: the line above says where")),
        found => Err(Failure::new(format!("invariants are broken: the {found} lines above say where"))),
    }
}
