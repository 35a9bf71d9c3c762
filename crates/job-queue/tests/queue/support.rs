//! Test kinds, closures as handlers, and workers with short leases.

use std::{future::Future, pin::Pin, time::Duration};

use async_trait::async_trait;
use job_queue::{
    DrainReport, EnqueueOptions, Enqueued, Handler, Job, JobAction, JobContext, JobRecord, Outcome,
    QueueWorker, Registry, WorkerConfig, enqueue, limit_queue_rate, load_job,
};
use serde::{Deserialize, Serialize};
use session_identity::JobId;
use sqlx::PgPool;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ping {
    pub(crate) number: i32,
    pub(crate) key: Option<String>,
}

impl Job for Ping {
    const KIND: &'static str = "ping";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn key(&self) -> Option<String> {
        self.key.clone()
    }
}

pub(crate) const fn ping(number: i32) -> Ping {
    Ping { number, key: None }
}

pub(crate) fn keyed(key: &str) -> Ping {
    Ping {
        number: 0,
        key: Some(key.to_owned()),
    }
}

/// A kind with one attempt and hardly any time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hasty;

impl Job for Hasty {
    const KIND: &'static str = "hasty";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 1;
    const TIMEOUT: Duration = Duration::from_millis(200);
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A closure as a handler of any kind.
pub(crate) struct Closure<F>(F);

#[async_trait]
impl<J: Job, F> Handler<J> for Closure<F>
where
    F: Fn(J, JobContext) -> Running + Send + Sync,
{
    async fn run(&self, job: J, context: &JobContext) -> Outcome {
        (self.0)(job, context.clone()).await
    }
}

pub(crate) fn handler<J, R>(
    run: impl Fn(J, JobContext) -> R + Send + Sync,
) -> Closure<impl Fn(J, JobContext) -> Running + Send + Sync>
where
    R: Future<Output = Outcome> + Send + 'static,
{
    Closure(move |job, context| -> Running { Box::pin(run(job, context)) })
}

/// Settings under which a lost lease shows within seconds, and under which none is lost because the
/// machine is slow.
pub(crate) fn quick(name: &str) -> WorkerConfig {
    WorkerConfig {
        slots: 4,
        lease: Duration::from_secs(8),
        heartbeat: Duration::from_millis(500),
        poll: Duration::from_millis(300),
        drain_grace: Duration::from_secs(1),
        cancel_grace: Duration::from_secs(2),
        ..WorkerConfig::new(name)
    }
}

/// A worker that is running; dropped, it is gone as if killed.
pub(crate) struct Started {
    stop: CancellationToken,
    task: JoinHandle<DrainReport>,
}

impl Started {
    pub(crate) fn new(worker: QueueWorker) -> Self {
        let stop = CancellationToken::new();
        let shutdown = stop.clone();
        let task =
            tokio::spawn(async move { worker.run(shutdown).await.expect("a drained worker") });
        Self { stop, task }
    }

    pub(crate) async fn drain(self) -> DrainReport {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("a drain in time")
            .unwrap()
    }

    /// Ends it without a word. Its heartbeat may beat once more.
    pub(crate) async fn kill(self) {
        self.task.abort();
        self.task.await.expect_err("it was killed");
    }
}

pub(crate) fn start(pool: &PgPool, registry: Registry, config: WorkerConfig) -> Started {
    Started::new(QueueWorker::builder(pool.clone(), registry, config).build())
}

pub(crate) async fn put<J: Job>(pool: &PgPool, job: &J) -> JobId {
    match put_with(pool, job, &EnqueueOptions::default()).await {
        Enqueued::New(id) => id,
        Enqueued::AlreadyPresent(id) => panic!("job {id} has the key"),
    }
}

pub(crate) async fn put_with<J: Job>(pool: &PgPool, job: &J, options: &EnqueueOptions) -> Enqueued {
    enqueue(&mut pool.acquire().await.unwrap(), job, options)
        .await
        .unwrap()
}

/// An operator who gives no reason.
pub(crate) fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    }
}

pub(crate) async fn set_rate(pool: &PgPool, rate: Option<f64>) {
    let mut connection = pool.acquire().await.unwrap();
    limit_queue_rate(&mut connection, "test", rate, &dana())
        .await
        .unwrap();
}

pub(crate) async fn load(pool: &PgPool, id: JobId) -> JobRecord {
    load_job(&mut pool.acquire().await.unwrap(), id)
        .await
        .unwrap()
        .expect("the job's row")
}

/// Waits until the job looks as asked and returns it.
pub(crate) async fn wait_for(
    pool: &PgPool,
    id: JobId,
    wanted: impl Fn(&JobRecord) -> bool,
) -> JobRecord {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let job = load(pool, id).await;
        if wanted(&job) {
            return job;
        }
        assert!(Instant::now() < give_up, "waited too long for {job:#?}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

pub(crate) async fn wait_for_state(pool: &PgPool, id: JobId, state: &str) -> JobRecord {
    wait_for(pool, id, |job| job.state == state).await
}

/// The outcomes of the job's runs, oldest first.
pub(crate) async fn outcomes(pool: &PgPool, id: JobId) -> Vec<String> {
    let mut connection = pool.acquire().await.unwrap();
    let attempts = job_queue::job_attempts(&mut connection, id).await.unwrap();
    attempts
        .into_iter()
        .map(|attempt| attempt.outcome)
        .collect()
}

pub(crate) fn retry(class: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        class: class.to_owned(),
        reason: "said so".to_owned(),
    }
}
