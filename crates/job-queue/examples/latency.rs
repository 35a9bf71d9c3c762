//! Prints what an idle worker takes from enqueue to handler start, beside a raw NOTIFY round trip
//! through the same server, and how many no-op jobs it gets through.
//!
//! `cargo run --release -p job-queue --example latency -- postgres://…/an_empty_database`

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use job_queue::{
    EnqueueOptions, Handler, Job, JobContext, Outcome, QueueWorker, Registry, Waker, WorkerConfig,
    enqueue, enqueue_many,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 300;
const BURST: usize = 50_000;
/// Longer than the notifier's debounce, so that each round meets an idle worker.
const GAP: Duration = Duration::from_millis(25);

#[derive(Serialize, Deserialize)]
struct Nothing;

impl Job for Nothing {
    const KIND: &'static str = "nothing";
    const QUEUE: &'static str = "bench";
    const MAX_ATTEMPTS: i32 = 1;
    const TIMEOUT: Duration = Duration::from_mins(1);
}

#[derive(Clone, Default)]
struct Count {
    started: Arc<Notify>,
    runs: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler<Nothing> for Count {
    async fn run(&self, _: Nothing, _: &JobContext) -> Outcome {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.started.notify_one();
        Outcome::Done
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .ok_or("the first argument is a database URL")?;
    let pool = PgPool::connect(&url).await?;
    migrations::MIGRATOR.run(&pool).await?;
    let raw = notify_round_trips(&pool).await?;
    println!("NOTIFY round trip   p50 {:?} p99 {:?}", raw.0, raw.1);
    let count = Count::default();
    let config = WorkerConfig {
        slots: 100,
        ..WorkerConfig::new("bench")
    };
    let registry = Registry::new().register::<Nothing, _>(count.clone());
    let shutdown = CancellationToken::new();
    let worker = QueueWorker::builder(pool.clone(), registry, config).build();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = idle_starts(&pool, &count).await?;
    println!("enqueue to start    p50 {:?} p99 {:?}", idle.0, idle.1);
    println!(
        "ratio               p50 {:.1} p99 {:.1}",
        idle.0.as_secs_f64() / raw.0.as_secs_f64(),
        idle.1.as_secs_f64() / raw.1.as_secs_f64(),
    );
    let rate = burst(&pool, &count).await?;
    println!("no-op jobs          {rate:.0}/s at 100 slots, {BURST} waiting");
    shutdown.cancel();
    println!("{:?}", running.await??);
    Ok(())
}

async fn notify_round_trips(pool: &PgPool) -> Result<(Duration, Duration), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("latency_probe").await?;
    let mut sender = pool.acquire().await?;
    let mut samples = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let sent = Instant::now();
        sqlx::query!("NOTIFY latency_probe")
            .execute(&mut *sender)
            .await?;
        listener.recv().await?;
        samples.push(sent.elapsed());
        tokio::time::sleep(GAP).await;
    }
    Ok(percentiles(samples))
}

async fn idle_starts(pool: &PgPool, count: &Count) -> Result<(Duration, Duration), Box<dyn Error>> {
    let waker = Waker::new(pool.clone());
    let mut connection = pool.acquire().await?;
    let mut samples = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let asked = Instant::now();
        enqueue(&mut connection, &Nothing, &EnqueueOptions::default()).await?;
        waker.wake();
        count.started.notified().await;
        samples.push(asked.elapsed());
        tokio::time::sleep(GAP).await;
    }
    Ok(percentiles(samples))
}

async fn burst(pool: &PgPool, count: &Count) -> Result<f64, Box<dyn Error>> {
    let mut transaction = pool.begin().await?;
    let jobs: Vec<Nothing> = (0..1_000).map(|_| Nothing).collect();
    for _ in 0..BURST / jobs.len() {
        enqueue_many(&mut transaction, &jobs, &EnqueueOptions::default()).await?;
    }
    transaction.commit().await?;
    let (before, began) = (count.runs.load(Ordering::Relaxed), Instant::now());
    Waker::new(pool.clone()).wake();
    while count.runs.load(Ordering::Relaxed) < before + BURST {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(f64::from(u32::try_from(BURST)?) / began.elapsed().as_secs_f64())
}

fn percentiles(mut samples: Vec<Duration>) -> (Duration, Duration) {
    samples.sort();
    (
        samples[samples.len() / 2],
        samples[samples.len() * 99 / 100],
    )
}
