//! A job is part of its caller's transaction, whatever becomes of that.

use job_queue::{EnqueueOptions, enqueue};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use system_tests::Weight;
use system_tests::ledger::{LedgerJob as _, Note, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::checker::Intent;
use crate::worker_plan::WorkerPlan;

/// How a transaction with two jobs ends; the second is behind a savepoint.
#[derive(Debug, Clone, Copy)]
enum End {
    Committed,
    RolledBack,
    BackToSavepoint,
    PreparedAndCommitted,
    PreparedAndRolledBack,
    Disconnected,
}

impl End {
    const ALL: [Self; 6] = [
        Self::Committed,
        Self::RolledBack,
        Self::BackToSavepoint,
        Self::PreparedAndCommitted,
        Self::PreparedAndRolledBack,
        Self::Disconnected,
    ];

    /// How many of the two jobs there are then.
    fn leaves(self) -> usize {
        match self {
            Self::Committed | Self::PreparedAndCommitted => 2,
            Self::BackToSavepoint => 1,
            Self::RolledBack | Self::PreparedAndRolledBack | Self::Disconnected => 0,
        }
    }

    fn statements(self) -> &'static [&'static str] {
        match self {
            Self::Committed => &["COMMIT"],
            Self::RolledBack => &["ROLLBACK"],
            Self::BackToSavepoint => &["ROLLBACK TO SAVEPOINT s", "COMMIT"],
            Self::PreparedAndCommitted => &["PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'"],
            Self::PreparedAndRolledBack => &["PREPARE TRANSACTION 'p'", "ROLLBACK PREPARED 'p'"],
            Self::Disconnected => &[],
        }
    }
}

#[tokio::test]
async fn a_job_exists_exactly_when_its_transaction_was_committed() {
    let settings = ["max_prepared_transactions=4"];
    let mut bench = Bench::with_own_postgres(Weight::Light, &settings).await;
    bench.work(&WorkerPlan::named("w"));
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for end in End::ALL {
            let jobs = [1, 2].map(|it| Note(Task::new(format!("{isolation} {end:?} {it}"))));
            let ids = transaction(&bench, isolation, end, &jobs).await;
            let there = ids.into_iter().zip(&jobs).take(end.leaves());
            let intents = there.map(|(id, job)| Intent::acknowledged(id, job.promised()));
            bench.intents.extend(intents);
        }
    }
    // The checker refuses a job and an effect that nobody committed.
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.ledger.len(), 3 * 5);
}

async fn transaction(bench: &Bench, isolation: &str, end: End, jobs: &[Note; 2]) -> [Uuid; 2] {
    let mut connection = PgConnection::connect(&bench.database.url).await.unwrap();
    run(
        &mut connection,
        &format!("BEGIN ISOLATION LEVEL {isolation}"),
    )
    .await;
    let options = EnqueueOptions::default();
    let first = enqueue(&mut connection, &jobs[0], &options).await.unwrap();
    run(&mut connection, "SAVEPOINT s").await;
    let second = enqueue(&mut connection, &jobs[1], &options).await.unwrap();
    for statement in end.statements() {
        run(&mut connection, statement).await;
    }
    [first, second].map(|enqueued| enqueued.id().as_uuid())
}

async fn run(connection: &mut PgConnection, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}
