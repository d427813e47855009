//! The steps of the schema. Each runs once, in a transaction of its own, and is never edited after a release: its
//! checksum is kept. How an engine applies one is the engine's.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// One step of the schema, in the dialect of each engine.
pub struct Migration {
    pub version: u32,
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
    /// Programs that know at least this version may start on a schema that has this step: a step that only adds leaves
    /// the programs before it running while they are replaced.
    pub needs: u32,
}

macro_rules! migrations {
    ($($version:literal $name:literal needs $needs:literal),* $(,)?) => {
        /// Every step, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/", $name, ".sqlite.sql")),
            postgres: include_str!(concat!("../../migrations/", $name, ".postgres.sql")),
            needs: $needs,
        }),*];
    };
}

migrations! {
    1 "0001_foundation" needs 1,
    2 "0002_users" needs 2,
    3 "0003_profiles" needs 3,
    4 "0004_services" needs 4,
    5 "0005_orders" needs 5,
    6 "0006_payments" needs 6,
    7 "0007_notifications" needs 7,
    8 "0008_reviews" needs 8,
    9 "0009_money" needs 9,
    10 "0010_fees" needs 10,
    11 "0011_disputes" needs 11,
    12 "0012_calls" needs 12,
    13 "0013_webhooks" needs 9,
    14 "0014_payouts" needs 14,
    15 "0015_reconciliation" needs 15,
    16 "0016_chargebacks" needs 16,
    17 "0017_told" needs 16,
    18 "0018_fewer_trees" needs 18,
    19 "0019_plain_checks" needs 18,
    20 "0020_homes" needs 20,
    21 "0021_homes_known" needs 20,
    22 "0022_homes_held" needs 20,
}

/// A step that a database has had.
pub(super) struct Applied {
    pub version: u32,
    pub checksum: String,
    pub needs: u32,
}

/// What a database lacks. Refuses a schema that needs a newer program, and one that was altered.
pub(super) fn missing(
    applied: &[Applied],
    text: fn(&Migration) -> &'static str,
) -> Result<Vec<&'static Migration>> {
    let known = MIGRATIONS.last().map_or(0, |step| step.version);
    if let Some(newer) = applied.iter().find(|step| step.version > known && step.needs > known) {
        return Err(Error::broken(format!(
            "the database is at schema version {}, which needs a program that knows version {}; this one knows {known}: start a newer guildhall",
            newer.version, newer.needs
        )));
    }
    let mut missing = Vec::new();
    for step in MIGRATIONS {
        match applied.iter().find(|done| done.version == step.version) {
            Some(done) if done.checksum == checksum(text(step)) => {}
            Some(_) => {
                return Err(Error::broken(format!("migration {} was altered after it ran", step.name)));
            }
            None => missing.push(step),
        }
    }
    Ok(missing)
}

/// Every step's name: what an empty database lacks.
pub(super) fn all_names() -> Vec<&'static str> {
    MIGRATIONS.iter().map(|step| step.name).collect()
}

pub(super) fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Vec<Applied> {
        let applied = |step: &Migration| Applied {
            version: step.version,
            checksum: checksum(step.sqlite),
            needs: step.needs,
        };
        MIGRATIONS.iter().map(applied).collect()
    }

    #[test]
    fn a_newer_schema_is_refused_unless_it_says_that_this_program_will_do() {
        let known = MIGRATIONS.last().map_or(0, |step| step.version);
        let with = |needs| {
            let mut applied = everything();
            applied.push(Applied { version: known + 1, checksum: String::new(), needs });
            missing(&applied, |step| step.sqlite).map(|steps| steps.len())
        };
        assert_eq!(with(known).ok(), Some(0));
        let refused = with(known + 1).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("start a newer guildhall")));
    }

    #[test]
    fn a_step_that_was_altered_is_refused() {
        let mut applied = everything();
        applied[2].checksum.push('0');
        let refused = missing(&applied, |step| step.sqlite).map(|_| ()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("0003_profiles was altered")));
    }
}
