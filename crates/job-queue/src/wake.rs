//! How workers hear of new work: one debounced notifier outside the enqueuing transaction.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;

use crate::measure;

/// The channel workers listen on.
pub const CHANNEL: &str = "carrel_jobs";

/// Commits that carry a notification queue behind one lock, so a busy process sends few of them:
/// the first at once, then at most one each 20 ms.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Tells workers, after a commit, that there may be work. Clones share one notifier.
///
/// A lost notification costs at most the workers' poll interval, so failures are only logged.
#[derive(Clone, Debug)]
pub struct Waker {
    requested: Arc<Notify>,
    /// Ends the notifier with the last clone.
    #[expect(dead_code, reason = "held for its drop")]
    notifier: Arc<tokio_util::task::AbortOnDropHandle<()>>,
}

impl Waker {
    /// Starts the notifier of a process. Must be called within a Tokio runtime.
    pub fn new(pool: PgPool) -> Self {
        let requested = Arc::new(Notify::new());
        let notifier = tokio::spawn(notify_each_request(pool, requested.clone()));
        let notifier = Arc::new(tokio_util::task::AbortOnDropHandle::new(notifier));
        Self {
            requested,
            notifier,
        }
    }

    /// Asks for a notification and returns at once. To be called after the commit, never inside
    /// the enqueuing transaction.
    pub fn wake(&self) {
        self.requested.notify_one();
    }
}

async fn notify_each_request(pool: PgPool, requested: Arc<Notify>) {
    loop {
        requested.notified().await;
        let sent = async { notify_workers(&mut *pool.acquire().await?).await };
        match sent.await {
            Ok(()) => measure::notified(),
            Err(error) => {
                tracing::debug!(%error, "workers will find new jobs by their poll: not notified");
            }
        }
        tokio::time::sleep(DEBOUNCE).await;
    }
}

/// Notifies workers once, for one-shot callers such as a command line.
///
/// # Errors
/// Whatever the connection says; workers then find the job by their poll.
pub async fn notify_workers(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("NOTIFY carrel_jobs")
        .execute(connection)
        .await
        .map(|_| ())
}
