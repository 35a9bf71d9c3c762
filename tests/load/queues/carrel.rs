//! Carrel's queue as a contender, in a process of its own like all others.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use job_queue::{
    EnqueueOptions, Handler, Job, JobContext, Outcome, QueueWorker, Registry, Waker, WorkerConfig,
    enqueue, enqueue_many,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::contract::{self, Failure, Queue, Starts};

/// Between two bare notifications.
const GAP: Duration = Duration::from_millis(50);

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {
    t: u64,
    pad: String,
}

impl Nothing {
    const fn numbered(t: u64) -> Self {
        let pad = String::new();
        Self { t, pad }
    }
}

impl Job for Nothing {
    const KIND: &'static str = "nothing";
    const QUEUE: &'static str = "bench";
    const MAX_ATTEMPTS: i32 = 10;
    const TIMEOUT: Duration = Duration::from_mins(1);
}

struct Report(Starts);

#[async_trait]
impl Handler<Nothing> for Report {
    async fn run(&self, job: Nothing, _: &JobContext) -> Outcome {
        self.0.note(job.t);
        Outcome::Done
    }
}

struct Carrel {
    pool: PgPool,
    waker: Waker,
    slots: usize,
}

impl Queue for Carrel {
    async fn setup(&self) -> Result<(), Failure> {
        Ok(migrations::MIGRATOR.run(&self.pool).await?)
    }

    async fn send(&self, number: u64) -> Result<(), Failure> {
        let mut conn = self.pool.acquire().await?;
        enqueue(
            &mut conn,
            &Nothing::numbered(number),
            &EnqueueOptions::default(),
        )
        .await?;
        self.waker.wake();
        Ok(())
    }

    async fn send_many(&self, count: usize) -> Result<(), Failure> {
        let jobs: Vec<Nothing> = (0..count).map(|_| Nothing::numbered(0)).collect();
        let mut conn = self.pool.acquire().await?;
        enqueue_many(&mut conn, &jobs, &EnqueueOptions::default()).await?;
        self.waker.wake();
        Ok(())
    }

    fn work(&self, starts: Starts, stop: CancellationToken) -> JoinHandle<Result<(), Failure>> {
        let registry = Registry::new().register::<Nothing, _>(Report(starts));
        let config = WorkerConfig {
            slots: self.slots,
            ..WorkerConfig::new("bench")
        };
        let worker = QueueWorker::builder(self.pool.clone(), registry, config).build();
        tokio::spawn(async move {
            let told = worker.run(stop).await?;
            if told.unanswered + told.stale > 0 {
                return Err(format!("runs without a recorded end: {told:?}").into());
            }
            Ok(())
        })
    }
}

/// Does what the words ask: a verb of the contract, or `notify N` for the floor of all latencies.
pub(crate) async fn run(url: &str, slots: usize, words: &[String]) -> Result<Value, Failure> {
    let pool = PgPoolOptions::new().max_connections(4).connect(url).await?;
    if let [verb, rounds] = words
        && verb == "notify"
    {
        return notify_round_trips(&pool, rounds.parse()?).await;
    }
    let waker = Waker::new(pool.clone());
    contract::run(&Carrel { pool, waker, slots }, words).await
}

async fn notify_round_trips(pool: &PgPool, rounds: usize) -> Result<Value, Failure> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("latency_probe").await?;
    let mut sender = pool.acquire().await?;
    let mut millis = Vec::new();
    for _ in 0..rounds {
        let sent = Instant::now();
        sqlx::raw_sql("NOTIFY latency_probe")
            .execute(&mut *sender)
            .await?;
        listener.recv().await?;
        millis.push(sent.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(GAP).await;
    }
    Ok(json!({ "millis": millis, "background": 0.0 }))
}
