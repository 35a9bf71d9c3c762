//! What the answers are made of: one look at the job, its queue and the workers.

use chrono::{DateTime, Utc};
use session_identity::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::workers::WORKER_LIVE_SECONDS;

pub(super) struct Facts {
    pub(super) queue: String,
    pub(super) kind: String,
    pub(super) kind_version: i32,
    pub(super) state: String,
    pub(super) run_at: DateTime<Utc>,
    pub(super) in_seconds: f64,
    pub(super) lease_owner: Option<Uuid>,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) lease_expired: bool,
    pub(super) cancel_requested_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) outcome_class: Option<String>,
    pub(super) outcome_reason: Option<String>,
    pub(super) paused: bool,
    pub(super) paused_by: Option<String>,
    pub(super) paused_reason: Option<String>,
    pub(super) paused_until: Option<DateTime<Utc>>,
    pub(super) concurrency: Option<i32>,
    pub(super) running: i64,
    pub(super) rate_per_second: Option<f64>,
    pub(super) tokens: Option<f64>,
    pub(super) concurrency_of_all: Option<i32>,
    pub(super) running_of_all: i64,
    pub(super) workers: i64,
    pub(super) hold: Option<String>,
    pub(super) ahead: i64,
}

pub(super) async fn load_facts(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Option<Facts>, sqlx::Error> {
    sqlx::query_as!(
        Facts,
        r#"SELECT j.queue, j.kind, j.kind_version, j.state, j.run_at,
                  extract(epoch FROM j.run_at - now())::float8 AS "in_seconds!",
                  j.lease_owner, j.lease_until,
                  COALESCE(j.lease_until <= now(), false) AS "lease_expired!",
                  j.cancel_requested_at, j.finished_at, j.outcome_class, j.outcome_reason,
                  (p.paused_at IS NOT NULL
                      AND (p.paused_until IS NULL OR p.paused_until > now())) AS "paused!",
                  p.paused_by AS "paused_by?", p.paused_reason AS "paused_reason?",
                  p.paused_until AS "paused_until?",
                  p.concurrency AS "concurrency?",
                  (SELECT count(*) FROM jobs r WHERE r.queue = j.queue AND r.state = 'running'
                  ) AS "running!",
                  p.rate_per_second AS "rate_per_second?",
                  queue_tokens(p.rate_per_second, p.tokens, p.tokens_at, clock_timestamp()) AS tokens,
                  (SELECT concurrency FROM all_queues) AS concurrency_of_all,
                  (SELECT count(*) FROM jobs r WHERE r.state = 'running') AS "running_of_all!",
                  l.claiming AS "workers!", l.hold,
                  (SELECT count(*) FROM jobs o
                   WHERE o.queue = j.queue AND o.state = 'ready' AND o.run_at <= now()
                     AND (aged_run_at(o.run_at, o.priority, p.priority_age),
                          -o.priority::integer, o.run_at, o.id)
                       < (aged_run_at(j.run_at, j.priority, p.priority_age),
                          -j.priority::integer, j.run_at, j.id)
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
                 AND worker_reads(w, j.queue, j.kind, j.kind_version)
           ) l
           WHERE j.id = $1"#,
        id.as_uuid(),
        WORKER_LIVE_SECONDS,
    )
    .fetch_optional(connection)
    .await
}
