//! The metrics of the queue. Labels are kinds and words of this crate, never ids.
//!
//! Where `OpenTelemetry` has a name for what one of them tells, the same function tells that as well.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge, histogram};

use crate::{JobKind, JobState, outcome::StoredOutcome, run::Ended};

/// A class longer than this is a sentence.
const CLASS_LIMIT: usize = 64;
/// What stands for a class that is not a word.
const OTHER: &str = "other";
/// The same in `OpenTelemetry`'s conventions.
const OTHER_ERROR: &str = "_OTHER";
/// What those conventions call this queue.
const SYSTEM: &str = "carrel";

pub(crate) fn claimed(kind: &'static str, queue: &Arc<str>, waited: Duration) {
    counter!("carrel_jobs_claimed_total", "kind" => kind).increment(1);
    counter!(
        "messaging_client_consumed_messages_total",
        "messaging_system" => SYSTEM, "messaging_destination_name" => queue.clone(),
        "messaging_operation_name" => "claim",
    )
    .increment(1);
    histogram!("carrel_job_wait_seconds", "kind" => kind).record(waited.as_secs_f64());
}

/// Tells how long a run took, whatever becomes of its end.
pub(crate) fn ran(ended: &Ended, took: Duration) {
    let context = &ended.context;
    histogram!("carrel_job_run_seconds", "kind" => context.kind.0).record(took.as_secs_f64());
    histogram!(
        "messaging_process_duration_seconds",
        "messaging_system" => SYSTEM, "messaging_destination_name" => context.queue.clone(),
        "messaging_operation_name" => "run", "error_type" => error_type(ended.class()).to_owned(),
    )
    .record(took.as_secs_f64());
}

/// Counts a run's end that the table has taken, and its job where that was the job's own.
pub(crate) fn ended(kind: &'static str, outcome: &StoredOutcome, state: JobState) {
    let became = became(outcome.verb, state);
    counter!("carrel_jobs_finished_total", "kind" => kind, "outcome" => became).increment(1);
    if became == "retry" {
        let class = bounded(outcome.class.as_deref());
        counter!("carrel_job_retries_total", "class" => class.to_owned()).increment(1);
    }
    dead(kind, state);
}

/// What a run's end made of its job: the last retry leaves it dead, and a cancelled one is not tried again.
const fn became(verb: &'static str, state: JobState) -> &'static str {
    match state {
        JobState::Ready => verb,
        _ => state.as_str(),
    }
}

/// Counts a job that is dead now.
pub(crate) fn dead(kind: &'static str, state: JobState) {
    if state == JobState::Dead {
        counter!("carrel_jobs_dead_total", "kind" => kind).increment(1);
    }
}

/// A class is a short word by its contract; a sentence in its place would be a series of its own.
fn bounded(class: Option<&str>) -> &str {
    class.filter(|class| is_word(class)).unwrap_or(OTHER)
}

fn is_word(class: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'.' | b'-');
    !class.is_empty() && class.len() <= CLASS_LIMIT && class.bytes().all(fits)
}

/// The class as the conventions have it. Where nothing failed they want no label, and to Prometheus an
/// empty one is none.
fn error_type(class: Option<&str>) -> &str {
    class.map_or("", |class| if is_word(class) { class } else { OTHER_ERROR })
}

/// Begins what an alert looks at with nothing: an increase is only seen of what was there before.
pub(crate) fn begin(kinds: impl Iterator<Item = JobKind>) {
    for kind in kinds {
        counter!("carrel_jobs_dead_total", "kind" => kind.0).increment(0);
    }
    counter!("carrel_jobs_crash_parked_total").increment(0);
    counter!("carrel_jobs_unhandled_total").increment(0);
    counter!("carrel_job_leases_lost_total").increment(0);
    counter!("carrel_job_exchange_failures_total").increment(0);
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

pub(crate) fn undecodable(kind: &'static str) {
    counter!("carrel_job_decode_errors_total", "kind" => kind).increment(1);
}

pub(crate) fn looked(cause: &'static str) {
    counter!("carrel_job_looks_total", "cause" => cause).increment(1);
}

pub(crate) fn exchange_failed() {
    counter!("carrel_job_exchange_failures_total").increment(1);
}

/// Tells of a statement that claimed: how long it took, and how many it brought if it did.
#[expect(
    clippy::cast_precision_loss,
    reason = "a claim is no larger than the slots"
)]
pub(crate) fn claim_answered(took: Duration, jobs: usize) {
    histogram!("carrel_job_claim_seconds").record(took.as_secs_f64());
    histogram!(
        "messaging_client_operation_duration_seconds",
        "messaging_system" => SYSTEM, "messaging_operation_name" => "claim",
    )
    .record(took.as_secs_f64());
    if jobs > 0 {
        histogram!("carrel_job_claim_batch_jobs").record(jobs as f64);
    }
}

