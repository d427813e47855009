//! What the house promises about its own text: who may know whom, what a room holds, the SQL dialect.

use std::path::{Path, PathBuf};

/// The services, and those each may know: `users ← profiles ← listings ← orders ← payments`.
const ARROWS: &[(&str, &[&str])] = &[
    ("users", &[]),
    ("profiles", &["users"]),
    ("listings", &["users", "profiles"]),
    ("fees", &["users"]),
    ("orders", &["users", "profiles", "listings", "fees"]),
    ("disputes", &["users", "profiles", "listings", "orders"]),
    ("payments", &["users", "profiles", "listings", "orders"]),
    ("payouts", &["users", "profiles", "listings", "orders", "payments"]),
    ("webhooks", &["orders", "payments", "payouts"]),
    ("reconciliation", &["users", "profiles", "listings", "orders", "payments", "payouts"]),
    ("notifications", &["users", "profiles", "listings", "orders"]),
    ("reviews", &["users", "profiles", "listings", "orders"]),
];

/// What is put together from the services and may know all of them.
const ABOVE: &[&str] = &["app.rs", "cli", "demo", "lib.rs", "main.rs", "moving", "verify", "verify.rs"];

/// A service opens these to the parts above it, never to another service.
const INNER_ROOMS: &[&str] = &["commands", "model", "queries", "reactions", "routes"];

pub struct Source {
    /// Below `src/`, with `/`.
    pub path: String,
    text: String,
}

impl Source {
    /// The first part of its path: `orders` or `money.rs`.
    fn top(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// The room of a service it belongs to: `commands` for `orders/commands.rs` and `orders/commands/place.rs`.
    fn room(&self) -> Option<&str> {
        let service = ARROWS.iter().any(|(service, _)| *service == self.top());
        service.then(|| self.path.split('/').nth(1).unwrap().trim_end_matches(".rs"))
    }

    /// The program itself, without its unit tests.
    pub fn code(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap()
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
}

pub fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    files(&src, ".rs", &mut paths);
    assert!(paths.len() > 50, "the sources were not found");
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/"),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

/// Fails with every line that `wrong` names.
fn none(what: &str, mut wrong: Vec<String>) {
    wrong.sort();
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

/// The services that a text names, with what follows the name: `("users", "queries::find")`.
fn known_services(text: &str) -> Vec<(&'static str, &str)> {
    let mut known = Vec::new();
    for (service, _) in ARROWS {
        for (at, path) in text.match_indices(&format!("crate::{service}::")) {
            known.push((*service, &text[at + path.len()..]));
        }
    }
    for group in text.split("use crate::{").skip(1) {
        let group = group.split(';').next().unwrap();
        for name in group.split(|symbol: char| !(symbol.is_alphanumeric() || "_:".contains(symbol))) {
            let (first, rest) = name.split_once("::").unwrap_or((name, ""));
            known.extend(
                ARROWS.iter().filter(|(service, _)| *service == first).map(|(service, _)| (*service, rest)),
            );
        }
    }
    known
}

#[test]
fn services_know_only_those_below_them() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !ABOVE.contains(&source.top())) {
        let own = source.top();
        let allowed = ARROWS.iter().find(|(service, _)| *service == own).map_or(&[][..], |(_, below)| below);
        for (service, inside) in known_services(source.code()) {
            let inner = INNER_ROOMS.iter().find(|room| inside.starts_with(&format!("{room}::")));
            if service != own && !allowed.contains(&service) {
                wrong.push(format!("{} knows {service}", source.path));
            } else if let (true, Some(room)) = (service != own, inner) {
                wrong.push(format!("{} reaches into {service}::{room}", source.path));
            }
        }
    }
    none("arrows that point upward or into a room", wrong);
}

#[test]
fn imports_are_understood_in_both_ways_of_writing() {
    let one = known_services("use crate::users::queries::find;");
    assert_eq!(
        one.first().map(|(service, rest)| (*service, rest.starts_with("queries::"))),
        Some(("users", true))
    );
    let group = known_services("use crate::{error, orders, users::Card};");
    assert_eq!(group.iter().map(|(service, _)| *service).collect::<Vec<_>>(), ["orders", "users"]);
}

#[test]
fn the_engine_is_named_only_in_db() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.top() != "db") {
        for name in ["rusqlite", "libsqlite3", "pragma ", "sqlite_"] {
            if source.code().contains(name) {
                wrong.push(format!("{}: {name}", source.path));
            }
        }
    }
    none("the engine is named outside db/", wrong);
}

