//! What still carries terminals to the recorder, over the whole process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use session_identity::ExamSessionId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A terminal that was taken over ends at once unless its recorder is stuck; then its successor has waited
/// long enough.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);

/// One tee a terminal, and the newest of each session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tees {
    all: TaskTracker,
    newest: Arc<Mutex<HashMap<ExamSessionId, RunningTee>>>,
}

/// A tee that runs.
#[derive(Debug, Clone)]
pub(crate) struct RunningTee {
    ended: TaskTracker,
    succeeded: CancellationToken,
}

impl RunningTee {
    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
    }

    /// Waits until the session's next terminal is here: whoever feeds this one has to leave.
    pub(crate) async fn succeeded(&self) {
        self.succeeded.cancelled().await;
    }
}

impl Tees {
    /// Waits, for a while, until the tee of a session's terminal before has said its last: what only that
    /// one has seen would be missing before what the next one says first.
    pub(crate) async fn await_last(&self, session_id: ExamSessionId) {
        let last = self.with_newest(|newest| newest.get(&session_id).cloned());
        if let Some(last) = last {
            last.succeeded.cancel();
            tokio::time::timeout(TAKEN_OVER_WITHIN, last.ended())
                .await
                .ok();
        }
    }

    /// Runs a tee.
    pub(crate) fn spawn(
        &self,
        session_id: ExamSessionId,
        tee: impl Future<Output = ()> + Send + 'static,
    ) -> RunningTee {
        let own = RunningTee {
            ended: TaskTracker::new(),
            succeeded: CancellationToken::new(),
        };
        self.with_newest(|newest| newest.insert(session_id, own.clone()));
        let (tees, tracked) = (self.clone(), own.clone());
        let tee = own.ended.track_future(tee);
        own.ended.close();
        self.all.spawn(async move {
            tee.await;
            tees.forget(session_id, &tracked);
        });
        own
    }

    /// Waits for every tee. To be called when no terminal begins any more.
    pub(crate) async fn ended(&self) {
        self.all.close();
        self.all.wait().await;
    }

    fn forget(&self, session_id: ExamSessionId, tracked: &RunningTee) {
        self.with_newest(|newest| {
            if newest
                .get(&session_id)
                .is_some_and(|known| TaskTracker::ptr_eq(&known.ended, &tracked.ended))
            {
                newest.remove(&session_id);
            }
        });
    }

    fn with_newest<T>(&self, act: impl FnOnce(&mut HashMap<ExamSessionId, RunningTee>) -> T) -> T {
        let newest = self.newest.lock();
        act(&mut newest.unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_s_next_tee_waits_for_the_one_before_but_not_for_ever() {
        let (tees, session) = (Tees::default(), ExamSessionId::generate());
        let (end, ended) = oneshot::channel::<()>();
        let first = tees.spawn(session, async { drop(ended.await) });
        tees.await_last(ExamSessionId::generate()).await;
        let mut waits = std::pin::pin!(tees.await_last(session));
        let too_early = tokio::time::timeout(Duration::from_secs(1), &mut waits).await;
        assert!(too_early.is_err(), "it has not ended");
        first.succeeded().await;
        end.send(()).unwrap();
        waits.await;
        tees.ended().await;
        let stuck = tees.spawn(session, std::future::pending());
        tees.await_last(session).await;
        assert_eq!(stuck.ended.len(), 1);
    }
}
