//! The tables of `docs/money.md` say what the code says.

use std::fmt::{Display, Write};

use guildhall::ledger::{AccountKind, JOURNALS, Sign};
use guildhall::orders::{EDGES, When};
use guildhall::{disputes, payments, payouts};

use crate::tidy::root;

/// Writes the tables anew instead of comparing them.
const WRITE: &str = "GUILDHALL_WRITE_DOCS";

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = line(&head);
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
    text.extend(rows.into_iter().map(|row| line(&row)));
    text
}

fn accounts() -> String {
    let sign = |kind: AccountKind| match kind.sign() {
        Sign::Positive => "never below zero",
        Sign::Negative => "never above zero",
        Sign::Any => "any",
    };
    let row = |kind: &AccountKind| {
        vec![format!("`{}`", kind.written()), kind.about().to_owned(), sign(*kind).to_owned()]
    };
    table(&["account", "holds", "balance"], AccountKind::ALL.iter().map(row))
}

fn journals() -> String {
    let names = |kinds: &[AccountKind]| match kinds.len() == AccountKind::ALL.len() {
        true => "any".to_owned(),
        false => kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", "),
    };
    let rows = JOURNALS.iter().map(|kind| {
        vec![
            format!("`{}`", kind.name),
            names(kind.from),
            names(kind.to),
            kind.when.to_owned(),
            kind.cause.to_owned(),
        ]
    });
    table(&["journal", "from", "to", "when", "once for each"], rows)
}

fn orders() -> String {
    let mut steps: Vec<(String, String, Vec<String>)> = Vec::new();
    for edge in EDGES {
        let who = match edge.when {
            When::Always => edge.by.to_string(),
            When::Late => format!("{} when it is late", edge.by),
        };
        let (from, to) = (format!("`{}`", edge.from), format!("`{}`", edge.to));
        match steps.iter_mut().find(|step| (&step.0, &step.1) == (&from, &to)) {
            Some((.., sides)) => sides.push(who),
            None => steps.push((from, to, vec![who])),
        }
    }
    table(&["from", "to", "by"], steps.into_iter().map(|(from, to, by)| vec![from, to, by.join(", ")]))
}

fn states() -> String {
    fn words<T: Display>(all: &[T]) -> String {
        all.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    }
    let rows = [
        ("payment", words(payments::Status::ALL)),
        ("refund", words(payments::MovementStatus::ALL)),
        ("chargeback", words(payments::ChargebackStage::ALL)),
        ("dispute", words(disputes::Status::ALL)),
        ("payout account", words(payouts::AccountStatus::ALL)),
        ("payout", words(payouts::Status::ALL)),
        ("part of a payout", words(payouts::ItemStatus::ALL)),
    ];
    table(&["of a", "states"], rows.into_iter().map(|(what, words)| vec![what.to_owned(), words]))
}

#[test]
fn the_tables_of_the_documentation_are_those_of_the_code() {
    let path = root().join("docs/money.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut written = text.clone();
    for (name, table) in
        [("accounts", accounts()), ("journals", journals()), ("orders", orders()), ("states", states())]
    {
        let mark = format!("<!-- generated: {name} -->\n");
        let (before, rest) = written.split_once(&mark).unwrap_or_else(|| panic!("no mark for {name}"));
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        written = format!("{before}{mark}{table}<!-- end -->{after}");
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, written).unwrap();
    } else {
        assert!(text == written, "docs/money.md is behind the code: run this test with {WRITE}=1");
    }
}
