//! A worker: its tasks and its drain.

mod config;

use std::sync::Arc;

use session_identity::WorkerIncarnation;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use config::{ConfigError, WorkerConfig};

use crate::{
    CancelReason, Registry, apalis,
    claim::WorkerIdentity,
    exchange::{self, Exchanger},
    heartbeat::Heartbeat,
    hold::Holder,
    listen::{self, LookSignal},
    measure,
    parts::Parts,
    workers,
};

/// Why a worker ended other than by its drain.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings were refused before anything started.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The heartbeat thread could not be started.
    #[error("start the heartbeat thread")]
    Heartbeat(#[source] std::io::Error),
    /// The worker runtime ended on its own. Database errors never do this.
    #[error("keep the worker runtime going")]
    Runtime(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a worker did in its life, told when its drain is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DrainReport {
    /// Runs whose end was written, the released ones included.
    pub recorded: u64,
    /// Runs given back at the drain without an attempt being charged.
    pub released: u64,
    /// Runs whose end was refused because another run owned the job.
    pub stale: u64,
    /// Runs whose end could not be written before the drain gave up; their leases will run out.
    pub unanswered: u64,
}

/// Claims jobs of the registered kinds and runs them until told to stop.
#[derive(Debug)]
pub struct QueueWorker {
    pool: PgPool,
    registry: Registry,
    config: WorkerConfig,
    identity: WorkerIdentity,
    listen: Listen,
    holder: Holder,
}

/// Where a worker listens for notifications.
#[derive(Clone, Debug)]
enum Listen {
    /// Through the same server and settings as the pool.
    Pool,
    /// Through its own settings, for set-ups with a pooler in between.
    Own(Box<PgConnectOptions>),
}

/// Collects what a worker needs.
#[derive(Debug)]
pub struct QueueWorkerBuilder {
    worker: QueueWorker,
}

impl QueueWorkerBuilder {
    /// Listens through the given settings instead of the pool's: a transaction-mode pooler cannot
    /// carry LISTEN.
    #[must_use]
    pub fn listen_with(mut self, options: PgConnectOptions) -> Self {
        self.worker.listen = Listen::Own(Box::new(options));
        self
    }

    /// Leaves alone what the holder says, while it does.
    #[must_use]
    pub fn hold_with(mut self, holder: &Holder) -> Self {
        self.worker.holder = holder.clone();
        self
    }

    /// Finishes the worker; nothing is started or connected yet.
    pub fn build(self) -> QueueWorker {
        self.worker
    }
}

impl QueueWorker {
    /// Starts to describe a worker. The pool is used for its settings: the worker makes
    /// `loops + 2` connections of its own, so that handlers cannot starve it of one.
    pub fn builder(pool: PgPool, registry: Registry, config: WorkerConfig) -> QueueWorkerBuilder {
        let identity = WorkerIdentity {
            incarnation: WorkerIncarnation::generate(),
            name: config.name.as_str().into(),
        };
        QueueWorkerBuilder {
            worker: Self {
                pool,
                registry,
                config,
                identity,
                listen: Listen::Pool,
                holder: Holder::default(),
            },
        }
    }

    /// Returns the id of this start of the worker.
    pub const fn incarnation(&self) -> WorkerIncarnation {
        self.identity.incarnation
    }

    /// Works until `shutdown` is cancelled, then drains: stops claiming, gives back what has not
    /// started, waits, cancels, and releases what is left without charging an attempt.
    ///
    /// Database errors pause and retry; they never end the worker.
    ///
    /// # Errors
    /// [`WorkerError`], before anything was claimed, or if the worker runtime itself fails.
    ///
    /// Cancellation: dropping the future drops the handlers at their next await; their leases run
    /// out and other workers take the jobs. Cancel `shutdown` instead.
    pub async fn run(self, shutdown: CancellationToken) -> Result<DrainReport, WorkerError> {
        self.config.check(&self.registry)?;
        measure::begin(self.registry.kinds());
        let _slots = measure::SlotsShown::total(self.config.slots);
        let parts = Parts::new(
            self.identity.clone(),
            self.registry.clone(),
            &self.config,
            &self.holder,
        );
        let heartbeat = Heartbeat::start(
            parts.running.clone(),
            self.pool.connect_options(),
            workers::Registration::new(&self.identity, &self.config, &parts.terms),
            self.holder.subscribe(),
            parts.drained.clone(),
            &self.config,
        )
        .map_err(WorkerError::Heartbeat)?;
        let _looking = self.start_looking(&parts.signal);
        let (deliveries, inbox) = tokio::sync::mpsc::channel(self.config.slots);
        let exchanger = Exchanger::new(&self.pool, &parts, self.config.lease / 2, deliveries);
        let tally = exchanger.tally();
        let loops = exchanger.start(self.config.loops);
        let drain = AbortOnDropHandle::new(tokio::spawn(drain_on(
            shutdown,
            parts.clone(),
            heartbeat.draining(),
            self.config.clone(),
        )));
        let ended = apalis::run(&self.config.name, inbox, &parts).await;
        if ended.is_err() {
            parts.draining.cancel();
            parts.giving_up.cancel();
        }
        exchange::join(loops).await;
        drop(drain);
        heartbeat.stop().await;
        ended.map_err(|error| WorkerError::Runtime(error.into()))?;
        Ok(tally.report(parts.slots.unanswered()))
    }

    fn start_looking(&self, signal: &Arc<LookSignal>) -> [AbortOnDropHandle<()>; 2] {
        let options = match &self.listen {
            Listen::Pool => PgConnectOptions::clone(&self.pool.connect_options()),
            Listen::Own(options) => PgConnectOptions::clone(options),
        };
        let (polled, listened, every) = (signal.clone(), signal.clone(), self.config.poll);
        [
            AbortOnDropHandle::new(tokio::spawn(
                async move { listen::poll(&polled, every).await },
            )),
            AbortOnDropHandle::new(tokio::spawn(async move {
                listen::listen(&listened, options).await;
            })),
        ]
    }
}

/// Walks a drain through its stages once `shutdown` is cancelled.
async fn drain_on(
    shutdown: CancellationToken,
    parts: Parts,
    announced: CancellationToken,
    config: WorkerConfig,
) {
    shutdown.cancelled().await;
    tracing::info!(worker = %config.name, running = parts.running.len(), "draining");
    announced.cancel();
    parts.draining.cancel();
    let empty = || parts.running.wait_until_empty();
    if tokio::time::timeout(config.drain_grace, empty())
        .await
        .is_ok()
    {
        return;
    }
    parts.running.cancel_all(CancelReason::Shutdown);
    if tokio::time::timeout(config.cancel_grace, empty())
        .await
        .is_ok()
    {
        return;
    }
    parts.dropping.cancel();
    // What is left now waits only for the database; its leases decide if it does not answer.
    if tokio::time::timeout(config.cancel_grace, empty())
        .await
        .is_err()
    {
        parts.giving_up.cancel();
    }
}
