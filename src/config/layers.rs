//! Puts the layers on top of each other and remembers which one each setting came from. Every mistake is found at once,
//! and each says the mend.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Config;
use super::keys::{KEYS, Key, Shape};

/// The file that is read when none is named.
const FILE: &str = "guildhall.toml";

/// What the program was started with.
pub struct Given<'g> {
    /// Values of flags by the name of their key.
    pub flags: BTreeMap<&'static str, String>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The working directory, where `guildhall.toml` may lie.
    pub directory: &'g Path,
    pub environment: &'g dyn Fn(&str) -> Option<String>,
}

/// The settings in force, and where each came from.
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
}

/// The layer that a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    /// The variable's name.
    Environment(String),
    Flag,
}

/// Everything that is wrong with the settings.
#[derive(Debug)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Loaded {
    pub fn origin(&self, key: &Key) -> &Origin {
        self.origin_of(key.name)
    }

    fn origin_of(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Variables that are named as settings are, and are none.
pub fn surplus_variables() -> Vec<String> {
    let is_known = |name: &str| name == "GUILDHALL_CONFIG" || KEYS.iter().any(|key| key.variable() == name);
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("GUILDHALL_") && !is_known(name)).collect()
}

/// Reads every layer.
pub fn load(given: &Given) -> Result<Loaded, Mistakes> {
    let mut mistakes = Vec::new();
    let (file, in_file) = match read_file(given, &mut mistakes) {
        Some((path, values)) => (Some(path), values),
        None => (None, BTreeMap::new()),
    };
    let mut loaded = Loaded { config: Config::default(), file, origins: BTreeMap::new() };
    for key in KEYS {
        let Some((text, origin)) = highest(key, given, &in_file) else { continue };
        match (key.set)(&mut loaded.config, &text) {
            Some(()) => {
                loaded.origins.insert(key.name, origin);
            }
            None => mistakes.push(mistake(key, &text, &origin, loaded.file.as_deref())),
        }
    }
    if let (Origin::Flag, Some(url), origin) =
        (loaded.origin_of("data_dir"), &loaded.config.database_url, loaded.origin_of("database_url"))
        && *origin != Origin::Flag
    {
        mistakes.push(format!(
            "--data-dir names the embedded database, and database_url ({origin}) the server {url}: add --database-url embedded for the directory, or leave --data-dir out"
        ));
    }
    if loaded.config.database_url.is_none() && !loaded.config.database_replicas.is_empty() {
        mistakes.push(
            "database_replicas is of no use with the embedded database: set database_url to the server that they follow, or leave it out".to_owned(),
        );
    }
    if mistakes.is_empty() { Ok(loaded) } else { Err(Mistakes(mistakes)) }
}

/// The value of the highest layer that has one.
fn highest(key: &Key, given: &Given, in_file: &BTreeMap<&str, String>) -> Option<(String, Origin)> {
    if let Some(text) = given.flags.get(key.name) {
        return Some((text.clone(), Origin::Flag));
    }
    let mut variables = vec![key.variable()];
    if key.name == "log" {
        variables.push("RUST_LOG".to_owned());
    }
    for name in variables {
        // A variable that is set to nothing is how compose files leave one out.
        if let Some(text) = (given.environment)(&name).filter(|text| !text.is_empty()) {
            return Some((text, Origin::Environment(name)));
        }
    }
    in_file.get(key.name).map(|text| (text.clone(), Origin::File))
}

fn mistake(key: &Key, text: &str, origin: &Origin, file: Option<&Path>) -> String {
    let shown = if key.is_secret() { "…" } else { text };
    let place = match origin {
        Origin::Flag => format!("--{} {shown}", key.flag()),
        Origin::Environment(name) => format!("{name}={shown}"),
        _ => format!("{} = {shown} in {}", key.name, file.unwrap_or(Path::new(FILE)).display()),
    };
    let why = key.complaint(text).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("`{place}` is not usable{why}: write {}", key.mend)
}

fn read_file(given: &Given, mistakes: &mut Vec<String>) -> Option<(PathBuf, BTreeMap<&'static str, String>)> {
    let path = match &given.file {
        Some(path) => path.clone(),
        None => Some(given.directory.join(FILE)).filter(|path| path.exists())?,
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            mistakes.push(format!("{} cannot be read: {error}", path.display()));
            return None;
        }
    };
    let mut values = BTreeMap::new();
    match DeTable::parse(&text) {
        Ok(table) => {
            for (name, value) in table.get_ref() {
                let line = text[..name.span().start].matches('\n').count() + 1;
                let place = format!("{} line {line}", path.display());
                match KEYS.iter().find(|key| key.name == name.get_ref().as_ref()) {
                    None => mistakes.push(format!("{place}: {}", unknown(name.get_ref()))),
                    Some(key) => match written(key.shape, value.get_ref()) {
                        Some(text) => {
                            values.insert(key.name, text);
                        }
                        None => mistakes
                            .push(format!("{place}: `{}` is not usable: write {}", key.name, key.mend)),
                    },
                }
            }
        }
        Err(error) => mistakes.push(format!("{} is not TOML: {error}", path.display())),
    }
    Some((path, values))
}

