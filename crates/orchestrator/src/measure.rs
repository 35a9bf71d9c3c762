//! What this process tells of the sessions it fails. The names are described in `telemetry`.

use std::time::{SystemTime, UNIX_EPOCH};

use cleanup_ttl::{PseudonymCounts, RecordCounts};
use failure_classification::{Classified, FailureCode};
use metrics::{counter, gauge};

/// Whose old rows are counted as they go.
const RECORD_TABLES: [&str; 3] = ["access_log", "idempotency_keys", "session_recordings"];

/// Begins what alerts look at with nothing: an increase is only seen of what was there before.
pub(crate) fn begin(sweeps: impl IntoIterator<Item = &'static str>) {
    for sweep in sweeps {
        counter!("carrel_sweeps_refused_total", "sweep" => sweep).increment(0);
        // One that fails from its first tick on is to be seen as well.
        gauge!("carrel_sweep_succeeded_timestamp_seconds", "sweep" => sweep).set(0.0);
    }
    for table in RECORD_TABLES {
        counter!("carrel_records_removed_total", "table" => table).increment(0);
    }
    pseudonymised(&PseudonymCounts::default());
    counter!("carrel_teardowns_forced_total").increment(0);
    let unclassified = FailureCode::InfraUnclassified;
    counter!(
        "carrel_session_failures_total",
        "class" => unclassified.class().as_str(), "code" => unclassified.as_str(),
    )
    .increment(0);
}

/// Counts a session that was failed. To be called after the commit.
pub(crate) fn session_failed(classified: &Classified) {
    let (class, code) = (classified.rule.class, classified.code());
    counter!(
        "carrel_session_failures_total",
        "class" => class.as_str(), "code" => code.as_str(),
    )
    .increment(1);
}

/// Counts a sweep that did not do its work since its plan looked wrong.
pub(crate) fn sweep_refused(sweep: &'static str) {
    counter!("carrel_sweeps_refused_total", "sweep" => sweep).increment(1);
}

/// Counts rows whose candidate got another name.
pub(crate) fn pseudonymised(rows: &PseudonymCounts) {
    for (table, rows) in rows.by_table() {
        counter!("carrel_records_pseudonymised_total", "table" => table).increment(rows);
    }
}

/// Counts an environment that was deleted without grace because its destruction hung.
pub(crate) fn teardown_forced() {
    counter!("carrel_teardowns_forced_total").increment(1);
}

/// Says that a sweep did its work now, by this process's clock.
pub(crate) fn sweep_succeeded(sweep: &'static str) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0.0, |since| since.as_secs_f64());
    gauge!("carrel_sweep_succeeded_timestamp_seconds", "sweep" => sweep).set(seconds);
}

/// Counts old records that are gone.
pub(crate) fn records_removed(removed: &RecordCounts) {
    let each = [
        removed.access_log,
        removed.idempotency_keys,
        removed.recordings,
    ];
    for (table, rows) in RECORD_TABLES.into_iter().zip(each) {
        counter!("carrel_records_removed_total", "table" => table).increment(rows);
    }
}