/// Tells how long a run's end waited for its answer, its slot taken all the while.
pub(crate) fn end_answered(waited: Duration) {
    histogram!("carrel_job_ack_flush_seconds").record(waited.as_secs_f64());
}

/// Tells how late a heartbeat was answered.
pub(crate) fn beat(late: Duration) {
    histogram!("carrel_job_beat_lag_seconds").record(late.as_secs_f64());
}

pub(crate) fn notified() {
    counter!("carrel_job_notifications_sent_total").increment(1);
}

pub(crate) fn tick_claimed(schedule: &'static str, missed: i64) {
    counter!("carrel_schedule_ticks_total", "schedule" => schedule).increment(1);
    counter!("carrel_schedule_ticks_missed_total", "schedule" => schedule)
        .increment(missed.unsigned_abs());
}

/// Slots of one state, as long as it lives: a process's workers share one gauge.
#[derive(Debug)]
pub(crate) struct SlotsShown {
    state: &'static str,
    count: usize,
}

impl SlotsShown {
    pub(crate) fn total(slots: usize) -> Self {
        let mut shown = Self {
            state: "total",
            count: 0,
        };
        shown.show(slots);
        shown
    }

    pub(crate) fn used() -> Self {
        let mut shown = Self {
            state: "used",
            count: 0,
        };
        shown.show(0);
        shown
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a worker has a thousand slots at most"
    )]
    pub(crate) fn show(&mut self, count: usize) {
        let change = count as f64 - self.count as f64;
        gauge!("carrel_job_slots", "state" => self.state).increment(change);
        self.count = count;
    }
}

impl Drop for SlotsShown {
    fn drop(&mut self) {
        self.show(0);
    }
}

/// Whether one listener hears, as long as it lives: a process's workers share the gauges.
#[derive(Debug)]
pub(crate) struct ListenerShown {
    state: &'static str,
}

impl ListenerShown {
    pub(crate) fn down() -> Self {
        gauge!("carrel_job_listeners", "state" => "up").increment(0.0);
        gauge!("carrel_job_listeners", "state" => "down").increment(1.0);
        Self { state: "down" }
    }

    pub(crate) fn show(&mut self, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        gauge!("carrel_job_listeners", "state" => self.state).decrement(1.0);
        gauge!("carrel_job_listeners", "state" => state).increment(1.0);
        self.state = state;
    }
}

impl Drop for ListenerShown {
    fn drop(&mut self) {
        gauge!("carrel_job_listeners", "state" => self.state).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counts_as_what_became_of_its_job() {
        assert_eq!(became("retry", JobState::Ready), "retry");
        assert_eq!(became("snooze", JobState::Ready), "snooze");
        assert_eq!(became("retry", JobState::Dead), "dead");
        assert_eq!(became("released", JobState::Cancelled), "cancelled");
        assert_eq!(became("done", JobState::Done), "done");
    }

    #[test]
    fn a_class_that_is_no_word_makes_no_series_of_its_own() {
        assert_eq!(bounded(Some("infra.pod-gone_2")), "infra.pod-gone_2");
        let sentence = "x".repeat(CLASS_LIMIT + 1);
        for class in [None, Some(""), Some("job 7 failed"), Some(&*sentence)] {
            assert_eq!(bounded(class), OTHER, "{class:?}");
        }
    }

    #[test]
    fn an_error_type_is_a_class_that_is_a_word_and_empty_where_nothing_failed() {
        assert_eq!(error_type(None), "");
        assert_eq!(error_type(Some("panic")), "panic");
        for class in ["", "job 7 failed"] {
            assert_eq!(error_type(Some(class)), OTHER_ERROR, "{class:?}");
        }
    }
}
