//! What PostgreSQL says in answer to `explain`.

use guildhall::db::Statement;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::plan::{Plan, Walk};
use super::statement::is_page;

/// Whose words the snapshots hold: another version says the same in other ones.
const VERSION: i32 = 15;

pub struct Server {
    client: Client,
    version: i32,
    partial: Vec<String>,
}

/// The indexes that no constraint brought with it.
const INDEXES: &str = "
    select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace
        and not exists (select 1 from pg_constraint k where k.conindid = c.oid and k.contype <> 'f')";

impl Server {
    /// As the program's own connections are set. Plans are made for any values of the parameters, and tables are small: so
    /// reading all of one must look dearer than it is.
    pub async fn at(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute(
                "set random_page_cost = 1.1; set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off",
            )
            .await
            .unwrap();
        let version = client.query_one("select current_setting('server_version_num')::int / 10000", &[]);
        let version = version.await.unwrap().get(0);
        let partial = texts(&client, &format!("{INDEXES} and i.indpred is not null")).await;
        Self { client, version, partial }
    }

    pub fn is_of_the_snapshots(&self) -> bool {
        self.version == VERSION
    }

    pub async fn plan(&self, Statement { sql, types }: &Statement) -> Plan {
        let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
        let prepared = self.client.batch_execute(&format!("prepare asked {types} as {sql}")).await;
        prepared.unwrap_or_else(|error| panic!("{:?}: {sql}", error.as_db_error()));
        let count = "select coalesce(array_length(parameter_types, 1), 0) from pg_prepared_statements where name = 'asked'";
        let count: i32 = self.client.query_one(count, &[]).await.unwrap().get(0);
        let nulls = vec!["null"; usize::try_from(count).unwrap()].join(", ");
        let values = if count == 0 { String::new() } else { format!("({nulls})") };
        // Tables being small, sorting looks cheap: a page shows whether it could do without. Where words are looked for it
        // depends on how many rows hold them, which nobody knows here.
        let sort = if is_page(sql) && !sql.contains(" @@ ") { "off" } else { "on" };
        self.client.batch_execute(&format!("set enable_sort = {sort}")).await.unwrap();
        let explain = format!("explain (costs off) execute asked {values}");
        let explained = self.client.simple_query(&explain).await.unwrap();
        let lines: Vec<String> = explained.iter().filter_map(line).collect();
        self.client.batch_execute("deallocate asked").await.unwrap();
        let mut plan = read(&lines);
        plan.bound_by(&self.partial);
        plan
    }

    pub async fn indexes(&self) -> Vec<String> {
        texts(&self.client, INDEXES).await
    }
}

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn line(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }
}

/// Leaves out what each row is then looked at for: that stands in the statement.
fn read(lines: &[String]) -> Plan {
    let mut plan = Plan { text: String::new(), walks: Vec::new(), sorts: false };
    for line in lines {
        let said = line.trim_start().trim_start_matches("->").trim_start();
        if ["Filter:", "Recheck Cond:", "Join Filter:"].iter().any(|filter| said.starts_with(filter)) {
            continue;
        }
        plan.text.push_str(&format!("{line}\n"));
        // An incremental sort only sorts what ties.
        plan.sorts |= said == "Sort";
        if let Some(bounds) = said.strip_prefix("Index Cond: ") {
            plan.walks.last_mut().unwrap().bounds = Some(bounds.to_owned());
        } else if let Some((kind, on)) = said.split_once(" on ") {
            plan.walks.extend(walk(kind, on));
        }
    }
    plan
}

/// `Index Scan Backward using orders_buyer` on `orders o`, `Bitmap Index Scan` on `orders_buyer`.
fn walk(kind: &str, on: &str) -> Option<Walk> {
    let name = on.split(' ').next().unwrap().to_owned();
    let using = kind.split_once(" using ").map(|(_, index)| index.to_owned());
    match kind {
        "Seq Scan" => Some(Walk { table: name, index: None, bounds: None }),
        "Bitmap Index Scan" => Some(Walk { table: name.clone(), index: Some(name), bounds: None }),
        _ => using.map(|index| Walk { table: name, index: Some(index), bounds: None }),
    }
}