#[test]
fn rooms_hold_what_they_are_for() {
    let mut wrong = Vec::new();
    for source in &sources() {
        let never: &[&str] = match source.room() {
            Some("model") => &["crate::db::Tx", "axum", "crate::http", ".await", "tx."],
            Some("commands") => &["axum", "crate::http", ".await", "async fn"],
            Some("queries") => &["axum", "crate::http", ".await", "tx.execute", "insert into", "delete from"],
            Some("routes") => &["tx.execute", "tx.first", "tx.all", "tx.one", "insert into", "select "],
            Some("reactions") => &["axum", "crate::http"],
            _ => &[],
        };
        let code = source.code();
        wrong.extend(
            never.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", source.path)),
        );
    }
    none("what does not belong in its room", wrong);
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = |source: &&Source| !source.text.starts_with("//! ");
    none("files without //!", sources().iter().filter(silent).map(|source| source.path.clone()).collect());
}

#[test]
fn nothing_is_left_undone() {
    let mut wrong = Vec::new();
    for source in &sources() {
        for word in ["todo!", "unimplemented!", "dbg!", "FIXME", "TODO"] {
            if source.text.contains(word) {
                wrong.push(format!("{}: {word}", source.path));
            }
        }
    }
    none("left undone", wrong);
}

#[test]
fn no_folder_is_a_drawer() {
    let drawer = |source: &&Source| {
        ["util", "utils", "helpers", "common", "manager", "misc"]
            .iter()
            .any(|word| source.path.split('/').any(|part| part.trim_end_matches(".rs") == *word))
    };
    none("drawers", sources().iter().filter(drawer).map(|source| source.path.clone()).collect());
}

/// The SQL statements among the string literals of a Rust text, on one line each and in lower case.
pub fn statements(text: &str) -> Vec<String> {
    let verbs = ["select ", "insert ", "update ", "delete ", "with "];
    let flat = |literal: &str| literal.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    literals(text)
        .iter()
        .map(|literal| flat(literal))
        .filter(|sql| verbs.iter().any(|verb| sql.starts_with(verb)))
        .filter(|sql| sql.contains(['$', '=', ',', '(']) || sql.contains(" from "))
        .collect()
}

/// Neither with a gap that the program fills nor the beginning of one that grows by conditions.
pub fn is_whole(sql: &str) -> bool {
    let last = sql.split_whitespace().next_back().unwrap();
    !sql.contains('{') && !["where", "and", "or", "from", "in", "limit", "=", ","].contains(&last)
}

/// The plain string literals of a Rust text; comments and characters are passed over.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let from = &rest[at..];
        rest = if let Some(string) = from.strip_prefix('"') {
            let (literal, length) = literal(string);
            found.push(literal);
            &string[length..]
        } else if from.starts_with("//") {
            &from[from.find('\n').unwrap_or(from.len())..]
        } else if let Some(after) = from.strip_prefix("'\"'") {
            after
        } else {
            &from[1..]
        };
    }
    found
}

/// The text up to the closing quote, and how much of it that is.
fn literal(string: &str) -> (String, usize) {
    let mut text = String::new();
    let mut escaped = false;
    for (at, symbol) in string.char_indices() {
        match (symbol, escaped) {
            ('"', false) => return (text, at + 1),
            ('\\', false) => escaped = true,
            _ => {
                text.push(if escaped { ' ' } else { symbol });
                escaped = false;
            }
        }
    }
    (text, string.len())
}

