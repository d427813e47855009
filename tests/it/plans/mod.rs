//! A lost index fails a test. The real operations are asked for every list in every shape, first page and later ones, and
//! the events worker for what it does by itself; `Db::overheard` tells which statements that took, and each engine how it
//! would answer them out of tables that may be of any size. What it says is kept in `snapshots/`, and must keep the rules:
//! nothing is sorted that an index could have in order, nothing reads the whole of a table that grows, and a later page
//! begins at its cursor. What breaks one is listed with its reason; the list may only shrink.
//!
//! Nothing is forgotten: lists are compared with the table of operations, and what was heard with the statements that stand
//! in the sources. After a change that is meant, `INSTA_UPDATE=always scripts/test plans` writes the snapshots anew.

mod embedded;
mod exceptions;
mod plan;
mod server;
mod statement;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;

use guildhall::app;
use guildhall::db::{Db, Statement, Wiring};
use guildhall::http::Operation;

use crate::support::Home;
use crate::tidy;
use exceptions::Found;
use plan::{Plan, Planner};
pub use statement::flat;
use statement::{brief, is_list};
use world::{LISTS, World};

pub async fn migrate(home: &Home) {
    let db = Db::open(&home.config().place(), Default::default(), Wiring::default()).unwrap();
    db.migrate().await.unwrap();
}

/// Whether `target` asks for this operation.
fn is_asked(operation: &Operation, target: &str) -> bool {
    let path = target.split('?').next().unwrap();
    let (asked, known): (Vec<&str>, Vec<&str>) =
        (path.split('/').collect(), operation.path.split('/').collect());
    asked.len() == known.len()
        && asked.iter().zip(known).all(|(asked, known)| *asked == known || known.starts_with('{'))
}

#[test]
fn every_list_and_every_filter_of_it_is_asked() {
    let mut missing = Vec::new();
    for operation in app::operations() {
        let mut params: BTreeSet<&str> = operation.query.iter().map(|param| param.name).collect();
        if !params.remove("cursor") {
            continue;
        }
        params.remove("limit");
        let asked: Vec<&str> =
            LISTS.iter().map(|(_, target)| *target).filter(|target| is_asked(&operation, target)).collect();
        let filters =
            asked.iter().filter_map(|target| target.split_once('?')).flat_map(|(_, query)| query.split('&'));
        for filter in filters {
            params.remove(filter.split('=').next().unwrap());
        }
        if asked.is_empty() {
            missing.push(operation.path.to_owned());
        }
        missing.extend(params.iter().map(|param| format!("{}?{param}", operation.path)));
    }
    assert!(missing.is_empty(), "add them to LISTS: {missing:#?}");
}

/// A statement and how it is answered, for a snapshot.
fn show(text: &mut String, label: &str, statement: &Statement, plan: &Plan) {
    writeln!(text, "  {label}{}", brief(&statement.sql)).unwrap();
    for line in plan.text.lines() {
        writeln!(text, "    {line}").unwrap();
    }
}

/// Parts of the program that read whole tables on purpose, or that no request and no timer comes to.
const ELSEWHERE: &[&str] = &["cli/", "db/", "demo/", "moving/", "test_clock.rs", "verify/"];

/// The statements of the sources that were not heard: those that stand there whole, and the beginnings or patterns that
/// nothing which was heard fits.
fn unheard(heard: &BTreeSet<Statement>) -> (Vec<Statement>, Vec<String>) {
    let heard: BTreeSet<String> = heard.iter().map(|asked| flat(&asked.sql).to_lowercase()).collect();
    let (mut whole, mut unfitting) = (Vec::new(), Vec::new());
    for source in tidy::sources() {
        if ELSEWHERE.iter().any(|part| source.path.starts_with(part)) {
            continue;
        }
        for sql in tidy::statements(source.code()) {
            if heard.iter().any(|asked| statement::fits(asked, &sql)) {
                continue;
            }
            match tidy::is_whole(&sql) {
                true => whole.push(Statement { sql, types: Vec::new() }),
                false => unfitting.push(format!("{}: {sql}", source.path)),
            }
        }
    }
    (whole, unfitting)
}

/// The lists of the API, page by page; what was heard meanwhile goes to `heard`.
async fn look_at_lists(world: &World, found: &mut Found<'_>, heard: &mut BTreeSet<Statement>) -> String {
    let mut text = String::new();
    for list in world.lists().await {
        writeln!(text, "{}", list.name).unwrap();
        for statement in list.first.iter().filter(|statement| is_list(&statement.sql)) {
            let plan = found.planner.plan(statement).await;
            show(&mut text, "first page: ", statement, &plan);
            found.look(&list.name, &statement.sql, &plan);
        }
        // Where both are one statement, the first page is what lies below the highest key.
        let behind: Vec<&Statement> = match list.later.difference(&list.first).collect::<Vec<_>>() {
            same if same.is_empty() => list.later.iter().collect(),
            others => others,
        };
        for statement in behind.into_iter().filter(|statement| is_list(&statement.sql)) {
            let plan = found.planner.plan(statement).await;
            show(&mut text, "later page: ", statement, &plan);
            let name = format!("a later page of {}", list.name);
            found.look(&name, &statement.sql, &plan);
            found.look_at_later(&name, &statement.sql, &plan);
        }
        heard.extend(list.first);
        heard.extend(list.later);
    }
    text
}

/// Every statement that was heard, and those of the sources that were not.
pub async fn every_statement() -> BTreeSet<Statement> {
    let world = World::new().await;
    let mut statements: BTreeSet<Statement> =
        world.lists().await.into_iter().flat_map(|list| list.first.into_iter().chain(list.later)).collect();
    statements.extend(world.everything_else().await);
    let (whole, _) = unheard(&statements);
    statements.extend(whole);
    statements
}

#[tokio::test]
async fn every_statement_is_answered_by_an_index_as_before() {
    let world = World::new().await;
    let planner = Planner::new().await;
    let mut found = Found::new(&planner);
    let mut statements = BTreeSet::new();
    let lists = look_at_lists(&world, &mut found, &mut statements).await;
    let listed = statements.clone();
    statements.extend(world.everything_else().await);
    let (whole, unfitting) = unheard(&statements);
    assert!(unfitting.is_empty(), "nobody asked for these, so the world must: {unfitting:#?}");
    statements.extend(whole);
    let mut unused: BTreeSet<String> = planner.indexes().await.into_iter().collect();
    assert!(!unused.is_empty(), "the indexes were not found");
    let mut others = BTreeSet::new();
    for statement in &statements {
        let plan = planner.plan(statement).await;
        for walk in &plan.walks {
            if let Some(index) = &walk.index {
                unused.remove(index);
            }
        }
        if listed.contains(statement) && is_list(&statement.sql) {
            continue;
        }
        found.look("the program", &statement.sql, &plan);
        if is_list(&statement.sql) {
            let mut text = String::new();
            show(&mut text, "", statement, &plan);
            others.insert(text);
        }
    }
    found.look_at_unused(unused);
    found.report();
    if let Some(engine) = planner.name() {
        insta::assert_snapshot!(format!("lists_{engine}"), lists);
        insta::assert_snapshot!(format!("others_{engine}"), others.into_iter().collect::<String>());
    }
}
