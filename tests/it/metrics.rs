//! What `/metrics` promises of itself.

use std::collections::BTreeSet;

use guildhall::cli::exposition;

use crate::tidy::sources;

/// The names that a Rust text gives to the macros which record.
fn recorded(text: &str) -> BTreeSet<String> {
    ["counter!(", "gauge!(", "histogram!("]
        .iter()
        .flat_map(|opening| text.split(opening).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn every_metric_is_described_once() {
    let described: BTreeSet<&str> = exposition::names().collect();
    assert_eq!(described.len(), exposition::names().count(), "a name is described twice");
    let recorded: BTreeSet<String> = sources().iter().flat_map(|source| recorded(source.code())).collect();
    assert!(
        recorded.contains("reconciliation_differences"),
        "what stands on a line of its own was not found"
    );
    let silent: Vec<&String> = recorded.iter().filter(|name| !described.contains(name.as_str())).collect();
    assert!(silent.is_empty(), "describe these in src/cli/exposition.rs: {silent:?}");
}
