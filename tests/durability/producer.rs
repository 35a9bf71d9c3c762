//! A producer that goes on while the database comes and goes, and remembers what it was answered.

use std::time::Duration;

use job_queue::{EnqueueOptions, enqueue};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use system_tests::ledger::{LedgerJob as _, Note, Task};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::checker::Intent;

/// Between two jobs.
const PAUSE: Duration = Duration::from_millis(20);

/// Enqueues a job every so often until it is stopped.
pub(crate) struct Producer {
    stop: CancellationToken,
    task: JoinHandle<Vec<Intent>>,
}

impl Producer {
    /// Its jobs have effects of this name and a number.
    pub(crate) fn start(database_url: &str, name: &'static str) -> Self {
        let options: PgConnectOptions = database_url.parse().unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(1))
            .connect_lazy_with(options);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { produce(&pool, name, &stopped).await });
        Self { stop, task }
    }

    /// Stops it and returns what it was answered, and what it was not.
    pub(crate) async fn stop(self) -> Vec<Intent> {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

async fn produce(pool: &PgPool, name: &str, stopped: &CancellationToken) -> Vec<Intent> {
    let mut intents = Vec::new();
    for number in 0.. {
        if stopped.is_cancelled() {
            break;
        }
        let job = Note(Task::new(format!("{name} {number}")));
        intents.extend(put(pool, &job).await);
        tokio::time::sleep(PAUSE).await;
    }
    intents
}

/// Nothing where the job certainly is not there.
async fn put(pool: &PgPool, job: &Note) -> Option<Intent> {
    let mut tx = pool.begin().await.ok()?;
    let enqueued = enqueue(&mut tx, job, &EnqueueOptions::default())
        .await
        .ok()?;
    let id = enqueued.id().as_uuid();
    Some(match tx.commit().await {
        Ok(()) => Intent::acknowledged(id, job.promised()),
        Err(_) => Intent::in_doubt(id, job.promised()),
    })
}
