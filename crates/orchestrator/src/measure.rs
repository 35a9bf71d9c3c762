//! What this process tells of the sessions it fails. The names are described in `telemetry`.

use failure_classification::{Classified, FailureCode};
use metrics::counter;

/// Begins what alerts look at with nothing: an increase is only seen of what was there before.
pub(crate) fn begin(sweeps: impl IntoIterator<Item = &'static str>) {
    for sweep in sweeps {
        counter!("carrel_sweeps_refused_total", "sweep" => sweep).increment(0);
    }
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
