//! The metrics of the queue. Labels are kinds and words of this crate, never ids.

use std::time::Duration;

use metrics::{counter, histogram};

use crate::JobState;

pub(crate) fn claimed(kind: &'static str, waited: Duration) {
    counter!("carrel_jobs_claimed_total", "kind" => kind).increment(1);
    histogram!("carrel_job_wait_seconds", "kind" => kind).record(waited.as_secs_f64());
}

pub(crate) fn finished(kind: &'static str, outcome: &'static str, took: Duration) {
    counter!("carrel_jobs_finished_total", "kind" => kind, "outcome" => outcome).increment(1);
    histogram!("carrel_job_run_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// Counts a job, where the end of a run was its own.
pub(crate) fn ended(kind: &'static str, state: JobState) {
    if state == JobState::Dead {
        counter!("carrel_jobs_dead_total", "kind" => kind).increment(1);
    }
}

/// Begins what an alert looks at with nothing: an increase is only seen of what was there before.
pub(crate) fn begin() {
    counter!("carrel_jobs_crash_parked_total").increment(0);
    counter!("carrel_jobs_unhandled_total").increment(0);
}

pub(crate) fn stale(kind: &'static str) {
    counter!("carrel_jobs_stale_total", "kind" => kind).increment(1);
}

pub(crate) fn leases_lost(count: usize) {
    counter!("carrel_job_leases_lost_total").increment(count as u64);
}

pub(crate) fn parked() {
    counter!("carrel_jobs_crash_parked_total").increment(1);
}

pub(crate) fn unhandled(count: u64) {
    counter!("carrel_jobs_unhandled_total").increment(count);
}

pub(crate) fn looked(cause: &'static str) {
    counter!("carrel_job_looks_total", "cause" => cause).increment(1);
}

pub(crate) fn exchange_failed() {
    counter!("carrel_job_exchange_failures_total").increment(1);
}
