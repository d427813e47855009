//! `guildhall verify`.

use super::{Failure, open_beside};
use crate::config::Config;
use crate::verify;

/// Prints every check with `ok` or what breaks it.
pub async fn verify(config: Config) -> Result<(), Failure> {
    let app = open_beside(config).await?;
    let violations = verify::run(app.db()).await?;
    print!("{}", verify::report(&violations));
    match violations.len() {
        0 => Ok(()),
        1 => Err(Failure::new("an invariant is broken: the line above says where")),
        found => Err(Failure::new(format!("invariants are broken: the {found} lines above say where"))),
    }
}
