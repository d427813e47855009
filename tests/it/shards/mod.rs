//! The way to many servers stays open: every statement of the program, those that were really run and those that stand in
//! the sources, is held against the map of where rows are at home, by the rules of Citus (deploy/citus). What breaks one is
//! listed with its reason; the list may only shrink. `deploy/citus/distribute.sql` is held against the same map.

mod exceptions;
mod map;
mod reading;
mod rules;
mod visitors;

use std::collections::BTreeSet;

use crate::support::{Home, TestApp};
use crate::{plans, tidy};
use exceptions::Found;
use map::MAP;
use reading::Columns;

/// Parts of the program that read all there is, of whichever home: the check of everything, moves, and the demo.
const READ_ALL: &[&str] = &["cli/", "demo/", "moving/", "verify/", "verify.rs"];

/// The columns of each table, by the embedded engine's catalogue.
async fn columns() -> Columns {
    let home = Home::embedded();
    plans::migrate(&home).await;
    let connection = rusqlite::Connection::open(home.config().database_file()).unwrap();
    let catalogue =
        "select m.name, c.name from sqlite_schema m join pragma_table_xinfo(m.name) c where m.type = 'table'";
    let mut statement = connection.prepare(catalogue).unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut columns = Columns::new();
    for (table, column) in found.map(Result::unwrap) {
        let table: String = table;
        columns.entry(table).or_default().insert(column);
    }
    columns
}

#[tokio::test]
async fn every_table_has_a_home_by_a_column_that_it_has() {
    let columns = columns().await;
    let homeless: Vec<&String> = columns
        .keys()
        .filter(|table| !table.starts_with("sqlite_") && !table.starts_with("service_search_"))
        .filter(|table| !MAP.iter().any(|(name, _)| name == table))
        .collect();
    assert!(homeless.is_empty(), "add them to tests/it/shards/map.rs: {homeless:?}");
    for (table, home) in MAP {
        // A server's own.
        let Some(columns) = columns.get(*table) else {
            assert_eq!(*table, "commits");
            continue;
        };
        if let map::Home::By(_, column) = home {
            assert!(columns.contains(*column), "{table} has no column {column}");
        }
    }
}

/// Each statement with where it is from, and whether it wants everything.
async fn statements() -> BTreeSet<(String, String, bool)> {
    let mut statements = BTreeSet::new();
    for asked in plans::every_statement().await {
        statements.insert(("the program".to_owned(), plans::flat(&asked.sql).to_lowercase(), false));
    }
    let app = TestApp::new().await;
    app.app.db().overheard();
    app.verify().await;
    for asked in app.app.db().overheard() {
        statements.insert(("verify".to_owned(), plans::flat(&asked.sql).to_lowercase(), true));
    }
    for source in tidy::sources().iter().filter(|source| !source.path.starts_with("db/")) {
        let reads_all = READ_ALL.iter().any(|part| source.path.starts_with(part));
        for sql in tidy::statements(source.code()).into_iter().filter(|sql| tidy::is_whole(sql)) {
            statements.insert((source.path.clone(), sql, reads_all));
        }
    }
    statements
}

#[tokio::test]
async fn every_statement_can_be_answered_by_many_servers() {
    let (columns, statements) = (columns().await, statements().await);
    assert!(statements.len() > 300, "the statements were not found");
    let is_embedded = Home::new().database_url().is_none();
    let mut found = Found::default();
    for (of, sql, reads_all) in &statements {
        match reading::parse(sql, is_embedded) {
            Ok(statement) => {
                for (table, flaw) in rules::flaws(&reading::read(&statement, &columns), *reads_all) {
                    found.note(&table, flaw, sql, of);
                }
            }
            Err(why) => found.misread(sql, &why),
        }
    }
    found.report();
}

/// What the script must say to Citus, in this order: tables that are everywhere before those that refer to them.
fn wanted() -> Vec<String> {
    let everywhere = MAP.iter().filter(|(_, home)| *home == map::Home::Everywhere);
    let mut wanted: Vec<String> =
        everywhere.map(|(table, _)| format!("select create_reference_table('{table}');")).collect();
    let mut first: Vec<(map::Group, &str)> = Vec::new();
    for (table, home) in MAP {
        let map::Home::By(group, column) = home else { continue };
        let with = first.iter().find(|(of, _)| of == group).map_or("none", |(_, table)| *table);
        wanted.push(format!(
            "select create_distributed_table('{table}', '{column}', colocate_with => '{with}');"
        ));
        first.push((*group, *table));
    }
    wanted
}

#[test]
fn the_script_spreads_tables_as_the_map_says() {
    let script = std::fs::read_to_string(tidy::root().join("deploy/citus/distribute.sql")).unwrap();
    let said: Vec<&str> = script.lines().filter(|line| line.starts_with("select create_")).collect();
    assert_eq!(said, wanted());
    let told = "select citus_add_local_table_to_metadata('";
    for line in script.lines().filter_map(|line| line.strip_prefix(told)) {
        let table = line.split('\'').next().unwrap();
        assert_eq!(map::home(table), map::Home::Coordinator, "{table}");
    }
}
