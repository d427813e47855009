//! What `/metrics` shows: every metric by name, with its unit and what it says, and how durations fall into buckets.

use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

const REQUEST_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COMMIT_JOBS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// How often recorded samples are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// A metric's name, what it counts in, and what it says.
type Described = (&'static str, Unit, &'static str);

/// Counters without labels. They stand at zero from the start: of one that begins with its first event Prometheus sees no
/// increase.
const COUNTERS: &[Described] = &[
    ("db_batches_rerun_total", Unit::Count, "Batches of writes to the embedded database that ran twice"),
    ("db_commit_failures_total", Unit::Count, "Batches of writes that the embedded database did not commit"),
    ("db_connections_opened_total", Unit::Count, "Connections that were opened to the database's server"),
    ("db_reruns_total", Unit::Count, "Transactions that ran again: overtaken by others, or cut off"),
    ("db_unknown_commits_total", Unit::Count, "Commits whose outcome stayed unknown"),
    ("log_lines_lost_total", Unit::Count, "Lines about answers that nobody read fast enough"),
    ("nodes_buried_total", Unit::Count, "Other nodes that this one found dead and freed the leases of"),
    ("panics_total", Unit::Count, "Requests and transactions that panicked, which is a bug"),
    (
        "payments_captured_after_failure_total",
        Unit::Count,
        "Charges that succeeded after their payment failed",
    ),
    ("payout_items_returned_total", Unit::Count, "Orders' parts of payouts that came back"),
    ("webhooks_given_up_total", Unit::Count, "Events of the payment provider about what is not known here"),
];

/// Each begins with the first event that has its labels.
const LABELLED_COUNTERS: &[Described] = &[
    ("cases_opened_total", Unit::Count, "Cases that wait for a person, by kind"),
    (
        "db_replica_reads_total",
        Unit::Count,
        "Reads that a replica served, or why the primary had to, by outcome",
    ),
    ("http_requests_total", Unit::Count, "Answered requests, by method, route and status"),
    ("provider_calls_total", Unit::Count, "Calls to the payment provider, by call and outcome"),
    ("timers_postponed_total", Unit::Count, "Timers whose work failed and is tried again later, by kind"),
    (
        "webhooks_received_total",
        Unit::Count,
        "Events of the payment provider, by what became of them at the door",
    ),
];

/// Each stands from its first measurement on, in the process that measured.
const GAUGES: &[Described] = &[
    ("db_available", Unit::Count, "1 while the database's server takes writes, else 0"),
    (
        "db_replica_available",
        Unit::Count,
        "1 while the replica answers, else 0, as for one that is the primary now",
    ),
    (
        "db_replica_lag_seconds",
        Unit::Seconds,
        "How far the replica is behind the primary; 0 for one that is the primary now",
    ),
    (
        "invariant_violations",
        Unit::Count,
        "What the last hourly check found broken, 20 at most, by invariant",
    ),
    ("invariants_checked_timestamp_seconds", Unit::Seconds, "When this process last checked every invariant"),
    ("nodes", Unit::Count, "Processes on this database that are alive, this one included"),
    (
        "payment_provider_misconfigured",
        Unit::Count,
        "1 while the payment provider accepts no key of ours, else 0",
    ),
    (
        "reconciled_timestamp_seconds",
        Unit::Seconds,
        "When this process last compared the books with the provider's",
    ),
    (
        "reconciliation_differences",
        Unit::Count,
        "What this process's last comparison with the provider found",
    ),
];

const HISTOGRAMS: &[Described] = &[
    ("db_commit_jobs", Unit::Count, "Writes that shared one commit of the embedded database"),
    ("http_request_seconds", Unit::Seconds, "From a request's head to its answer's, by route"),
];

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    [COUNTERS, LABELLED_COUNTERS, GAUGES, HISTOGRAMS].into_iter().flatten().map(|(name, ..)| *name)
}

/// Begins to record; once in a process.
pub(super) fn record() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("http_request_seconds".to_owned()), REQUEST_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("db_commit_jobs".to_owned()), COMMIT_JOBS)?
        .install_recorder()?;
    describe();
    let kept = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            kept.run_upkeep();
        }
    });
    Ok(handle)
}

fn describe() {
    for (name, unit, text) in [COUNTERS, LABELLED_COUNTERS].into_iter().flatten() {
        metrics::describe_counter!(*name, *unit, *text);
    }
    for (name, unit, text) in GAUGES {
        metrics::describe_gauge!(*name, *unit, *text);
    }
    for (name, unit, text) in HISTOGRAMS {
        metrics::describe_histogram!(*name, *unit, *text);
    }
    for (name, ..) in COUNTERS {
        metrics::counter!(*name).absolute(0);
    }
}
