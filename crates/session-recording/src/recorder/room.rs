//! How much may wait to be recorded: a bound for each session and one for the process.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Bytes that one session may have waiting; a terminal whose recorder is slower than that waits.
pub const SESSION_QUEUE_BYTES: u32 = 1024 * 1024;
/// Bytes that wait at most over all sessions of a process, unless told otherwise.
pub const PROCESS_QUEUE_BYTES: u32 = 256 * 1024 * 1024;
/// Bytes that are handed over at once; longer output is handed over in pieces.
pub(super) const PIECE: usize = 64 * 1024;
/// What an entry without bytes counts for.
pub(super) const SMALL: u32 = 64;

/// Where entries wait.
#[derive(Debug, Clone)]
pub(super) struct Room {
    session: Arc<Semaphore>,
    process: Arc<Semaphore>,
}

/// A place in the queue, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    _session: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(process: Arc<Semaphore>) -> Self {
        Self {
            session: Arc::new(Semaphore::new(SESSION_QUEUE_BYTES as usize)),
            process,
        }
    }

    /// Waits for room. The session's own comes first, so that one that is stuck holds none of the
    /// others' room while it waits.
    pub(super) async fn take(&self, bytes: u32) -> Result<Taken, AcquireError> {
        let session = Arc::clone(&self.session).acquire_many_owned(bytes).await?;
        let process = Arc::clone(&self.process).acquire_many_owned(bytes).await?;
        Ok(Taken {
            _session: session,
            _process: process,
        })
    }
}
