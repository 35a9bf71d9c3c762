//! An operation as a document and in words.

use serde_json::{Value, json};

use crate::{OperationRecord, WhyNotRunning};

/// An operation with what follows from its row.
pub(in crate::cli) fn describe(operation: &OperationRecord) -> Value {
    let mut data = json!(operation);
    data["state"] = json!(operation.state());
    data["skipped_total"] = json!(operation.skipped_total());
    data["passed_over"] = json!(operation.passed_over());
    data["jobs_per_second"] = json!(operation.jobs_per_second());
    data["eta_seconds"] = json!(operation.eta_seconds());
    data
}

/// An operation in words, and where to look on.
pub(in crate::cli) fn told(operation: &OperationRecord, why: &[WhyNotRunning]) -> String {
    let skipped = operation.skipped.as_object().into_iter().flatten();
    let skipped = skipped.map(|(reason, count)| format!("{count} skipped: {reason}"));
    let passed = operation.passed_over();
    let passed = (passed > 0).then(|| format!("{passed} had changed or gone before"));
    let error = operation
        .error
        .iter()
        .map(|error| format!("failed: {error}"));
    let is_abandoned = why
        .iter()
        .any(|reason| matches!(reason, WhyNotRunning::Ended { .. }));
    let why = why.iter().map(|reason| format!("not running: {reason}"));
    let (id, eta) = (operation.id, operation.eta_seconds());
    let eta = eta.map(|eta| format!("done in about {eta:.0} s"));
    let next = (!operation.has_ended()).then(|| match operation.job_id {
        Some(job) if is_abandoned => format!(
            "its own job has ended; go on with: carrel jobs retry {job}, or end it with: carrel \
             ops cancel {id}"
        ),
        _ => format!("it goes on by itself; watch it with: carrel ops wait {id}"),
    });
    let lines = [summary(operation)].into_iter().chain(skipped);
    let lines = lines.chain(passed).chain(error);
    let lines = lines.chain(eta).chain(why).chain(next);
    lines.collect::<Vec<_>>().join("\n")
}

fn summary(operation: &OperationRecord) -> String {
    let OperationRecord {
        id,
        verb,
        matched,
        changed,
        actor,
        ..
    } = operation;
    let state = operation.state().as_str();
    format!("operation {id}: {verb} by {actor}, {state}, {changed} of {matched} changed")
}
