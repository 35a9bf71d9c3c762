//! What this process tells of the sessions it fails. The names are described in `telemetry`.

use failure_classification::Classified;
use metrics::counter;

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
