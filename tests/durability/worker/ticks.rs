//! A schedule whose every tick is written down in the transaction that claims it.

use std::time::Duration;

use job_queue::{Schedule, Tick, finish_owed_tick, tick};
use session_identity::WorkerIncarnation;
use sqlx::{AssertSqlSafe, PgPool};
use system_tests::ledger::TICKING;

/// Between two looks: several in a period.
const PAUSE: Duration = Duration::from_millis(40);

/// Asks for ticks for as long as the process lives.
pub(crate) async fn repeat(pool: PgPool, every: Duration, worker: WorkerIncarnation) {
    loop {
        if let Err(error) = ask(&pool, every, worker).await {
            tracing::warn!(%error, "no tick could be asked for");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(pool: &PgPool, every: Duration, worker: WorkerIncarnation) -> Result<(), sqlx::Error> {
    let schedule = Schedule {
        name: TICKING,
        every,
        is_pausable: true,
    };
    let mut transaction = pool.begin().await?;
    if let Some(claimed) = tick(&mut transaction, schedule, worker).await? {
        let owed_for = match claimed {
            Tick::Regular => "NULL".to_owned(),
            Tick::Owed { due_at } => {
                finish_owed_tick(&mut transaction, TICKING, due_at).await?;
                format!("'{}'", due_at.to_rfc3339())
            }
        };
        // Not a checked query: no migration makes this table.
        let worker = worker.as_uuid();
        let written =
            format!("INSERT INTO durability.ticks VALUES (now(), '{worker}', {owed_for})");
        sqlx::raw_sql(AssertSqlSafe(written))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}
