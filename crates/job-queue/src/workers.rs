//! The workers' own rows: for people. Leases decide; all that a worker reads here is whether an
//! operator drains it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::WorkerIncarnation;
use sqlx::PgConnection;

use crate::{
    WorkerConfig,
    claim::WorkerIdentity,
    hold::Held,
    terms::{ClaimTerms, KindTerms},
};

/// A worker that has not been seen for this long is not counted on. Six heartbeats.
pub const WORKER_LIVE_SECONDS: f64 = 30.0;

/// What a worker says about itself.
#[derive(Debug)]
pub(crate) struct Registration {
    identity: WorkerIdentity,
    host: String,
    build: String,
    queues: Vec<String>,
    kinds: Vec<KindTerms>,
    slots: i32,
}

impl Registration {
    pub(crate) fn new(
        identity: &WorkerIdentity,
        config: &WorkerConfig,
        terms: &ClaimTerms,
    ) -> Self {
        Self {
            identity: identity.clone(),
            host: config.host.clone(),
            build: config.build.clone(),
            queues: terms.queues.clone(),
            kinds: terms.kinds.clone(),
            slots: i32::try_from(config.slots).unwrap_or(i32::MAX),
        }
    }

    /// Says that the worker lives; makes its row if there is none. Returns whether an operator
    /// drains it.
    pub(crate) async fn seen(
        &self,
        connection: &mut PgConnection,
        draining: bool,
        held: Option<&Held>,
    ) -> Result<bool, sqlx::Error> {
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name).collect();
        let oldest: Vec<_> = self.kinds.iter().map(|kind| kind.oldest_version).collect();
        let newest: Vec<_> = self.kinds.iter().map(|kind| kind.newest_version).collect();
        sqlx::query_scalar!(
            r#"INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, draining_at,
                                  holds_because, held_kinds, oldest_versions, newest_versions)
             VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END, $9, $10, $11, $12)
             ON CONFLICT (incarnation) DO UPDATE SET
                seen_at = now(),
                draining_at = COALESCE(workers.draining_at, EXCLUDED.draining_at),
                holds_because = EXCLUDED.holds_because, held_kinds = EXCLUDED.held_kinds
             RETURNING drain_requested_at IS NOT NULL AS "is_drained!""#,
            self.identity.incarnation.as_uuid(),
            &*self.identity.name,
            self.host,
            self.build,
            &self.queues,
            &kinds as &[&str],
            self.slots,
            draining,
            held.map(|held| held.reason.as_str()),
            held.map(|held| &held.kinds[..]) as Option<&[&str]>,
            &oldest,
            &newest,
        )
        .fetch_one(connection)
        .await
    }

    /// Says that the worker has ended by itself.
    pub(crate) async fn stopped(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE workers SET seen_at = now(), stopped_at = now(),
                    draining_at = COALESCE(draining_at, now())
             WHERE incarnation = $1",
            self.identity.incarnation.as_uuid(),
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// One row of `workers`, with the number of leases it holds.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerRecord {
    /// This start of the worker.
    pub incarnation: WorkerIncarnation,
    /// The worker's name.
    pub name: String,
    /// The host it runs on.
    pub host: String,
    /// The build it runs.
    pub build: String,
    /// The queues it claims from.
    pub queues: Vec<String>,
    /// The kinds it handles.
    pub kinds: Vec<String>,
    /// Jobs it runs at once.
    pub slots: i32,
    /// Jobs whose lease it holds.
    pub running: i64,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Its last heartbeat.
    pub seen_at: DateTime<Utc>,
    /// How long ago that was, in seconds by the database clock.
    pub seen_seconds_ago: f64,
    /// Why it does not claim the held kinds; `None` while it claims all of its kinds.
    pub holds_because: Option<String>,
    /// The kinds it does not claim for now.
    pub held_kinds: Vec<String>,
    /// Since when an operator has it claim nothing; `None` while it may.
    pub drain_requested_at: Option<DateTime<Utc>>,
    /// Who.
    pub drain_requested_by: Option<String>,
    /// Why.
    pub drain_reason: Option<String>,
    /// When it stopped claiming.
    pub draining_at: Option<DateTime<Utc>>,
    /// When it ended by itself; a killed worker has none.
    pub stopped_at: Option<DateTime<Utc>>,
}

