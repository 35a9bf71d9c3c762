//! Working an operation: chunk by chunk, resumed from its cursor by whoever comes next.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgPool, error::DatabaseError};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use super::OperationId;
use super::chunk::{Chunk, work_chunk};
use crate::{CancelReason, DecodeError, Handler, Job, JobContext, Outcome, notify_workers};

/// Where operations wait.
pub const OPERATIONS_QUEUE: &str = "operations";

/// A run gives its slot back after this long, so that a long operation holds up no short one.
const RUN_LASTS: Duration = Duration::from_secs(10);
/// How soon a process that works an operation looks at another.
const BUSY: Duration = Duration::from_secs(1);
/// A new job may take a key, or two operations each other's rows, just so; the chunk then sees it.
const COLLISIONS: u32 = 5;

/// Works one operation of `job_operations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BulkOperation {
    /// Which.
    pub operation: OperationId,
}

impl Job for BulkOperation {
    const KIND: &'static str = "bulk_operation";
    // A worker of version 1 leaves out what it does not know of a filter, and would change more jobs.
    const VERSION: i32 = 2;
    const OLDEST_VERSION: i32 = 1;
    const QUEUE: &'static str = OPERATIONS_QUEUE;
    // Each is an outage of the database that outlasted a run, and nothing else fails.
    const MAX_ATTEMPTS: i32 = 1_000;
    // Far beyond what a run lasts: one chunk may walk a large table for few matches.
    const TIMEOUT: Duration = Duration::from_mins(30);

    fn key(&self) -> Option<String> {
        Some(format!("bulk_operation:{}", self.operation))
    }

    fn decode(version: i32, payload: Value) -> Result<Self, DecodeError> {
        if (Self::OLDEST_VERSION..=Self::VERSION).contains(&version) {
            return serde_json::from_value(payload).map_err(DecodeError::Payload);
        }
        let known = Self::VERSION;
        Err(DecodeError::Version {
            found: version,
            known,
        })
    }
}

/// Works operations, one at a time in a process: whatever else its slots are for goes on.
#[derive(Clone, Debug)]
pub struct OperationHandler {
    pool: PgPool,
    turn: Arc<Semaphore>,
}

impl OperationHandler {
    /// Makes the handler of a process.
    pub fn new(pool: PgPool) -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { pool, turn }
    }

    async fn chunk(&self, id: OperationId, context: &JobContext) -> Result<Chunk, sqlx::Error> {
        let mut collisions = 0;
        loop {
            match work_chunk(&self.pool, id, context).await {
                Err(error) if collisions < COLLISIONS && is_collision(&error) => collisions += 1,
                answer => return answer,
            }
        }
    }

    /// Workers also poll, so that nothing depends on it.
    async fn wake(&self) {
        if let Ok(mut connection) = self.pool.acquire().await {
            notify_workers(&mut connection).await.ok();
        }
    }
}

#[async_trait]
impl Handler<BulkOperation> for OperationHandler {
    async fn run(&self, job: BulkOperation, context: &JobContext) -> Outcome {
        let Ok(_turn) = self.turn.try_acquire() else {
            return Outcome::Snooze { after: BUSY };
        };
        let give_back = Instant::now() + RUN_LASTS;
        while !context.cancellation.is_cancelled() && Instant::now() < give_back {
            let pause = match self.chunk(job.operation, context).await {
                Ok(Chunk::Worked { changed, rate }) => {
                    self.wake().await;
                    pause(changed, rate)
                }
                Ok(Chunk::Ended) => return Outcome::Done,
                Ok(Chunk::Unreadable) => return unreadable(job.operation),
                // Whatever is answered here is refused.
                Ok(Chunk::Stale) => break,
                Err(error) => return failed(&error),
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = context.cancellation.cancelled() => {}
            }
        }
        if context.cancel_reason() == Some(CancelReason::Requested) {
            return Outcome::Cancelled;
        }
        // Longer than others pause that found this process busy: now it is their turn.
        Outcome::Snooze {
            after: BUSY * 3 / 2,
        }
    }
}

/// How long the rate has the next chunk wait.
fn pause(changed: usize, rate: Option<i32>) -> Duration {
    let (Some(rate), Ok(changed)) = (rate, u32::try_from(changed)) else {
        return Duration::ZERO;
    };
    Duration::from_secs(1) * changed / u32::try_from(rate).unwrap_or(1).max(1)
}

fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // A unique violation, a deadlock.
    code.is_some_and(|code| code == "23505" || code == "40P01")
}

fn failed(error: &sqlx::Error) -> Outcome {
    Outcome::Retry {
        after: None,
        class: "database".to_owned(),
        reason: error.to_string(),
    }
}

fn unreadable(operation: OperationId) -> Outcome {
    Outcome::Dead {
        class: "undecodable".to_owned(),
        reason: format!("operation {operation} is gone or was written by another build"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_the_next_chunk_wait_for_what_the_last_one_used() {
        assert_eq!(pause(500, None), Duration::ZERO);
        assert_eq!(pause(0, Some(20)), Duration::ZERO);
        assert_eq!(pause(20, Some(20)), Duration::from_secs(1));
        assert_eq!(pause(500, Some(1_000)), Duration::from_millis(500));
    }
}
