//! How the process ends: what asks it to, and what it does before.

use std::time::Duration;

use crate::state::GatewayState;

/// How long a drain waits for the terminals, which leave within 5 s.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);
/// How long the last recordings may take to reach the database.
const SHIP_WITHIN: Duration = Duration::from_secs(4);

/// Refuses new attaches and waits, for a while, until the terminals have left and their last words are
/// with the recorder: the threads that carry them end with the server.
pub(super) async fn drain(state: &GatewayState) {
    state.draining.cancel();
    let empty = async {
        while !state.registry.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        state.tees.ended().await;
    };
    if tokio::time::timeout(DRAIN_WITHIN, empty).await.is_err() {
        tracing::warn!(
            "some terminals, or their last recorded bytes, did not leave in time; they are cut"
        );
    }
}

/// Nothing is attached any more: what the spool holds goes to the database, or waits for the next process.
pub(super) async fn keep_recordings(state: &GatewayState) {
    let Some(recorder) = &state.recorder else {
        return;
    };
    let left = recorder.drain(SHIP_WITHIN).await.spooled_bytes;
    if left > 0 {
        tracing::warn!(
            bytes = left,
            "recordings stay in the spool for the next process on it"
        );
    }
}

/// Begins to listen for the signals before the process says that it serves.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
        }
    })
}
