//! Why a job is not running: the question operators ask first.

mod facts;
mod reason;

use session_identity::JobId;
use sqlx::PgConnection;

use facts::{Facts, load_facts};
pub use reason::WhyNotRunning;

/// Tells why a job is not running; empty if it runs, or if a worker is about to take it.
///
/// # Errors
/// Whatever the database says; a job that does not exist has no reasons.
pub async fn why_not_running(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Vec<WhyNotRunning>, sqlx::Error> {
    Ok(load_facts(connection, id)
        .await?
        .map(explain)
        .unwrap_or_default())
}

fn explain(facts: Facts) -> Vec<WhyNotRunning> {
    match facts.state.as_str() {
        "ready" => explain_ready(facts),
        "running" => explain_running(&facts),
        _ => vec![WhyNotRunning::Ended {
            state: facts.state,
            at: facts.finished_at,
            class: facts.outcome_class,
            reason: facts.outcome_reason,
        }],
    }
}

fn explain_running(facts: &Facts) -> Vec<WhyNotRunning> {
    let expired = facts.lease_expired.then_some(WhyNotRunning::LeaseExpired {
        worker: facts.lease_owner,
        at: facts.lease_until,
    });
    let cancelled = facts
        .cancel_requested_at
        .map(|at| WhyNotRunning::CancelRequested { at });
    expired.into_iter().chain(cancelled).collect()
}

fn explain_ready(facts: Facts) -> Vec<WhyNotRunning> {
    let mut reasons = Vec::new();
    if facts.in_seconds > 0.0 {
        let (run_at, in_seconds) = (facts.run_at, facts.in_seconds);
        reasons.push(WhyNotRunning::NotDue {
            run_at,
            in_seconds,
            class: facts.outcome_class.clone(),
        });
    }
    if facts.paused {
        reasons.push(WhyNotRunning::QueuePaused {
            queue: facts.queue.clone(),
            by: facts.paused_by.clone(),
            reason: facts.paused_reason.clone(),
            until: facts.paused_until,
        });
    }
    reasons.extend(full(&facts));
    reasons.extend(held_by_rate(&facts));
    if facts.workers == 0 {
        reasons.push(match facts.hold {
            Some(reason) => WhyNotRunning::WorkersHold { reason },
            None => WhyNotRunning::NoWorker {
                queue: facts.queue,
                kind: facts.kind,
                version: facts.kind_version,
            },
        });
    }
    if facts.ahead > 0 {
        reasons.push(WhyNotRunning::Behind { jobs: facts.ahead });
    }
    reasons
}

/// The limits that are reached: the queue's own and that over all.
fn full(facts: &Facts) -> impl Iterator<Item = WhyNotRunning> {
    let reached = |limit: Option<i32>, running| limit.filter(|it| running >= i64::from(*it));
    let own =
        reached(facts.concurrency, facts.running).map(|concurrency| WhyNotRunning::QueueFull {
            queue: facts.queue.clone(),
            running: facts.running,
            concurrency,
        });
    let all = reached(facts.concurrency_of_all, facts.running_of_all).map(|concurrency| {
        WhyNotRunning::AllQueuesFull {
            running: facts.running_of_all,
            concurrency,
        }
    });
    own.into_iter().chain(all)
}

fn held_by_rate(facts: &Facts) -> Option<WhyNotRunning> {
    let (rate_per_second, tokens) = facts.rate_per_second.zip(facts.tokens)?;
    // What comes between two looks of a worker, 100 to 150 ms apart, waits for the second.
    let between_looks = rate_per_second * 0.15;
    let is_held = tokens < 1.0 || (facts.ahead > 0 && tokens < between_looks);
    is_held.then(|| WhyNotRunning::RateReached {
        queue: facts.queue.clone(),
        rate_per_second,
        in_seconds: ((1.0 - tokens) / rate_per_second).max(0.0),
    })
}
