//! The heartbeat: a thread with its own runtime and connection, so that handlers that hog every
//! worker thread or every pooled connection cannot starve it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use session_identity::JobId;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    WorkerConfig,
    hold::{Held, changed},
    job::millis,
    measure,
    running::{Beat, RunningJobs},
    workers::Registration,
};

/// After an error the next try comes this soon: a lease lasts only a few of these.
const RETRY: Duration = Duration::from_millis(500);
/// How long the last goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// The running thread. Dropping it ends the thread without a goodbye.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    stop: DropGuard,
    draining: CancellationToken,
    thread: thread::JoinHandle<()>,
}

impl Heartbeat {
    pub(crate) fn start(
        running: Arc<RunningJobs>,
        options: Arc<PgConnectOptions>,
        registration: Registration,
        held: watch::Receiver<Option<Held>>,
        drained: watch::Sender<bool>,
        config: &WorkerConfig,
    ) -> std::io::Result<Self> {
        let (stop, draining) = (CancellationToken::new(), CancellationToken::new());
        let fence_ms = millis(config.cancel_grace * 2 + Duration::from_secs(1));
        let beater = Beater {
            running,
            options,
            registration,
            held,
            drained,
            every: config.heartbeat,
            patience: config.heartbeat.max(config.lease / 3),
            lease_ms: millis(config.lease),
            fence_ms,
            stop: stop.clone(),
            draining: draining.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new()
            .name("job-heartbeat".to_owned())
            .spawn(move || runtime.block_on(beater.beat_until_stopped()))?;
        Ok(Self {
            stop: stop.drop_guard(),
            draining,
            thread,
        })
    }

    /// Returns the token whose cancelling marks the worker as draining.
    pub(crate) fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Stops beating and waits until the worker's row says so.
    pub(crate) async fn stop(self) {
        self.stop.disarm().cancel();
        if tokio::task::spawn_blocking(move || self.thread.join())
            .await
            .is_err()
        {
            tracing::error!("the heartbeat thread could not be joined");
        }
    }
}

struct Beater {
    running: Arc<RunningJobs>,
    options: Arc<PgConnectOptions>,
    registration: Registration,
    held: watch::Receiver<Option<Held>>,
    drained: watch::Sender<bool>,
    every: Duration,
    /// How long one beat may take. A third of the lease: giving up sooner makes a slow server slower
    /// by a new connection each time, giving up later leaves no time for another try.
    patience: Duration,
    lease_ms: i64,
    fence_ms: i64,
    stop: CancellationToken,
    draining: CancellationToken,
}

impl Beater {
    async fn beat_until_stopped(mut self) {
        let mut connection = None;
        let mut due_at = Instant::now();
        while !self.stop.is_cancelled() {
            let announced = self.draining.is_cancelled();
            let held = self.held.borrow_and_update().clone();
            let beat = self.beat(&mut connection, held.as_ref());
            let beat = tokio::time::timeout(self.patience, beat);
            let pause = match beat.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok(()) => {
                    measure::beat(due_at.elapsed());
                    due_at = Instant::now() + self.every;
                    self.every
                }
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat failed; trying again");
                    connection = None;
                    RETRY
                        .min(self.every)
                        .mul_f64(rand::rng().random_range(0.5..1.0))
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.draining.cancelled(), if !announced => {}
                () = changed(&mut self.held) => {}
                () = self.stop.cancelled() => {}
            }
        }
        if let Some(mut connection) = connection {
            let goodbye = self.registration.stopped(&mut connection);
            if !matches!(tokio::time::timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
                tracing::warn!("the worker's row was not marked as stopped");
            }
        }
    }

    async fn beat(
        &self,
        connection: &mut Option<PgConnection>,
        held: Option<&Held>,
    ) -> Result<(), sqlx::Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(PgConnection::connect_with(&self.options).await?),
        };
        // Leases first: they decide.
        let sent = self.running.keys();
        if !sent.0.is_empty() {
            let answered = renew_leases(connection, &sent, self.lease_ms, self.fence_ms).await?;
            let lost = self.running.apply_beats(&sent, &answered);
            if lost > 0 {
                tracing::warn!(lost, "lost the leases of running jobs");
                measure::leases_lost(lost);
            }
        }
        let is_ending = self.draining.is_cancelled();
        let seen = self.registration.seen(connection, is_ending, held);
        let is_drained = seen.await?;
        // The claim reads it too: this only spares the asking.
        self.drained
            .send_if_modified(|before| std::mem::replace(before, is_drained) != is_drained);
        Ok(())
    }
}

/// Renews the leases of the given runs in one statement; a run without an answer has lost its own.
async fn renew_leases(
    connection: &mut PgConnection,
    runs: &(Vec<Uuid>, Vec<i64>),
    lease_ms: i64,
    fence_ms: i64,
) -> Result<Vec<Beat>, sqlx::Error> {
    // A run past its deadline gets no new lease beyond the fence, so that even a worker whose every
    // thread hangs loses the job in the end.
    let rows = sqlx::query!(
        r#"UPDATE jobs j SET
            lease_until = LEAST(now() + $3::bigint * interval '1 millisecond',
                                j.deadline_at + $4::bigint * interval '1 millisecond')
         FROM unnest($1::uuid[], $2::bigint[]) AS i(id, run_token)
         WHERE j.id = ANY($1) AND j.id = i.id AND j.run_token = i.run_token
           AND j.state = 'running'
         RETURNING j.id, j.run_token, j.cancel_requested_at IS NOT NULL AS "cancel_requested!""#,
        &runs.0,
        &runs.1,
        lease_ms,
        fence_ms,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Beat {
            job_id: JobId::from_uuid(row.id),
            run_token: row.run_token,
            cancel_requested: row.cancel_requested,
        })
        .collect())
}
