//! Hints that a session may have changed: one listening connection and one poll for the process.
//!
//! A hint wakes readers early and concludes nothing: readers read the row. The poll asks for the
//! revisions of all followed sessions in one query, so a lost notification costs two seconds and
//! never truth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_identity::ExamSessionId;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The channel that triggers of `exam_sessions` and `execution_environments` notify.
const CHANNEL: &str = "carrel_sessions";
/// Hints that wait for a slow reader; one that falls behind reads its session anyway.
const BACKLOG: usize = 1024;
/// How stale a status may be when every notification is lost.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// Between attempts to listen again.
const PAUSE: Duration = Duration::from_secs(1);

/// One hint.
#[derive(Debug, Clone, Copy)]
enum Hint {
    /// This session may have changed.
    Session(ExamSessionId),
    /// This session has this revision.
    Revision(ExamSessionId, i64),
    /// Notifications may have been lost: any session may have changed.
    Any,
}

/// Spreads hints to the followers of this process.
#[derive(Debug, Clone)]
pub(crate) struct Hints {
    sender: broadcast::Sender<Hint>,
    /// How many followers each session has: what the poll asks about, and nothing more.
    followed: Arc<Mutex<HashMap<ExamSessionId, usize>>>,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(BACKLOG),
            followed: Arc::default(),
        }
    }

    /// Begins to follow a session. Follow first and read afterwards: the other order has a gap.
    pub(crate) fn follow(&self, session_id: ExamSessionId) -> Follower {
        let receiver = self.sender.subscribe();
        *self.followed().entry(session_id).or_default() += 1;
        Follower {
            session_id,
            receiver,
            hints: self.clone(),
        }
    }

    /// Listens and polls until the process stops, across every loss of the connection.
    pub(crate) async fn run(self, pool: PgPool, listening: PgPool, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.listen(&listening) => {}
            () = self.poll(&pool) => {}
        }
    }

    async fn listen(&self, pool: &PgPool) {
        loop {
            if let Err(error) = self.listen_once(pool).await {
                tracing::warn!(%error, "hints are not heard; streams go on by polling");
            }
            sleep(PAUSE).await;
        }
    }

    async fn listen_once(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        self.spread(Hint::Any);
        // `None` says that the connection was lost; what was notified meanwhile is lost too.
        while let Some(notification) = listener.try_recv().await? {
            if let Ok(session_id) = notification.payload().parse() {
                self.spread(Hint::Session(session_id));
            }
        }
        Ok(())
    }

    async fn poll(&self, pool: &PgPool) {
        loop {
            sleep(POLL_EVERY).await;
            if let Err(error) = self.poll_once(pool).await {
                tracing::debug!(%error, "revisions were not read; the next poll tries again");
            }
        }
    }

    async fn poll_once(&self, pool: &PgPool) -> Result<(), session_status::StatusError> {
        let ids: Vec<_> = self.followed().keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut conn = pool.acquire().await?;
        for it in session_status::revisions(&mut conn, &ids).await? {
            self.spread(Hint::Revision(it.session_id, it.revision));
        }
        Ok(())
    }

    fn spread(&self, hint: Hint) {
        // Nobody listening is the common case between exams, and no error.
        drop(self.sender.send(hint));
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<ExamSessionId, usize>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for hints about one session.
#[derive(Debug)]
pub(crate) struct Follower {
    session_id: ExamSessionId,
    receiver: broadcast::Receiver<Hint>,
    hints: Hints,
}

impl Follower {
    /// Waits until the session may have changed since the revision seen.
    pub(crate) async fn changed(&mut self, seen: i64) {
        loop {
            match self.receiver.recv().await {
                Ok(Hint::Session(session_id)) if session_id == self.session_id => return,
                Ok(Hint::Revision(session_id, revision))
                    if session_id == self.session_id && revision > seen =>
                {
                    return;
                }
                Ok(Hint::Session(_) | Hint::Revision(..)) => {}
                // The channel cannot close while this follower holds its sender.
                Ok(Hint::Any) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followed = self.hints.followed();
        if let Some(count) = followed.get_mut(&self.session_id) {
            *count -= 1;
            if *count == 0 {
                followed.remove(&self.session_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_wakes_for_its_own_session_and_newer_revisions_only() {
        let hints = Hints::new();
        let (mine, other) = (ExamSessionId::generate(), ExamSessionId::generate());
        let mut follower = hints.follow(mine);
        hints.spread(Hint::Session(other));
        hints.spread(Hint::Revision(other, 9));
        hints.spread(Hint::Revision(mine, 3));
        let early = tokio::time::timeout(Duration::from_millis(20), follower.changed(3)).await;
        assert!(early.is_err(), "nothing of these concerns it");
        for hint in [Hint::Revision(mine, 4), Hint::Session(mine), Hint::Any] {
            hints.spread(hint);
            follower.changed(3).await;
        }
    }

    #[test]
    fn a_session_is_polled_while_it_has_a_follower() {
        let hints = Hints::new();
        let session_id = ExamSessionId::generate();
        let (first, second) = (hints.follow(session_id), hints.follow(session_id));
        drop(first);
        assert_eq!(hints.followed().len(), 1);
        drop(second);
        assert!(hints.followed().is_empty());
    }

    #[sqlx::test(migrations = false)]
    async fn each_notification_wakes_its_follower_without_any_poll(pool: PgPool) {
        let hints = Hints::new();
        let session_id = ExamSessionId::generate();
        let mut follower = hints.follow(session_id);
        let listening = tokio::spawn({
            let pool = pool.clone();
            async move { hints.listen_once(&pool).await }
        });
        // Listening begins with a hint at everything.
        woken(&mut follower).await;
        for _ in 0..3 {
            let notify = format!("NOTIFY {CHANNEL}, '{session_id}'");
            sqlx::raw_sql(sqlx::AssertSqlSafe(notify))
                .execute(&pool)
                .await
                .unwrap();
            woken(&mut follower).await;
        }
        listening.abort();
    }

    async fn woken(follower: &mut Follower) {
        tokio::time::timeout(Duration::from_mins(1), follower.changed(0))
            .await
            .expect("a hint in time");
    }
}
