//! A line that shows how far an operation is, where a person looks.

use command_line::{ProgressLine, bar};

use crate::OperationRecord;

/// One line on stderr, written over and over; nothing where stderr is no terminal.
#[derive(Debug, Default)]
pub(super) struct Progress(ProgressLine);

impl Progress {
    pub(super) fn show(&mut self, operation: &OperationRecord) {
        self.0.show(&line(operation));
    }

    pub(super) fn end(&self) {
        self.0.end();
    }
}

fn line(operation: &OperationRecord) -> String {
    let looked_at = operation.changed + operation.skipped_total();
    let matched = operation.matched;
    let count = |number: i64| usize::try_from(number).unwrap_or_default();
    let bar = bar(count(looked_at), count(matched));
    let rate = operation.jobs_per_second().unwrap_or(0.0);
    let eta = operation.eta_seconds();
    let eta = eta.map_or_else(String::new, |eta| format!(", {eta:.0} s left"));
    format!("{bar} {looked_at} of {matched}, {rate:.0}/s{eta}")
}