/// What a worker does, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It claims jobs of all its kinds.
    Working,
    /// It leaves some kinds alone, and says why.
    Holding,
    /// An operator has it claim nothing.
    Drained,
    /// It ends: it claims nothing, and what it runs may end.
    Ending,
    /// It has not been heard of for six heartbeats.
    Silent,
    /// It has ended by itself.
    Ended,
}

impl WorkerState {
    /// Returns the word as it is serialized.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Holding => "holding",
            Self::Drained => "drained",
            Self::Ending => "ending",
            Self::Silent => "silent",
            Self::Ended => "ended",
        }
    }
}

impl WorkerRecord {
    /// Tells what it does; of several words the one that explains most.
    pub fn state(&self) -> WorkerState {
        if self.stopped_at.is_some() {
            WorkerState::Ended
        } else if self.seen_seconds_ago >= WORKER_LIVE_SECONDS {
            WorkerState::Silent
        } else if self.draining_at.is_some() {
            WorkerState::Ending
        } else if self.drain_requested_at.is_some() {
            WorkerState::Drained
        } else if self.holds_because.is_some() {
            WorkerState::Holding
        } else {
            WorkerState::Working
        }
    }
}

/// Lists so many workers at most: those that live, then the others, each newest first.
///
/// # Errors
/// Whatever the database says.
pub async fn list_workers(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<WorkerRecord>, sqlx::Error> {
    select(connection, Some(limit), None, None).await
}

/// Loads one worker, however long ago it ended.
///
/// # Errors
/// Whatever the database says.
pub async fn load_worker(
    connection: &mut PgConnection,
    incarnation: WorkerIncarnation,
) -> Result<Option<WorkerRecord>, sqlx::Error> {
    let mut found = select(connection, None, None, Some(incarnation)).await?;
    Ok(found.pop())
}

/// Lists the workers that have not ended and were heard of within so many seconds, however many.
///
/// # Errors
/// Whatever the database says.
pub async fn workers_heard_of(
    connection: &mut PgConnection,
    within_seconds: f64,
) -> Result<Vec<WorkerRecord>, sqlx::Error> {
    select(connection, None, Some(within_seconds), None).await
}

async fn select(
    connection: &mut PgConnection,
    limit: Option<i64>,
    heard_within: Option<f64>,
    only: Option<WorkerIncarnation>,
) -> Result<Vec<WorkerRecord>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT w.incarnation, w.name, w.host, w.build, w.queues, w.kinds, w.slots, w.started_at,
                  w.seen_at, w.draining_at, w.stopped_at, w.holds_because, w.held_kinds,
                  w.drain_requested_at, w.drain_requested_by, w.drain_reason,
                  extract(epoch FROM now() - w.seen_at)::float8 AS "seen_seconds_ago!",
                  (SELECT count(*) FROM jobs j
                   WHERE j.state = 'running' AND j.lease_owner = w.incarnation) AS "running!"
           FROM workers w
           WHERE ($2::float8 IS NULL
                  OR (w.stopped_at IS NULL AND w.seen_at > now() - make_interval(secs => $2)))
             AND ($4::uuid IS NULL OR w.incarnation = $4)
           -- Old rows are many, and a worker that started before them may live.
           ORDER BY w.stopped_at IS NOT NULL, w.seen_at <= now() - make_interval(secs => $3),
                    w.started_at DESC, w.incarnation
           LIMIT $1"#,
        limit,
        heard_within,
        WORKER_LIVE_SECONDS,
        only.map(|only| only.as_uuid()),
    )
    .fetch_all(connection)
    .await?;
    let record = rows.into_iter().map(|row| WorkerRecord {
        incarnation: WorkerIncarnation::from_uuid(row.incarnation),
        name: row.name,
        host: row.host,
        build: row.build,
        queues: row.queues,
        kinds: row.kinds,
        slots: row.slots,
        running: row.running,
        started_at: row.started_at,
        seen_at: row.seen_at,
        seen_seconds_ago: row.seen_seconds_ago,
        holds_because: row.holds_because,
        held_kinds: row.held_kinds.unwrap_or_default(),
        drain_requested_at: row.drain_requested_at,
        drain_requested_by: row.drain_requested_by,
        drain_reason: row.drain_reason,
        draining_at: row.draining_at,
        stopped_at: row.stopped_at,
    });
    Ok(record.collect())
}