/// What the common dialect of both engines does not have, or what no statement here may do.
fn outside_the_dialect(sql: &str) -> Option<&'static str> {
    let words = [
        ("select *", "name the columns"),
        ("now()", "bind tx.now()"),
        ("current_timestamp", "bind tx.now()"),
        ("::", "write cast(… as …)"),
        (" ilike ", "store a folded column"),
        (" for update", "compare and set"),
        ("skip locked", "claim by compare and set"),
        ("distinct on", "group by"),
        (" offset ", "page by key"),
        ("nextval", "ids are minted by the program"),
        ("replace into", "on conflict … do update"),
        ("insert or ", "on conflict … do …"),
    ];
    let bare_null = sql.split('$').skip(1).any(|after| {
        after.trim_start_matches(|symbol: char| symbol.is_ascii_digit()).trim_start().starts_with("is ")
            && !after.contains("is not distinct from")
    });
    let listed = sql.split("insert into ").skip(1).all(|after| {
        let table_end = after.find([' ', '(']).unwrap_or(after.len());
        after[table_end..].trim_start().starts_with('(')
    });
    let found = words.iter().find(|(word, _)| sql.contains(word)).map(|(_, mend)| *mend);
    found
        .or(bare_null.then_some("write cast($1 as text) is null"))
        .or((!listed).then_some("list the columns"))
}

#[test]
fn sql_keeps_to_the_dialect_of_both_engines() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources()
        .iter()
        .filter(|source| !["db/sqlite", "db/postgres"].iter().any(|engine| source.path.starts_with(engine)))
    {
        for sql in statements(source.code()) {
            seen += 1;
            wrong.extend(outside_the_dialect(&sql).map(|mend| format!("{}: {mend}: {sql}", source.path)));
        }
    }
    assert!(seen > 10, "the statements were not found");
    none("SQL outside the common dialect", wrong);
}

/// What was booked and what has happened is never written anew: a mistake is set right by a further journal or event.
#[test]
fn nothing_changes_the_ledger_or_the_log() {
    let kept = ["ledger_journals", "ledger_lines", "events"];
    let verbs = ["update ", "delete from ", "insert or replace into ", "replace into ", "truncate "];
    let changes = |sql: &str| {
        kept.iter().any(|table| {
            verbs.iter().any(|verb| {
                sql.split(&format!("{verb}{table}")).skip(1).any(|rest| !rest.starts_with(['_', '.']))
            }) || (sql.contains(&format!("insert into {table} ")) && sql.contains(" do update"))
        })
    };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for sql in statements(source.code()) {
            seen += usize::from(kept.iter().any(|table| sql.contains(&format!("insert into {table} "))));
            if changes(&sql) {
                wrong.push(format!("{}: {sql}", source.path));
            }
        }
    }
    assert_eq!(seen, 3, "journals, lines and events are written in one place each");
    none("statements that change what is kept for ever", wrong);
    assert!(changes("update events set body = $1") && changes("delete from ledger_lines where line = $1"));
}

#[test]
fn the_dialect_is_recognised() {
    let mend = |sql: &str| outside_the_dialect(&statements(&format!("tx.first(\"{sql}\", params![])"))[0]);
    assert_eq!(mend("select id from users where id = $1"), None);
    assert_eq!(mend("insert into users (id, at) values ($1, $2)"), None);
    assert_eq!(mend("select id from users where cast($1 as text) is null"), None);
    for sql in [
        "select * from users where id = $1",
        "select id from users where at < now()",
        "select id::text from users where id = $1",
        "select id from users where $1 is null",
        "insert into users values ($1, $2)",
        "select id from users where id = $1 limit 5 offset 10",
    ] {
        assert!(mend(sql).is_some(), "{sql}");
    }
}

/// A step may act for programs from before it as long as they are being replaced. A later step takes it away.
const TRANSITIONS: &[(&str, &str)] = &[("0020_homes.postgres.sql", "create trigger")];

#[test]
fn migrations_hold_tables_and_nothing_that_acts() {
    let mut paths = Vec::new();
    files(&root().join("migrations"), ".sql", &mut paths);
    assert!(!paths.is_empty());
    let mut wrong = Vec::new();
    for path in paths {
        let sql = std::fs::read_to_string(&path).unwrap().to_lowercase();
        for word in ["create trigger", "create view", "autoincrement", "deferrable", "current_timestamp"] {
            let file = path.file_name().unwrap().to_str().unwrap();
            if sql.contains(word) && !TRANSITIONS.contains(&(file, word)) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    none("migrations", wrong);
}
