//! What is set of one queue: how many of its jobs run at once, how many are started a second, and
//! how soon waiting raises one.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::{
    job::millis,
    operate::{JobAction, append_action},
};

/// Sets how many jobs of a queue may run at once, over all workers; `None` lifts the limit. It
/// counts for claims that begin after it; what runs goes on.
///
/// # Errors
/// Whatever the database says, such as that a limit below 1 breaks `queues_concurrency_positive`.
pub async fn limit_queue(
    connection: &mut PgConnection,
    queue: &str,
    concurrency: Option<i32>,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO queues (name, concurrency) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET concurrency = EXCLUDED.concurrency",
        queue,
        concurrency,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = serde_json::json!({ "queue": queue, "concurrency": concurrency });
    append_action(&mut transaction, None, "queue.limit", action, &detail).await?;
    transaction.commit().await
}

/// Sets how many runs of a queue may be started a second, over all workers; `None` lifts the limit.
/// It counts for claims that begin after it.
///
/// Starts that were not made are saved up to one second's worth, and to one at least: within any
/// *t* seconds no more runs are claimed than `rate * t` and as many more. Every claim counts, that
/// of a run taken over too, and one that is given back or lost stays counted.
///
/// # Errors
/// Whatever the database says, such as that a rate below 0.000001 or above a million breaks
/// `queues_rate_bounded`.
pub async fn limit_queue_rate(
    connection: &mut PgConnection,
    queue: &str,
    rate_per_second: Option<f64>,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    match rate_per_second {
        Some(rate) => write_rate(&mut transaction, queue, rate).await?,
        None => lift_rate(&mut transaction, queue).await?,
    }
    let detail = serde_json::json!({ "queue": queue, "rate_per_second": rate_per_second });
    append_action(&mut transaction, None, "queue.rate", action, &detail).await?;
    transaction.commit().await
}

/// A rate over an older one begins with what that has left: setting it again is no way to start
/// more.
async fn write_rate(
    connection: &mut PgConnection,
    queue: &str,
    rate_per_second: f64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO queues (name, rate_per_second, tokens, tokens_at)
         VALUES ($1, $2::float8, GREATEST($2, 1.0::float8), clock_timestamp())
         ON CONFLICT (name) DO UPDATE SET
            rate_per_second = EXCLUDED.rate_per_second,
            -- What is NULL, as without a rate before, is passed over.
            tokens = LEAST(EXCLUDED.tokens,
                           queue_tokens(queues.rate_per_second, queues.tokens, queues.tokens_at,
                                        EXCLUDED.tokens_at)),
            tokens_at = GREATEST(queues.tokens_at, EXCLUDED.tokens_at)",
        queue,
        rate_per_second,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn lift_rate(connection: &mut PgConnection, queue: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE queues SET rate_per_second = NULL, tokens = NULL, tokens_at = NULL WHERE name = $1",
        queue,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Sets how long a job of a queue waits until it counts as one priority higher; `None` has higher
/// priorities always go first. It counts for claims that begin after it.
///
/// Due jobs then go in order of `run_at - priority * age`, the least first. Which of two goes first
/// never changes, so nothing is written as they wait, and what comes later overtakes a job only for
/// so long.
///
/// # Errors
/// Whatever the database says, such as that an age below 1 s or above 366 days breaks
/// `queues_priority_age_bounded`.
pub async fn age_queue(
    connection: &mut PgConnection,
    queue: &str,
    priority_age: Option<Duration>,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let age_ms = priority_age.map(millis);
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO queues (name, priority_age)
         VALUES ($1, $2::bigint * interval '1 millisecond')
         ON CONFLICT (name) DO UPDATE SET priority_age = EXCLUDED.priority_age",
        queue,
        age_ms,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = serde_json::json!({ "queue": queue, "priority_age_ms": age_ms });
    append_action(
        &mut transaction,
        None,
        "queue.priority_age",
        action,
        &detail,
    )
    .await?;
    transaction.commit().await
}
