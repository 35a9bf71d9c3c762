//! Why a job is not running: the question operators ask first.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::workers::WORKER_LIVE_SECONDS;

/// One answer to "why is it not running"; several can hold at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum WhyNotRunning {
    /// The job has ended.
    Ended {
        /// Its final state.
        state: String,
        /// When.
        at: Option<DateTime<Utc>>,
        /// The class of its last failure.
        class: Option<String>,
        /// The reason of its last failure.
        reason: Option<String>,
    },
    /// Its time has not come: it was put off, or backs off after a failure.
    NotDue {
        /// When it may start.
        run_at: DateTime<Utc>,
        /// In how many seconds.
        in_seconds: f64,
        /// The failure it backs off from; `None` if it was put off.
        class: Option<String>,
    },
    /// Nothing is claimed from its queue.
    QueuePaused {
        /// The queue.
        queue: String,
        /// Who paused it.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// Until when; `None` until it is resumed.
        until: Option<DateTime<Utc>>,
    },
    /// No worker that was seen lately claims such jobs.
    NoWorker {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
    },
    /// Workers live that claim such jobs, and each leaves them alone for now.
    WorkersHold {
        /// Why, as one of them says.
        reason: String,
    },
    /// Others go first.
    Behind {
        /// How many due jobs of the queue precede it.
        jobs: i64,
    },
    /// It did run, but its worker has not answered in time; the next free slot takes it over.
    LeaseExpired {
        /// The worker that held the lease.
        worker: Option<Uuid>,
        /// When it ran out.
        at: Option<DateTime<Utc>>,
    },
    /// It runs and has been asked to stop.
    CancelRequested {
        /// When.
        at: DateTime<Utc>,
    },
}

struct Facts {
    queue: String,
    kind: String,
    state: String,
    run_at: DateTime<Utc>,
    in_seconds: f64,
    lease_owner: Option<Uuid>,
    lease_until: Option<DateTime<Utc>>,
    lease_expired: bool,
    cancel_requested_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    outcome_class: Option<String>,
    outcome_reason: Option<String>,
    paused: bool,
    paused_by: Option<String>,
    paused_reason: Option<String>,
    paused_until: Option<DateTime<Utc>>,
    workers: i64,
    hold: Option<String>,
    ahead: i64,
}

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
            class: facts.outcome_class,
        });
    }
    if facts.paused {
        reasons.push(WhyNotRunning::QueuePaused {
            queue: facts.queue.clone(),
            by: facts.paused_by,
            reason: facts.paused_reason,
            until: facts.paused_until,
        });
    }
    if facts.workers == 0 {
        let (queue, kind) = (facts.queue, facts.kind);
        reasons.push(match facts.hold {
            Some(reason) => WhyNotRunning::WorkersHold { reason },
            None => WhyNotRunning::NoWorker { queue, kind },
        });
    }
    if facts.ahead > 0 {
        reasons.push(WhyNotRunning::Behind { jobs: facts.ahead });
    }
    reasons
}

async fn load_facts(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Option<Facts>, sqlx::Error> {
    sqlx::query_as!(
        Facts,
        r#"SELECT j.queue, j.kind, j.state, j.run_at,
                  extract(epoch FROM j.run_at - now())::float8 AS "in_seconds!",
                  j.lease_owner, j.lease_until,
                  COALESCE(j.lease_until <= now(), false) AS "lease_expired!",
                  j.cancel_requested_at, j.finished_at, j.outcome_class, j.outcome_reason,
                  (p.paused_at IS NOT NULL
                      AND (p.paused_until IS NULL OR p.paused_until > now())) AS "paused!",
                  p.paused_by AS "paused_by?", p.paused_reason AS "paused_reason?",
                  p.paused_until AS "paused_until?",
                  l.claiming AS "workers!", l.hold,
                  (SELECT count(*) FROM jobs o
                   WHERE o.queue = j.queue AND o.state = 'ready' AND o.run_at <= now()
                     AND (-o.priority, o.run_at, o.id) < (-j.priority, j.run_at, j.id)
                  ) AS "ahead!"
           FROM jobs j LEFT JOIN queues p ON p.name = j.queue
           CROSS JOIN LATERAL (
               SELECT count(*) FILTER (
                          WHERE w.drain_requested_at IS NULL
                            AND (w.held_kinds IS NULL OR j.kind <> ALL (w.held_kinds))
                      ) AS claiming,
                      min(CASE WHEN w.drain_requested_at IS NULL THEN w.holds_because
                               ELSE concat('drained by ', w.drain_requested_by,
                                           ': ' || w.drain_reason) END) AS hold
               FROM workers w
               WHERE w.stopped_at IS NULL AND w.draining_at IS NULL
                 AND w.seen_at > now() - make_interval(secs => $2)
                 AND j.queue = ANY(w.queues) AND j.kind = ANY(w.kinds)
           ) l
           WHERE j.id = $1"#,
        id.as_uuid(),
        WORKER_LIVE_SECONDS,
    )
    .fetch_optional(connection)
    .await
}

impl std::fmt::Display for WhyNotRunning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        match self {
            Self::Ended {
                state,
                class: Some(class),
                ..
            } => write!(formatter, "{state} ({class})"),
            Self::Ended { state, .. } => formatter.write_str(state),
            Self::NotDue {
                in_seconds,
                class: Some(class),
                ..
            } => {
                write!(
                    formatter,
                    "due in {in_seconds:.1} s, backs off after {class}"
                )
            }
            Self::NotDue { in_seconds, .. } => write!(formatter, "due in {in_seconds:.1} s"),
            Self::QueuePaused {
                queue, by, reason, ..
            } => {
                write!(
                    formatter,
                    "queue {queue} paused by {}: {}",
                    known(by),
                    known(reason)
                )
            }
            Self::NoWorker { queue, kind } => {
                write!(formatter, "no live worker takes {kind} from {queue}")
            }
            Self::WorkersHold { reason } => {
                write!(formatter, "its workers leave it alone for now: {reason}")
            }
            Self::Behind { jobs } => write!(formatter, "{jobs} due jobs go first"),
            Self::LeaseExpired { .. } => {
                formatter.write_str("its worker stopped answering; the next free slot takes it")
            }
            Self::CancelRequested { at } => write!(formatter, "asked to stop at {at}"),
        }
    }
}
