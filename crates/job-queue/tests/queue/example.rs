//! The README's example, compiled, run, and kept the same.

use session_identity::JobId;
use sqlx::Row as _;

use crate::support::wait_for_state;

// The README shows from here on.
use std::time::Duration;

use async_trait::async_trait;
use job_queue::{
    EnqueueOptions, Handler, Job, JobContext, Outcome, QueueWorker, Registry, Waker, WorkerConfig,
    enqueue,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Serialize, Deserialize)]
struct GradeSubmission {
    submission: i64,
}

impl Job for GradeSubmission {
    const KIND: &'static str = "grade_submission"; // fixed for ever
    const QUEUE: &'static str = "grading";
    const MAX_ATTEMPTS: i32 = 5;
    const TIMEOUT: Duration = Duration::from_mins(2);

    /// Of live jobs with one key there is one.
    fn key(&self) -> Option<String> {
        Some(format!("grade:{}", self.submission))
    }
}

struct Grade {
    pool: PgPool,
}

#[async_trait]
impl Handler<GradeSubmission> for Grade {
    async fn run(&self, _job: GradeSubmission, context: &JobContext) -> Outcome {
        match self.grade(context).await {
            Ok(()) => Outcome::AlreadyRecorded,
            Err(error) => Outcome::Retry {
                after: None, // by its backoff
                class: "not_graded".to_owned(),
                reason: error.to_string(),
            },
        }
    }
}

impl Grade {
    /// The grade and the job's outcome in one transaction: both or neither.
    async fn grade(&self, context: &JobContext) -> Result<(), Failure> {
        let mut transaction = self.pool.begin().await?;
        sqlx::raw_sql("UPDATE submissions SET grade = length(text)")
            .execute(&mut *transaction)
            .await?;
        context.record(&mut transaction, &Outcome::Done).await?;
        Ok(transaction.commit().await?)
    }
}

/// Whoever takes a submission also has it graded, once both are committed.
async fn submit(pool: &PgPool, waker: &Waker) -> Result<(), Failure> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql("INSERT INTO submissions VALUES (7, 'an answer')")
        .execute(&mut *transaction)
        .await?;
    let job = GradeSubmission { submission: 7 };
    enqueue(&mut transaction, &job, &EnqueueOptions::default()).await?;
    transaction.commit().await?;
    waker.wake(); // one Waker a process, never inside the transaction
    Ok(())
}

/// Works until `shutdown` is cancelled, and then gives back what it cannot finish.
async fn work(pool: PgPool, shutdown: CancellationToken) -> Result<(), Failure> {
    let registry = Registry::new().register::<GradeSubmission, _>(Grade { pool: pool.clone() });
    let worker = QueueWorker::builder(pool, registry, WorkerConfig::new("worker-1")).build();
    let report = worker.run(shutdown).await?;
    tracing::info!(?report, "drained");
    Ok(())
}
// And up to here.

const BEGIN: &str = "// The README shows from here on.\n";
const END: &str = "// And up to here.\n";

#[test]
fn the_readme_shows_this_code() {
    let (_, code) = include_str!("example.rs").split_once(BEGIN).unwrap();
    let (code, _) = code.split_once(END).unwrap();
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&format!("```rust,no_run\n{code}```\n")),
        "copy the example into the README"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_readmes_example_grades_what_was_submitted(pool: PgPool) {
    let table =
        "CREATE TABLE submissions (id bigint PRIMARY KEY, text text NOT NULL, grade integer)";
    sqlx::raw_sql(table).execute(&pool).await.unwrap();
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(work(pool.clone(), shutdown.clone()));
    submit(&pool, &Waker::new(pool.clone())).await.unwrap();
    let id = sqlx::query_scalar!(r#"SELECT id AS "id: JobId" FROM jobs"#);
    let id = id.fetch_one(&pool).await.unwrap();
    wait_for_state(&pool, id, "done").await;
    let graded: i64 = sqlx::raw_sql("SELECT count(*) FROM submissions WHERE grade = 9")
        .fetch_one(&pool)
        .await
        .unwrap()
        .get(0);
    assert_eq!(graded, 1);
    shutdown.cancel();
    working.await.unwrap().unwrap();
}
