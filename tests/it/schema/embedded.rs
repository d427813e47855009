//! What the embedded engine says of its schema.

use std::path::Path;

use rusqlite::Connection;

use super::{Sentences, is_shared};

pub struct Embedded(Connection);

/// An index: its name, its table, and the statement that makes it.
pub struct Index {
    pub name: String,
    pub sql: String,
}

/// A condition on the rows of a table.
pub struct Check {
    pub table: String,
    pub condition: String,
}

impl Embedded {
    pub fn at(file: &Path) -> Self {
        Self(Connection::open(file).unwrap())
    }

    /// What is wrong with a statement.
    pub fn prepare(&self, sql: &str) -> Result<(), String> {
        self.0.prepare(sql).map(drop).map_err(|error| error.to_string())
    }

    /// In the words of a server: its types by what a column is for.
    pub fn sentences(&self) -> Sentences {
        let mut found = Sentences::new();
        for (table, sql) in self.tables() {
            self.columns(&table, &flags(&sql), &mut found);
            self.uniques(&table, &mut found);
            self.references(&table, &mut found);
        }
        found
    }

    /// But those that only say that a flag is 0 or 1.
    pub fn checks(&self) -> Vec<Check> {
        let checks_of = |(table, sql): (String, String)| {
            let others: Vec<String> =
                conditions(&sql).into_iter().filter(|condition| flag(condition).is_none()).collect();
            others
                .into_iter()
                .map(move |condition| Check { table: table.clone(), condition: listed(condition) })
        };
        self.tables().into_iter().flat_map(checks_of).collect()
    }

    /// Tables for which the engine builds a list, as a tree of its own, each time that a row is inserted.
    pub fn slow_to_fill(&self) -> Vec<String> {
        let builds_a_list = |table: &str| {
            let columns = self.listed("select name from pragma_table_info($1) order by cid", table);
            let values = vec!["null"; columns.len()].join(", ");
            let insert = format!("explain insert into {table} ({}) values ({values})", columns.join(", "));
            let mut steps = self.0.prepare(&insert).unwrap();
            let steps = steps.query_map([], |step| step.get::<_, String>("opcode")).unwrap();
            steps.map(Result::unwrap).any(|step| step == "OpenEphemeral")
        };
        let tables = self.tables().into_iter().map(|(table, _)| table);
        tables.filter(|table| builds_a_list(table)).collect()
    }

    pub fn indexes(&self) -> Vec<Index> {
        let indexes =
            "select name, tbl_name, sql from sqlite_schema where type = 'index' and sql is not null";
        let mut statement = self.0.prepare(indexes).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap)
            .filter(|(_, table, _): &(String, String, String)| is_shared(table))
            .map(|(name, _, sql)| Index { name, sql })
            .collect()
    }

    /// The tables that a server has too, with the statement that made each.
    fn tables(&self) -> Vec<(String, String)> {
        let tables = "select name, sql from sqlite_schema where type = 'table' and name not like 'sqlite^_%' escape '^'";
        let mut statement = self.0.prepare(tables).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).filter(|(table, _): &(String, String)| is_shared(table)).collect()
    }

    fn columns(&self, table: &str, flags: &[String], found: &mut Sentences) {
        let columns = "select name, lower(type), \"notnull\", dflt_value, hidden from pragma_table_xinfo($1) order by cid";
        let mut key = self.listed("select name from pragma_table_info($1) where pk > 0 order by pk", table);
        let mut statement = self.0.prepare(columns).unwrap();
        let mut rows = statement.query([table]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (name, kind): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (required, default): (bool, Option<String>) = (row.get(2).unwrap(), row.get(3).unwrap());
            let generated = row.get::<_, i64>(4).unwrap() > 0;
            let is_flag = flags.contains(&name);
            let kind = match kind.as_str() {
                _ if generated => "numeric generated",
                "blob" if is_id(&name) => "uuid",
                "blob" => "bytea",
                "integer" if is_flag => "boolean",
                "integer" if is_moment(&name) => "timestamp with time zone",
                "integer" => "bigint",
                "text" if is_json(&name) => "jsonb",
                other => other,
            };
            let default = default.map_or(String::new(), |default| match (is_flag, default.as_str()) {
                (true, "0") => " default false".to_owned(),
                (true, "1") => " default true".to_owned(),
                (_, default) => format!(" default {default}"),
            });
            let null = if required { "not null" } else { "null" };
            found.insert(format!("{table}.{name} {kind} {null}{default}"));
        }
        if !key.is_empty() {
            found.insert(format!("{table} primary key ({})", std::mem::take(&mut key).join(", ")));
        }
    }

    fn uniques(&self, table: &str, found: &mut Sentences) {
        for index in self.listed("select name from pragma_index_list($1) where origin = 'u'", table) {
            let columns = self.listed("select name from pragma_index_info($1) order by seqno", &index);
            found.insert(format!("{table} unique ({})", columns.join(", ")));
        }
    }

    fn references(&self, table: &str, found: &mut Sentences) {
        let keys = "select \"from\" || ' -> ' || \"table\" || '.' || \"to\"
             || case on_delete when 'NO ACTION' then '' else ' on delete ' || lower(on_delete) end
             || case on_update when 'NO ACTION' then '' else ' on update ' || lower(on_update) end
             from pragma_foreign_key_list($1)";
        found.extend(self.listed(keys, table).iter().map(|reference| format!("{table}.{reference}")));
    }

    fn listed(&self, sql: &str, of: &str) -> Vec<String> {
        let mut statement = self.0.prepare(sql).unwrap();
        let rows = statement.query_map([of], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

fn is_id(column: &str) -> bool {
    column == "id" || ["_id", "_by"].iter().any(|end| column.ends_with(end))
}

fn is_moment(column: &str) -> bool {
    let ends = ["_at", "_since", "_until"].iter().any(|end| column.ends_with(end));
    ends || ["at", "pay_by", "decide_by", "evidence_due", "window_from", "window_start", "window_to"]
        .contains(&column)
}

fn is_json(column: &str) -> bool {
    ["detail", "fixed", "skills", "portfolio", "report", "tags", "data", "body", "headers", "wanted"]
        .contains(&column)
}

/// The columns that are 0 or 1.
fn flags(table: &str) -> Vec<String> {
    conditions(table).iter().filter_map(|condition| flag(condition)).map(str::to_owned).collect()
}

fn flag(condition: &str) -> Option<&str> {
    condition.strip_suffix(" in (0, 1)")
}

/// What stands in the brackets after each `check`.
/// `a = 'x' or a = 'y' or a = 'z'` as the list that a server would be given.
fn listed(condition: String) -> String {
    let words: Option<Vec<(&str, &str)>> =
        condition.split(" or ").map(|part| part.split_once(" = ")).collect();
    match words {
        Some(words) if words.len() > 2 && words.iter().all(|(column, _)| *column == words[0].0) => {
            let list: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
            format!("{} in ({})", words[0].0, list.join(", "))
        }
        _ => condition,
    }
}

fn conditions(table: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in table.split("check (").skip(1) {
        let mut depth = 1;
        let end = after.find(|symbol| {
            depth += match symbol {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        found.push(after[..end.unwrap()].to_owned());
    }
    found
}
