//! The measuring: producer and worker in this process, so that there is one clock.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use command_line::CliError;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    DrainReport, EnqueueError, EnqueueOptions, Handler, Job, JobContext, Outcome, QueueWorker,
    Registry, Waker, WorkerConfig, WorkerError, enqueue, enqueue_many,
};

/// A queue that nobody else claims from.
pub(super) const QUEUE: &str = "carrel_bench";
const BATCH: usize = 1_000;
/// Longer than the notifier's debounce, so that each probe meets an idle worker.
const GAP: Duration = Duration::from_millis(50);
/// A job that has not started by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    #[error("use the database")]
    Database(#[from] sqlx::Error),
    #[error("enqueue a job")]
    Enqueue(#[from] EnqueueError),
    #[error("run the worker")]
    Worker(#[from] WorkerError),
    #[error("run the worker to its end")]
    Join(#[from] tokio::task::JoinError),
    #[error("see a job start within {PATIENCE:?}")]
    NeverStarted,
}

impl From<BenchError> for CliError {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Database(error) | BenchError::Enqueue(EnqueueError::Database(error)) => {
                error.into()
            }
            BenchError::NeverStarted => Self::transient(error.to_string())
                .next("carrel queues list; a paused or limited queue starts nothing"),
            BenchError::Enqueue(_) | BenchError::Worker(_) | BenchError::Join(_) => {
                Self::bug("measure the queue").caused_by(&error)
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

impl Job for Nothing {
    const KIND: &'static str = "carrel_bench_nothing";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 10;
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Tells when each job starts.
struct Tell(mpsc::UnboundedSender<Instant>);

#[async_trait]
impl Handler<Nothing> for Tell {
    async fn run(&self, _: Nothing, _: &JobContext) -> Outcome {
        // Nobody hears what starts after the measuring has ended.
        self.0.send(Instant::now()).ok();
        Outcome::Done
    }
}

/// Milliseconds from before the enqueue until the handler starts.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Starts {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

pub(super) struct Bench {
    pool: PgPool,
    direct: PgConnectOptions,
    slots: usize,
}

impl Bench {
    pub(super) const fn new(pool: PgPool, direct: PgConnectOptions, slots: usize) -> Self {
        Self {
            pool,
            direct,
            slots,
        }
    }

    /// Each job its own commit, for as many or as long; returns jobs a second.
    pub(super) async fn enqueue_one_by_one(
        &self,
        count: u32,
        longest: Duration,
    ) -> Result<f64, BenchError> {
        let mut connection = self.pool.acquire().await?;
        let begun = Instant::now();
        let mut enqueued = 0;
        while enqueued < count && begun.elapsed() < longest {
            enqueue(&mut connection, &Nothing, &EnqueueOptions::default()).await?;
            enqueued += 1;
        }
        Ok(f64::from(enqueued) / begun.elapsed().as_secs_f64())
    }

    /// A thousand a statement; returns jobs a second.
    pub(super) async fn enqueue_in_batches(&self, count: u32) -> Result<f64, BenchError> {
        let mut connection = self.pool.acquire().await?;
        let jobs: Vec<_> = (0..count).map(|_| Nothing).collect();
        let begun = Instant::now();
        for batch in jobs.chunks(BATCH) {
            enqueue_many(&mut connection, batch, &EnqueueOptions::default()).await?;
        }
        Ok(f64::from(count) / begun.elapsed().as_secs_f64())
    }

    /// Runs what waits, history and heartbeats included; returns jobs a second, by the last start.
    pub(super) async fn run_all(&self) -> Result<f64, BenchError> {
        let waiting = sqlx::query_scalar!(
            r#"SELECT count(*)::integer AS "waiting!" FROM jobs WHERE queue = $1 AND state = 'ready'"#,
            QUEUE,
        )
        .fetch_one(&self.pool)
        .await?;
        let begun = Instant::now();
        let mut worker = self.start();
        for _ in 0..waiting {
            worker.next_start().await?;
        }
        let took = begun.elapsed();
        worker.stop().await?;
        Ok(f64::from(waiting) / took.as_secs_f64())
    }

    /// One job after the other, each for a worker that has nothing else to do.
    pub(super) async fn idle_starts(&self, probes: u16) -> Result<Starts, BenchError> {
        let waker = Waker::new(self.pool.clone());
        let mut worker = self.start();
        let mut millis = Vec::new();
        for _ in 0..probes {
            tokio::time::sleep(GAP).await;
            let asked = Instant::now();
            let mut connection = self.pool.acquire().await?;
            enqueue(&mut connection, &Nothing, &EnqueueOptions::default()).await?;
            drop(connection);
            waker.wake();
            let started = worker.next_start().await?;
            millis.push(started.duration_since(asked).as_secs_f64() * 1_000.0);
        }
        worker.stop().await?;
        millis.sort_by(f64::total_cmp);
        let at = |percent| millis[(millis.len() - 1) * percent / 100];
        Ok(Starts {
            p50: at(50),
            p99: at(99),
            max: at(100),
        })
    }

    fn start(&self) -> Running {
        let (tell, starts) = mpsc::unbounded_channel();
        let registry = Registry::new().register::<Nothing, _>(Tell(tell));
        let config = WorkerConfig {
            slots: self.slots,
            ..WorkerConfig::new("carrel-bench")
        };
        let stop = CancellationToken::new();
        let worker = QueueWorker::builder(self.pool.clone(), registry, config)
            .listen_with(self.direct.clone())
            .build();
        let task = tokio::spawn(worker.run(stop.clone()));
        Running {
            starts,
            stop: stop.drop_guard(),
            task,
        }
    }
}

/// A worker at work.
struct Running {
    starts: mpsc::UnboundedReceiver<Instant>,
    /// Dropped, the worker drains.
    stop: DropGuard,
    task: JoinHandle<Result<DrainReport, WorkerError>>,
}

impl Running {
    async fn next_start(&mut self) -> Result<Instant, BenchError> {
        let started = tokio::time::timeout(PATIENCE, self.starts.recv()).await;
        started.ok().flatten().ok_or(BenchError::NeverStarted)
    }

    async fn stop(self) -> Result<(), BenchError> {
        self.stop.disarm().cancel();
        self.task.await??;
        Ok(())
    }
}
