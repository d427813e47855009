//! The schema is one, in the types of each engine, and every statement is one that both understand. What an engine says
//! of its own catalogue is compared, not what a file says.

mod embedded;
mod server;

use std::collections::BTreeSet;

use guildhall::db::{Db, Wiring};
use guildhall::money::{Currency, Money};
use guildhall::params;
use guildhall::providers::ChargebackStatus;

use crate::support::{Home, TestApp};
use crate::tidy;
use embedded::Embedded;
use server::Server;

/// Tables that an engine has for itself: how words are found, which migrations ran, which commits came through.
const OF_AN_ENGINE: &[&str] = &["service_search", "schema_migrations", "commits"];

/// What the embedded engine has and a server has not: the row's number, which its index of words goes by, is the primary
/// key of listings there.
const ONLY_EMBEDDED: &[&str] = &[
    "services.search_key bigint null",
    "services primary key (search_key)",
    "services unique (id)",
    "notifications.event_id -> events.id",
];

/// What a server has in its place.
const ONLY_ON_A_SERVER: &[&str] = &["services primary key (id)"];

/// Tables that check a word against a list when a row is written: seldom, or beside a call to the payment provider.
const SLOW_TO_FILL: &[&str] = &[
    "payments",
    "sandbox_refunds",
    "fee_rules",
    "disputes",
    "sandbox_chargebacks",
    "webhook_inbox",
    "payout_accounts",
    "payout_settings",
    "payouts",
    "payout_items",
    "chargebacks",
];

/// The tables of the specification.
const SPECIFIED: &[&str] =
    &["users", "profiles", "services", "orders", "payments", "notifications", "reviews"];

/// What `deploy/postgres/read-only-role.sql` keeps from analysts.
const HIDDEN: &[&str] = &[
    "access_tokens",
    "commits",
    "idempotency_keys",
    "known_addresses",
    "login_throttles",
    "nodes",
    "refresh_tokens",
    "sandbox_accounts",
    "sandbox_chargebacks",
    "sandbox_charges",
    "sandbox_events",
    "sandbox_knobs",
    "sandbox_refunds",
    "sandbox_transfers",
    "schema_migrations",
    "service_search",
    "sessions",
    "settings",
    "timers",
    "webhook_inbox",
];

/// A schema as sentences, each about one thing, in the words of PostgreSQL.
type Sentences = BTreeSet<String>;

fn is_shared(table: &str) -> bool {
    !OF_AN_ENGINE.iter().any(|own| table == *own || table.starts_with(&format!("{own}_")))
}

async fn migrated(home: &Home) {
    let db = Db::open(&home.config().place(), Default::default(), Wiring::default()).unwrap();
    db.migrate().await.unwrap();
}

/// A migrated database on the server of the tests, if there is one.
async fn on_a_server() -> Option<(Home, Server)> {
    let home = Home::empty();
    let url = home.database_url()?.to_owned();
    migrated(&home).await;
    Some((home, Server::at(&url).await))
}

