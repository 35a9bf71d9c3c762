//! The limit over all queues together.

use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

use crate::operate::{JobAction, append_action};

/// How all queues stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AllQueues {
    /// Jobs with a lease, run out or not.
    pub running: i64,
    /// How many jobs may run at once, whatever their queues, over all workers; `None` for as many as
    /// have slots.
    pub concurrency: Option<i32>,
}

/// Counts what runs, and tells how much may.
///
/// # Errors
/// Whatever the database says.
pub async fn load_all_queues(connection: &mut PgConnection) -> Result<AllQueues, sqlx::Error> {
    sqlx::query_as!(
        AllQueues,
        r#"SELECT (SELECT count(*) FROM jobs WHERE state = 'running') AS "running!",
                  (SELECT concurrency FROM all_queues) AS concurrency"#,
    )
    .fetch_one(connection)
    .await
}

/// Sets how many jobs may run at once, whatever their queues, over all workers; `None` lifts the
/// limit. It counts beside those of single queues, for claims that begin after it; what runs goes on.
///
/// # Errors
/// Whatever the database says, such as that a limit below 1 breaks
/// `all_queues_concurrency_positive`.
pub async fn limit_all_queues(
    connection: &mut PgConnection,
    concurrency: Option<i32>,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO all_queues (concurrency) VALUES ($1)
         ON CONFLICT (only_row) DO UPDATE SET concurrency = EXCLUDED.concurrency",
        concurrency,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = serde_json::json!({ "concurrency": concurrency });
    append_action(&mut transaction, None, "queue.limit_all", action, &detail).await?;
    transaction.commit().await
}
