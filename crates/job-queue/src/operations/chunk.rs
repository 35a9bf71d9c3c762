//! One chunk: jobs, their audit rows and the cursor move in one transaction.

use std::collections::HashSet;

use sqlx::{Acquire as _, PgPool, Postgres, Transaction};

use super::change::{change, find_next, note, pick, taken_keys};
use super::decide::decide;
use super::row::{advance, end, lock_operation};
use super::{BulkVerb, OperationId};
use crate::{JobContext, JobFilter};

/// Short enough that a lock on its rows delays no heartbeat, long enough that commits do not count.
const CHUNK: i64 = 500;

/// From here on each chunk walks the primary key from the cursor. The planner may prefer to find and
/// sort all that is left, which is quick for few and quadratic for many: with 200,000 of 800,000 jobs,
/// 500 a second were changed instead of 10,000.
const MANY: i64 = 10_000;

/// What became of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// It was worked, and there may be more.
    Worked {
        /// Jobs changed.
        changed: usize,
        /// Jobs changed a second at most.
        rate: Option<i32>,
    },
    /// The operation has ended, now or before.
    Ended,
    /// There is no such operation, or another build wrote it.
    Unreadable,
    /// Another run works the operation now.
    Stale,
}

/// Works the next chunk of the operation.
pub(super) async fn work_chunk(
    pool: &PgPool,
    id: OperationId,
    context: &JobContext,
) -> Result<Chunk, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let Some(operation) = lock_operation(&mut transaction, id).await? else {
        return Ok(Chunk::Unreadable);
    };
    if operation.has_ended {
        return Ok(Chunk::Ended);
    }
    let filter = serde_json::from_value::<JobFilter>(operation.filter.clone()).ok();
    let verb = BulkVerb::from_stored(&operation.verb, &operation.arguments);
    let (Some(filter), Some(verb)) = (filter, verb) else {
        end(
            &mut transaction,
            &operation,
            Some("written by another build"),
        )
        .await?;
        return commit(transaction, context, Chunk::Unreadable).await;
    };
    let limit = operation.rate.map_or(CHUNK, |rate| CHUNK.min(rate.into()));
    if operation.matched > MANY && filter.ids.is_none() {
        sqlx::query!("SET LOCAL enable_sort = off")
            .execute(&mut *transaction)
            .await?;
    }
    let found = find_next(&mut transaction, &filter, &operation, limit).await?;
    let Some(last) = found.last().copied() else {
        end(&mut transaction, &operation, None).await?;
        return commit(transaction, context, Chunk::Ended).await;
    };
    let picked = pick(&mut transaction, &filter, &found).await?;
    let taken = match verb {
        BulkVerb::Retry { .. } => taken_keys(&mut transaction, &picked).await?,
        _ => HashSet::new(),
    };
    let (fitting, skipped) = decide(&verb, picked, taken);
    change(&mut transaction, &verb, &fitting).await?;
    note(&mut transaction, &operation, verb.action(), &fitting).await?;
    advance(&mut transaction, &operation, last, fitting.len(), &skipped).await?;
    let changed = fitting.len();
    let rate = operation.rate;
    commit(transaction, context, Chunk::Worked { changed, rate }).await
}

/// Commits if this run still owns the operation's job. A run that got this far is no crash loop:
/// its crashes are forgotten. Last, since heartbeats of the whole worker wait for this lock.
async fn commit(
    mut transaction: Transaction<'_, Postgres>,
    context: &JobContext,
    chunk: Chunk,
) -> Result<Chunk, sqlx::Error> {
    let owned = sqlx::query!(
        "UPDATE jobs SET crash_count = 0
         WHERE id = $1 AND run_token = $2 AND state = 'running'",
        context.job_id.as_uuid(),
        context.run_token,
    )
    .execute(&mut *transaction)
    .await?;
    if owned.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Chunk::Stale);
    }
    transaction.commit().await?;
    Ok(chunk)
}