async fn embedded() -> (Home, Embedded) {
    let home = Home::embedded();
    migrated(&home).await;
    let embedded = Embedded::at(&home.config().database_file());
    (home, embedded)
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let (_file, embedded) = embedded().await;
    let mut of_embedded = embedded.sentences();
    assert!(of_embedded.contains("orders.buyer_id -> users.id"), "the schema was not read");
    for own in ONLY_EMBEDDED {
        assert!(of_embedded.remove(*own), "{own}: no longer a difference");
    }
    let Some((_database, server)) = on_a_server().await else { return };
    let mut of_server = server.sentences().await;
    for own in ONLY_ON_A_SERVER {
        assert!(of_server.remove(*own), "{own}: no longer a difference");
    }
    let differences: Vec<String> = of_embedded
        .difference(&of_server)
        .map(|only| format!("embedded only: {only}"))
        .chain(of_server.difference(&of_embedded).map(|only| format!("on a server only: {only}")))
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// A server is given the embedded engine's conditions and asked how it would spell them: as it spells its own.
#[tokio::test]
async fn both_engines_check_and_index_the_same() {
    let Some((_database, mut server)) = on_a_server().await else { return };
    let (_file, embedded) = embedded().await;
    let mut differences = server.differing_checks(&embedded.checks()).await;
    differences.extend(server.differing_indexes(&embedded.indexes()).await);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// SQLite builds a list of more than two words anew for each row; written out as `or` it compares.
#[tokio::test]
async fn what_is_written_often_is_checked_without_building_lists() {
    let (_file, embedded) = embedded().await;
    assert_eq!(embedded.slow_to_fill(), SLOW_TO_FILL);
}

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    let (_file, embedded) = embedded().await;
    let server = on_a_server().await;
    let mut misunderstood = Vec::new();
    let mut tried = 0;
    for source in tidy::sources().iter().filter(|source| !source.path.starts_with("db/")) {
        for sql in tidy::statements(source.code()).into_iter().filter(|sql| tidy::is_whole(sql)) {
            tried += 1;
            let path = &source.path;
            if let Err(why) = embedded.prepare(&sql) {
                misunderstood.push(format!("{path}: embedded: {why}: {sql}"));
            }
            if let Some((_, server)) = &server
                && let Err(why) = server.prepare(&sql).await
            {
                misunderstood.push(format!("{path}: on a server: {why}: {sql}"));
            }
        }
    }
    assert!(tried > 100, "the statements were not found");
    assert!(misunderstood.is_empty(), "{misunderstood:#?}");
}

#[tokio::test]
async fn text_in_an_index_does_not_depend_on_the_servers_collations() {
    let Some((_database, server)) = on_a_server().await else { return };
    let dependent = server
        .texts(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid,
                 unnest(i.indcollation) as collation_id
             where c.relnamespace = 'public'::regnamespace and collation_id not in (0, 'pg_catalog.\"C\"'::regcollation)",
        )
        .await;
    assert!(dependent.is_empty(), "write collate \"C\" at the columns of {dependent:?}");
}

#[tokio::test]
async fn tables_tell_an_analyst_what_they_are() {
    let Some((_database, server)) = on_a_server().await else { return };
    let silent = server
        .texts(
            "select relname::text from pg_class
             where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'schema_migrations'
                 and obj_description(oid, 'pg_class') is null",
        )
        .await;
    assert!(silent.is_empty(), "tables without a comment: {silent:?}");
    let described = server
        .texts(
            "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0
                 and col_description(c.oid, a.attnum) is null",
        )
        .await;
    let silent: Vec<&String> =
        described.iter().filter(|column| SPECIFIED.contains(&column.split('.').next().unwrap())).collect();
    assert!(silent.is_empty(), "columns without a comment: {silent:?}");
}

#[tokio::test]
async fn every_table_is_granted_to_analysts_or_hidden_from_them() {
    let Some((_database, server)) = on_a_server().await else { return };
    let script = std::fs::read_to_string(tidy::root().join("deploy/postgres/read-only-role.sql")).unwrap();
    let code: String =
        script.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ");
    let mut listed: Vec<String> = HIDDEN.iter().map(|table| (*table).to_owned()).collect();
    for grant in code.split(';').filter_map(|statement| statement.trim().strip_prefix("grant select ")) {
        let (_, tables) = grant.split_once("on ").unwrap();
        let (tables, _) = tables.split_once(" to ").unwrap();
        listed.extend(tables.split(',').map(|table| table.trim().to_owned()));
    }
    listed.sort();
    let tables = server
        .texts("select tablename::text from pg_tables where schemaname = 'public' order by tablename collate \"C\"")
        .await;
    assert_eq!(listed, tables, "grant it in deploy/postgres/read-only-role.sql, or list it as hidden");
}

/// The queries of the page for analysts, as they stand there.
#[tokio::test]
async fn what_analysts_are_shown_to_ask_is_answered() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (_, sent) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    app.settle().await;
    app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await, "on its way");
    app.charge_back(&sent, 1_000, ChargebackStatus::Lost).await;
    let page = std::fs::read_to_string(tidy::root().join("docs/database.md")).unwrap();
    let asked: Vec<&str> = page
        .split("```sql\n")
        .filter_map(|block| block.split_once("```").map(|(sql, _)| sql.trim_end().trim_end_matches(';')))
        .filter(|sql| sql.starts_with("select"))
        .collect();
    assert_eq!(asked.len(), 3);
    let owed = format!("select username, cast(owed_minor as bigint) from ({}) as asked", asked[1]);
    let owed: Vec<(String, i64)> =
        app.write(move |tx| tx.all(&owed, params![], |row| Ok((row.next()?, row.next()?)))).await;
    assert_eq!(owed, [("seller".to_owned(), 4_491 - 900)], "on its way, less the debt");
    if let Some(url) = app.home.database_url() {
        let server = Server::at(url).await;
        for sql in asked {
            server.prepare(sql).await.unwrap();
        }
    }
    app.settle().await;
}

#[tokio::test]
async fn prices_show_the_digits_of_their_currency() {
    let app = TestApp::new().await;
    let shown: Vec<(Money, String)> = app
        .write(|tx| {
            tx.execute(
                "insert into users (id, role, status, created_at, updated_at) values ($1, 'both', 'deleted', $2, $2)",
                params![tx.new_id::<()>(), tx.now()],
            )?;
            for code in Currency::codes() {
                tx.execute(
                    "insert into services (id, freelancer_id, title, description, category, category_folded, price_minor,
                         currency, delivery_days, status, listed, created_at, updated_at)
                     select $1, id, 'a', 'b', 'c', 'c', 1230, $2, 7, 'draft', false, $3, $3 from users",
                    params![tx.new_id::<()>(), *code, tx.now()],
                )?;
            }
            tx.all("select price_minor, currency, cast(price as text) from services", params![], |row| {
                Ok((Money::new(row.next()?, row.next()?), row.next()?))
            })
        })
        .await;
    assert_eq!(shown.len(), Currency::codes().len());
    for (price, shown) in shown {
        assert_eq!(shown, price.to_string(), "{}", price.currency());
    }
}
