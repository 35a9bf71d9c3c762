//! When each sweep runs: a tick belongs to one worker, whichever moves its row first.

use std::time::Duration;

use cleanup_ttl::{ExpiryPolicy, PseudonymPolicy, RecordRetention};
use job_queue::{Retention, Schedule, Tick, Unhandled, finish_owed_tick, record_tick, tick};
use serde_json::json;
use session_identity::WorkerIncarnation;
use tokio_util::sync::CancellationToken;

use super::{SweepReport, attachments, expired, history, runtime, stuck, teardowns};
use crate::{StepError, Workshop, measure};

/// How often each sweep runs.
#[derive(Debug, Clone)]
pub struct Sweeps {
    /// Ends what is due.
    pub expired: Duration,
    /// Fails what did not become ready.
    pub stuck: Duration,
    /// Has environments of ended sessions destroyed.
    pub teardowns: Duration,
    /// Compares runtime and rows.
    pub runtime: Duration,
    /// Closes attaches whose process has died.
    pub attachments: Duration,
    /// Removes what has been over for long.
    pub history: Duration,
    /// How much at a time, and when an orphan may go.
    pub policy: ExpiryPolicy,
    /// When a job is given up that no worker reads.
    pub unhandled: Unhandled,
    /// How long what is over is kept.
    pub retention: Retention,
    /// How long records outlive their sessions.
    pub records: RecordRetention,
    /// When candidates lose their names; `None`: never.
    pub pseudonyms: Option<PseudonymPolicy>,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self {
            expired: Duration::from_secs(1),
            stuck: Duration::from_secs(5),
            teardowns: Duration::from_secs(15),
            runtime: Duration::from_secs(15),
            attachments: Duration::from_secs(10),
            history: Duration::from_mins(1),
            policy: ExpiryPolicy::default(),
            unhandled: Unhandled::default(),
            retention: Retention::default(),
            records: RecordRetention::default(),
            pseudonyms: None,
        }
    }
}

/// One kind of sweep; what each does stands at its period in [`Sweeps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// Every second.
    Expired,
    /// Every five seconds.
    Stuck,
    /// Every quarter of a minute.
    Teardowns,
    /// Every quarter of a minute.
    Runtime,
    /// Every ten seconds.
    Attachments,
    /// Every minute.
    History,
}

impl Sweep {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Expired,
        Self::Stuck,
        Self::Teardowns,
        Self::Runtime,
        Self::Attachments,
        Self::History,
    ];

    /// Its name among the schedules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "sweep_expired",
            Self::Stuck => "sweep_stuck",
            Self::Teardowns => "sweep_teardowns",
            Self::Runtime => "sweep_runtime",
            Self::Attachments => "sweep_attachments",
            Self::History => "sweep_history",
        }
    }

    const fn every(self, sweeps: &Sweeps) -> Duration {
        match self {
            Self::Expired => sweeps.expired,
            Self::Stuck => sweeps.stuck,
            Self::Teardowns => sweeps.teardowns,
            Self::Runtime => sweeps.runtime,
            Self::Attachments => sweeps.attachments,
            Self::History => sweeps.history,
        }
    }

    /// An exam ends on time and nobody's environment stays, whatever an operator holds up.
    const fn is_pausable(self) -> bool {
        !matches!(self, Self::Expired | Self::Teardowns)
    }

    const fn schedule(self, sweeps: &Sweeps) -> Schedule {
        Schedule {
            name: self.name(),
            every: self.every(sweeps),
            is_pausable: self.is_pausable(),
        }
    }

    async fn run(self, workshop: &Workshop, sweeps: &Sweeps) -> Result<SweepReport, StepError> {
        match self {
            Self::Expired => expired::sweep(workshop, &sweeps.policy).await,
            Self::Stuck => stuck::sweep(workshop, &sweeps.policy).await,
            Self::Teardowns => teardowns::sweep(workshop, &sweeps.policy).await,
            Self::Runtime => runtime::sweep(workshop, &sweeps.policy).await,
            Self::Attachments => attachments::sweep(workshop).await,
            Self::History => history::sweep(workshop, sweeps).await,
        }
    }
}

/// Runs the sweeps of one worker until it is told to stop.
#[derive(Debug)]
pub struct SweepLoop {
    workshop: Workshop,
    sweeps: Sweeps,
    worker: WorkerIncarnation,
}

impl SweepLoop {
    /// Makes the loop of a worker.
    pub fn new(workshop: Workshop, sweeps: Sweeps, worker: WorkerIncarnation) -> Self {
        Self {
            workshop,
            sweeps,
            worker,
        }
    }

    /// Asks for each tick at once, so that workers which do not live long sweep too, and then four
    /// times a period, so that a missed one is late by a quarter at most. A sweep that fails is
    /// logged and runs again at its next tick. Dropping this is safe.
    pub async fn run(self, shutdown: CancellationToken) {
        measure::begin(Sweep::ALL.map(Sweep::name));
        let each = Sweep::ALL.map(|sweep| self.repeat(sweep, &shutdown));
        let [expired, stuck, teardowns, runtime, attachments, history] = each;
        tokio::join!(expired, stuck, teardowns, runtime, attachments, history);
    }

    async fn repeat(&self, sweep: Sweep, shutdown: &CancellationToken) {
        let pause = sweep.every(&self.sweeps) / 4;
        while !shutdown.is_cancelled() {
            if let Err(error) = self.once(sweep).await {
                tracing::warn!(
                    sweep = sweep.name(),
                    error = error.chain(),
                    "a sweep failed"
                );
            }
            shutdown
                .run_until_cancelled(tokio::time::sleep(pause))
                .await;
        }
    }

    /// Runs one sweep once if its tick is due and nobody else has it.
    ///
    /// # Errors
    /// What kept it from looking, or from settling all that it found in one transaction.
    pub async fn once(&self, sweep: Sweep) -> Result<(), StepError> {
        let mut connection = self.workshop.pool.acquire().await?;
        let schedule = sweep.schedule(&self.sweeps);
        let Some(claimed) = tick(&mut connection, schedule, self.worker).await? else {
            return Ok(());
        };
        drop(connection);
        let report = sweep.run(&self.workshop, &self.sweeps).await?;
        if let Tick::Owed { due_at } = claimed
            && report.refusal.is_none()
        {
            let mut connection = self.workshop.pool.acquire().await?;
            finish_owed_tick(&mut connection, sweep.name(), due_at).await?;
        }
        if let Some(refusal) = &report.refusal {
            measure::sweep_refused(sweep.name());
            tracing::error!(sweep = sweep.name(), %refusal, "nothing was deleted: the plan looks wrong");
        } else {
            measure::sweep_succeeded(sweep.name());
        }
        if !report.is_empty() {
            tracing::info!(sweep = sweep.name(), report = %json!(report), "swept");
            let mut connection = self.workshop.pool.acquire().await?;
            record_tick(&mut connection, sweep.name(), &json!(report)).await?;
        }
        Ok(())
    }
}
