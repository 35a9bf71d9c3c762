//! A line that shows how far an operation is, where a person looks.

use std::io::{self, IsTerminal as _, Write as _};

use crate::OperationRecord;

const WIDTH: i64 = 30;

/// One line on stderr, written over and over; nothing where stderr is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    is_seen: bool,
    is_open: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
            is_open: false,
        }
    }
}

impl Progress {
    pub(super) fn show(&mut self, operation: &OperationRecord) {
        if !self.is_seen {
            return;
        }
        self.is_open = true;
        // A terminal that is gone does not end the watching.
        write!(io::stderr(), "\r{}\x1b[K", line(operation)).ok();
    }

    pub(super) fn end(&self) {
        if self.is_open {
            writeln!(io::stderr()).ok();
        }
    }
}

fn line(operation: &OperationRecord) -> String {
    let looked_at = operation.changed + operation.skipped_total();
    let matched = operation.matched.max(1);
    let full = usize::try_from((looked_at * WIDTH / matched).clamp(0, WIDTH)).unwrap_or(0);
    let bar = format!("{:<30}", "#".repeat(full));
    let rate = operation.jobs_per_second().unwrap_or(0.0);
    let eta = operation.eta_seconds();
    let eta = eta.map_or_else(String::new, |eta| format!(", {eta:.0} s left"));
    format!("[{bar}] {looked_at} of {matched}, {rate:.0}/s{eta}")
}
