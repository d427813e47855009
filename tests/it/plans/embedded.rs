//! What SQLite says in answer to `explain query plan`.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::plan::{Plan, Walk};

pub struct Embedded {
    connection: Connection,
    partial: Vec<String>,
}

impl Embedded {
    pub fn at(file: &Path) -> Self {
        let connection = Connection::open(file).unwrap();
        let partial = names(&connection, "sql like '% where %'");
        Self { connection, partial }
    }

    pub fn plan(&self, sql: &str) -> Plan {
        let prepared = self.connection.prepare(&format!("explain query plan {sql}"));
        let mut statement = prepared.unwrap_or_else(|error| panic!("{error}: {sql}"));
        let mut depths = HashMap::from([(0, 0)]);
        let mut plan = Plan { text: String::new(), walks: Vec::new(), sorts: false };
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let (id, parent): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
            let step: String = row.get(3).unwrap();
            let depth = depths[&parent];
            depths.insert(id, depth + 1);
            plan.text.push_str(&format!("{}{step}\n", "  ".repeat(depth)));
            // Where an index has the order but for the last term, only what ties is sorted.
            plan.sorts |= step == "USE TEMP B-TREE FOR ORDER BY";
            plan.walks.extend(walk(&step, sql));
        }
        plan.bound_by(&self.partial);
        plan
    }

    pub fn indexes(&self) -> Vec<String> {
        names(&self.connection, "sql is not null")
    }
}

fn names(connection: &Connection, which: &str) -> Vec<String> {
    let indexes = format!("select name from sqlite_schema where type = 'index' and {which}");
    let mut statement = connection.prepare(&indexes).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// `SEARCH s USING COVERING INDEX services_newest (id<?)`, `SCAN s`.
fn walk(step: &str, sql: &str) -> Option<Walk> {
    let (name, how) = match step.strip_prefix("SEARCH ").or(step.strip_prefix("SCAN "))?.split_once(' ') {
        Some((name, how)) => (name, how),
        None => (&step["SCAN ".len()..], ""),
    };
    // What a part of the same statement made is no table.
    let table = table_of(name, sql)?;
    if let Some(number) = how.strip_prefix("VIRTUAL TABLE INDEX ") {
        let bounds = (number != "0:").then(|| number.to_owned());
        return Some(Walk { table, index: Some("the words".to_owned()), bounds });
    }
    let bounds = how.split_once('(').map(|(_, bounds)| bounds.split(" LEFT").next().unwrap().to_owned());
    let index = how.split_once("INDEX ").map(|(_, index)| index.split(' ').next().unwrap().to_owned());
    let key = how.contains("PRIMARY KEY").then(|| "the primary key".to_owned());
    Some(Walk { table, index: index.or(key), bounds })
}

/// The table that a statement calls so.
fn table_of(name: &str, sql: &str) -> Option<String> {
    let words: Vec<&str> = sql.split([' ', '\n', ',', '(', ')']).filter(|word| !word.is_empty()).collect();
    let named = words.windows(2).filter(|pair| ["from", "join", "into", "update"].contains(&pair[0]));
    let mut tables = named.map(|pair| pair[1]);
    if tables.clone().any(|table| table == name) {
        return Some(name.to_owned());
    }
    let aliased = |table: &&str| {
        let calls = |words: &[&str]| words == [*table, name] || words == [*table, "as", name];
        words.windows(2).any(calls) || words.windows(3).any(calls)
    };
    tables.find(aliased).map(str::to_owned)
}
