//! The process: the queue's worker, the sweeps and the admin port, which live and end together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cleanup_ttl::NoGoodSecret;
use command_line::CliError;
use execution_environment::{
    EnvironmentRuntime, ExamDefinition, Purpose, RuntimeConfigError, RuntimeHealth,
    load_latest_exams,
};
use job_queue::{
    DrainReport, Holder, Job, JobKind, OPERATIONS_QUEUE, QueueWorker, Waker, WorkerConfig,
    WorkerError, show_database_link,
};
use orchestrator::{
    ENVIRONMENT_QUEUE, ProvisionEnvironment, SESSION_QUEUE, SweepLoop, Sweeps, Workshop, registry,
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use telemetry::{AdminError, AdminServer, MetricsHandle};
use tokio_util::sync::CancellationToken;

use crate::WorkerArgs;
use crate::readiness::readiness;

/// Jobs of a session only move rows: a few slots keep up with any number of candidates. One more for
/// what operators do to many jobs, of which a process works one at a time.
const SESSION_SLOTS: usize = 5;

/// What needs a runtime that would take an environment.
const MAKING: [JobKind; 1] = [JobKind(ProvisionEnvironment::KIND)];

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The database was not named well.
    #[error(transparent)]
    Database(#[from] CliError),
    /// The runtime was not named well.
    #[error(transparent)]
    Runtime(#[from] RuntimeConfigError),
    /// Candidates are to lose their names, and there is nothing to make others with.
    #[error(transparent)]
    Pseudonyms(#[from] NoGoodSecret),
    /// The admin port could not be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Why the process stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The queue's worker ended.
    #[error(transparent)]
    Queue(#[from] WorkerError),
    /// The signals could not be listened for.
    #[error("listen for SIGTERM and SIGINT")]
    Signals(#[source] std::io::Error),
}

/// The process, with its admin port open and nothing running yet.
#[derive(Debug)]
pub struct Worker {
    environments: QueueWorker,
    sessions: QueueWorker,
    environments_holder: Holder,
    sweeps: SweepLoop,
    pool: PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    admin: AdminServer,
    metrics: MetricsHandle,
}

impl Worker {
    /// Checks the settings and opens the admin port. Neither the database nor the runtime need
    /// answer yet: what cannot be reached is tried again, for as long as the process lives.
    ///
    /// # Errors
    /// [`BuildError`], naming the setting at fault.
    pub async fn build(args: WorkerArgs, metrics: MetricsHandle) -> Result<Self, BuildError> {
        let (config, unhandled) = (args.queue_config(), args.unhandled());
        let named = |options: PgConnectOptions| options.application_name("carrel-worker");
        let options = named(args.database.options()?);
        let direct = named(args.direct.options(&args.database)?);
        let pool = PgPoolOptions::new()
            .max_connections(args.database.max_connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(options);
        let runtime = args.runtime.connect(Purpose::Create).await?;
        let workshop = Workshop {
            pool: pool.clone(),
            runtime: runtime.clone(),
            waker: Waker::new(pool.clone()),
        };
        // Two workers in one process: ending a session never waits for a slot that a slow runtime
        // holds.
        let environments_holder = Holder::default();
        let [environments, sessions] = [
            WorkerConfig {
                queues: vec![ENVIRONMENT_QUEUE.to_owned()],
                ..config.clone()
            },
            WorkerConfig {
                name: format!("{}-sessions", config.name),
                queues: vec![SESSION_QUEUE.to_owned(), OPERATIONS_QUEUE.to_owned()],
                slots: SESSION_SLOTS,
                ..config
            },
        ]
        .map(|config| {
            QueueWorker::builder(pool.clone(), registry(&workshop), config)
                .listen_with(direct.clone())
        });
        let environments = environments.hold_with(&environments_holder).build();
        let sessions = sessions.build();
        let sweeps = Sweeps {
            unhandled,
            records: args.records.into(),
            pseudonyms: args.pseudonyms.policy()?,
            ..Sweeps::default()
        };
        let sweeps = SweepLoop::new(workshop, sweeps, environments.incarnation());
        let shown = pool.clone();
        let admin = AdminServer::bind(args.admin_listen).await?;
        let admin = admin.before_scrape(move || {
            let pool = shown.clone();
            Box::pin(async move { show_database_link(&pool).await })
        });
        Ok(Self {
            environments,
            sessions,
            environments_holder,
            sweeps,
            pool,
            runtime,
            admin,
            metrics,
        })
    }

    /// Returns the address of metrics and probes.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Works until the token is cancelled, then drains: nothing new is claimed, what runs may end.
    ///
    /// # Errors
    /// [`RunError`] when a part ended by itself.
    pub async fn run(self, stop: CancellationToken) -> Result<DrainReport, RunError> {
        let Self {
            environments,
            sessions,
            environments_holder,
            sweeps,
            pool,
            runtime,
            admin,
            metrics,
        } = self;
        tracing::info!(incarnation = %environments.incarnation(), admin = %admin.address(), "the worker works");
        let ended = CancellationToken::new();
        let health = RuntimeHealth::default();
        let probed = health.clone();
        let database = pool.clone();
        let exams = async || demanding_exams(&database).await;
        let readiness = move || readiness(pool.clone(), probed.clone());
        let serve = admin.run(metrics, readiness, ended.clone().cancelled_owned());
        let work = async {
            let (environments, sessions, ()) = tokio::join!(
                drain(environments, &stop),
                drain(sessions, &stop),
                Box::pin(sweeps.run(stop.clone()))
            );
            ended.cancel();
            Ok::<_, RunError>(sum(environments?, sessions?))
        };
        // A runtime that refuses us would only fail the sessions; they keep their places until
        // their time to start is over, or another worker's runtime lets it in. What is there is
        // looked at and destroyed meanwhile.
        let hold = health.tell_refusal(|reason| match reason {
            Some(reason) => environments_holder.hold(&MAKING, reason),
            None => environments_holder.let_go(),
        });
        tokio::select! {
            (drained, ()) = async { tokio::join!(work, serve) } => drained,
            () = hold => unreachable!("it tells until dropped"),
            () = health.watch(&*runtime, Purpose::Create, exams) => unreachable!("it watches until dropped"),
        }
    }

    /// Works until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub async fn run_until_stopped(self) -> Result<DrainReport, RunError> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
        let stop = CancellationToken::new();
        let cancel = stop.clone();
        let listen = async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
                _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            }
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            drained = self.run(stop) => drained,
            () = listen => unreachable!("the listener only ever cancels"),
        }
    }
}

/// Runs one queue's worker. Should it end by itself, nothing else keeps the process alive.
async fn drain(worker: QueueWorker, stop: &CancellationToken) -> Result<DrainReport, WorkerError> {
    let drained = Box::pin(worker.run(stop.clone())).await;
    stop.cancel();
    drained
}

fn sum(left: DrainReport, right: DrainReport) -> DrainReport {
    DrainReport {
        recorded: left.recorded + right.recorded,
        released: left.released + right.released,
        stale: left.stale + right.stale,
        unanswered: left.unanswered + right.unanswered,
    }
}

/// The exams that ask of a cluster what not every cluster has. Without a database nothing is known
/// of them, and the probes say so anyway.
async fn demanding_exams(pool: &PgPool) -> Vec<ExamDefinition> {
    let asked = async { load_latest_exams(&mut *pool.acquire().await?).await };
    let exams = asked.await.unwrap_or_else(|error| {
        tracing::debug!(%error, "the exams could not be read");
        Vec::new()
    });
    let demanding = exams
        .into_iter()
        .filter(|exam| exam.runtime_class.is_some());
    demanding.collect()
}
