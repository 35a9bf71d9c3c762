//! apalis with its own PostgreSQL storage, as its documentation has it: notifications and a poll
//! each second beside them, since notifications alone lose wake-ups.

#[path = "../../contract.rs"]
mod contract;

use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use contract::{Failure, Queue, Starts};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Jobs a worker takes at once, as the storage's `batch_size` is by default, and runs at once.
const AT_ONCE: usize = 10;
const POLL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Serialize, Deserialize)]
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

async fn run(job: Nothing, starts: Data<Starts>) -> Result<(), BoxDynError> {
    starts.note(job.t);
    Ok(())
}

struct StockApalis {
    pool: PgPool,
    storage: PostgresStorage<Nothing>,
}

impl Queue for StockApalis {
    async fn setup(&self) -> Result<(), Failure> {
        Ok(PostgresStorage::setup(&self.pool).await?)
    }

    async fn send(&self, number: u64) -> Result<(), Failure> {
        let mut storage = self.storage.clone();
        Ok(storage.push(Nothing::numbered(number)).await?)
    }

    async fn send_many(&self, count: usize) -> Result<(), Failure> {
        let mut storage = self.storage.clone();
        let jobs = (0..count).map(|_| Nothing::numbered(0)).collect();
        Ok(storage.push_bulk(jobs).await?)
    }

    fn work(&self, starts: Starts, stop: CancellationToken) -> JoinHandle<Result<(), Failure>> {
        let storage = self.storage.clone();
        tokio::spawn(async move {
            let monitor = Monitor::new().register(move |restarts| {
                WorkerBuilder::new(format!("bench-{restarts}"))
                    .backend(storage.clone().with_pubsub().poll_with_interval(POLL))
                    .concurrency(AT_ONCE)
                    .data(starts.clone())
                    .build(run)
            });
            let stopped = async move {
                stop.cancelled().await;
                Ok(())
            };
            Ok(monitor.run_with_signal(stopped).await?)
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let config = Config::default().queue("bench").batch_size(AT_ONCE);
    let storage = PostgresStorage::new(&pool).with_config(config);
    let measured = contract::run(&StockApalis { pool, storage }, &words).await?;
    println!("{measured}");
    Ok(())
}
