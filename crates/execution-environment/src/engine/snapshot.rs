//! Evidence before destruction: status and the end of the log.

use std::time::Duration;

use failure_classification::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{EngineRuntime, inspect, log};
use crate::{RuntimeError, RuntimeUid};

const OPERATION: &str = "snapshot";
/// Evidence must not hold up a destruction.
const LIMIT: Duration = Duration::from_secs(5);
/// Of that, what the log may take: without it there still is the status.
const LOG: Duration = Duration::from_secs(3);
const LINES: u32 = 50;
const BYTES: usize = 16 * 1024;

pub(super) async fn snapshot(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
) -> Result<Value, RuntimeError> {
    let taken = tokio::time::timeout(LIMIT, take(runtime, uid)).await;
    taken.unwrap_or_else(|_| {
        let signal = Signal::RuntimeUnavailable {
            operation: OPERATION.to_owned(),
            status: None,
            message: format!("no snapshot within {} s", LIMIT.as_secs()),
            retry_after_ms: None,
        };
        Err(RuntimeError::new(OPERATION, signal))
    })
}

async fn take(runtime: &EngineRuntime, uid: &RuntimeUid) -> Result<Value, RuntimeError> {
    let found = inspect::inspect_uid(runtime, OPERATION, uid).await?;
    let state = found.state.unwrap_or_default();
    Ok(json!({
        "uid": uid,
        "phase": inspect::phase(&state),
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "image_digest": found.image,
        "log_tail": log_tail(runtime, uid).await,
    }))
}

/// A log that cannot be read is part of the evidence, not a failure.
async fn log_tail(runtime: &EngineRuntime, uid: &RuntimeUid) -> String {
    let until = Instant::now() + LOG;
    match log::tail(runtime, uid, LINES, BYTES, until).await {
        (tail, None) => tail,
        (tail, Some(cut_off)) => format!("{tail}{cut_off}"),
    }
}
