//! A flag for each setting, made from the same table as its variable and its key in the file.

use std::collections::BTreeMap;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::{Config, KEYS, Key, Shape};

pub const HEADING: &str = "Settings";

/// The values of the flags that were given, by the name of their key.
pub struct Flags(pub BTreeMap<&'static str, String>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let defaults = Config::default();
        KEYS.iter().fold(command, |command, key| command.arg(argument(key, &defaults)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(key: &Key, defaults: &Config) -> Arg {
    let default = match key.show(defaults) {
        text if text.is_empty() || key.name == "database_url" => String::new(),
        text => format!(", default {text}"),
    };
    let argument = Arg::new(key.name)
        .long(key.flag())
        .value_name("VALUE")
        .help(format!("{} [{}{default}]", key.about, key.variable()))
        .help_heading(HEADING)
        .hide_short_help(true)
        .global(true);
    match key.shape {
        Shape::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => argument,
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = BTreeMap::new();
        for key in KEYS {
            let value = matches.try_get_one::<String>(key.name);
            let value = value.map_err(|error| Error::raw(ErrorKind::InvalidValue, error))?;
            given.extend(value.map(|text| (key.name, text.clone())));
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