fn unknown(name: &str) -> String {
    let close = KEYS.iter().map(|key| (strsim::jaro_winkler(key.name, name), key.name));
    let nearest =
        close.max_by(|one, other| one.0.total_cmp(&other.0)).filter(|(likeness, _)| *likeness > 0.8);
    match nearest {
        Some((_, key)) => format!("unknown key `{name}`: did you mean `{key}`?"),
        None => {
            let all: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            format!("unknown key `{name}`: the keys are {}", all.join(", "))
        }
    }
}

/// A value of the file as the text that a flag would give. Numbers keep their digits.
fn written(shape: Shape, value: &DeValue) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Array(values) if shape == Shape::List => {
            let texts: Option<Vec<String>> =
                values.iter().map(|value| written(Shape::One, value.get_ref())).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Loaded, Mistakes> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(FILE), file).expect("writes");
        let of = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        load(&Given {
            flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            file: None,
            directory: dir.path(),
            environment: &of,
        })
    }

    fn mistakes(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
        load_with(file, environment, &[]).err().map_or(Vec::new(), |mistakes| mistakes.0)
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = "listen = '127.0.0.1:1'\ncurrency = 'EUR'\nfee_percent = 7.5\n";
        let environment = [("GUILDHALL_LISTEN", "127.0.0.1:2"), ("GUILDHALL_CURRENCY", "JPY")];
        let loaded = load_with(file, &environment, &[("listen", "127.0.0.1:3")]).expect("usable");
        assert_eq!(loaded.config.listen.port(), 3);
        assert_eq!(loaded.config.market.currency.code(), "JPY");
        assert_eq!(loaded.config.market.fee.basis_points(), 750);
        assert!(loaded.config.rate_limit);
        let origins: Vec<String> = ["listen", "currency", "fee_percent", "rate_limit"]
            .iter()
            .filter_map(|name| KEYS.iter().find(|key| key.name == *name))
            .map(|key| loaded.origin(key).to_string())
            .collect();
        assert_eq!(origins, ["flag", "GUILDHALL_CURRENCY", "file", "default"]);
    }

    #[test]
    fn the_file_takes_lists_numbers_and_switches() {
        let file =
            "services = ['users', 'orders']\npay_within_hours = 48\ntest_clock = true\nrate_limit = 'off'\n";
        let config = load_with(file, &[], &[]).expect("usable").config;
        assert_eq!(config.services, [super::super::Service::Users, super::super::Service::Orders]);
        assert_eq!(config.market.pay_within.as_secs(), 48 * 3_600);
        assert!(config.test_clock && !config.rate_limit);
    }

    #[test]
    fn every_mistake_is_named_with_its_mend() {
        let found =
            mistakes("listen = 8080\n\nfeepercent = 10\n[market]\n", &[("GUILDHALL_CURRENCY", "BUCKS")]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(
            found[0].contains("line 3: unknown key `feepercent`: did you mean `fee_percent`?"),
            "{found:?}"
        );
        assert!(found[1].contains("unknown key `market`"), "{found:?}");
        assert!(found[2].contains("listen = 8080") && found[2].contains("127.0.0.1:8080"), "{found:?}");
        assert!(found[3].contains("GUILDHALL_CURRENCY=BUCKS"), "{found:?}");
    }

    #[test]
    fn a_database_server_is_refused_without_its_password() {
        let found = mistakes("", &[("GUILDHALL_DATABASE_URL", "mysql://u:hunter2@db/guildhall")]);
        assert!(found[0].contains("write postgres://USER:PASSWORD@HOST:PORT/DATABASE"), "{found:?}");
        assert!(found[0].contains("(it does not begin with postgres://)"), "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn one_bad_replica_of_several_is_told_of() {
        let both = "postgres://u:hunter2@one/a, postgres://u:hunter2@two/a?sslmode=verify";
        let found = mistakes("", &[("GUILDHALL_DATABASE_REPLICAS", both)]);
        assert!(found[0].contains("(its sslmode is none of the known ones)"), "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn a_directory_that_is_asked_for_is_not_passed_over_for_a_server_of_the_surroundings() {
        let server = [("GUILDHALL_DATABASE_URL", "postgres://u:hunter2@db/guildhall")];
        let refused = load_with("", &server, &[("data_dir", "./here")]).map(|_| ()).map_err(|wrong| wrong.0);
        assert!(refused.is_err_and(|wrong| wrong[0].contains("add --database-url embedded")));
        let chosen = load_with("", &server, &[("data_dir", "./here"), ("database_url", "embedded")]);
        assert!(chosen.is_ok_and(|loaded| loaded.config.database_url.is_none()));
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        assert!(mistakes("", &[("GUILDHALL_METRICS_LISTEN", "")]).is_empty());
    }

    #[test]
    fn rust_log_is_listened_to() {
        let both = [("RUST_LOG", "debug"), ("GUILDHALL_LOG", "warn")];
        assert_eq!(load_with("log = 'error'", &both[..1], &[]).expect("usable").config.log, "debug");
        assert_eq!(load_with("log = 'error'", &both, &[]).expect("usable").config.log, "warn");
    }
}
