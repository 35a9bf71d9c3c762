//! The runs this worker owns: what the heartbeat renews and the drain waits for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use session_identity::JobId;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{CancelReason, JobContext, measure::SlotsShown};

/// Every run from its claim until its end is answered.
#[derive(Debug)]
pub(crate) struct RunningJobs {
    runs: Mutex<Runs>,
    count: watch::Sender<usize>,
}

/// The runs, and how many of them the gauge of used slots shows.
#[derive(Debug)]
struct Runs {
    by_run: HashMap<(JobId, i64), JobContext>,
    shown: SlotsShown,
}

/// What one heartbeat got back for one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    pub(crate) job_id: JobId,
    pub(crate) run_token: i64,
    pub(crate) cancel_requested: bool,
}

impl RunningJobs {
    pub(crate) fn new() -> Self {
        Self {
            runs: Mutex::new(Runs {
                by_run: HashMap::new(),
                shown: SlotsShown::used(),
            }),
            count: watch::Sender::new(0),
        }
    }

    pub(crate) fn insert(&self, context: JobContext) {
        let mut runs = self.lock();
        let run = (context.job_id, context.run_token);
        runs.by_run.insert(run, context);
        self.counted(&mut runs);
    }

    pub(crate) fn remove(&self, job_id: JobId, run_token: i64) {
        let mut runs = self.lock();
        runs.by_run.remove(&(job_id, run_token));
        self.counted(&mut runs);
    }

    fn counted(&self, runs: &mut Runs) {
        let count = runs.by_run.len();
        runs.shown.show(count);
        self.count.send_replace(count);
    }

    /// Lists ids and tokens in one order, as the set-based beat takes them.
    pub(crate) fn keys(&self) -> (Vec<Uuid>, Vec<i64>) {
        self.lock()
            .by_run
            .keys()
            .map(|(id, token)| (id.as_uuid(), *token))
            .unzip()
    }

    pub(crate) fn cancel_all(&self, reason: CancelReason) {
        for context in self.lock().by_run.values() {
            context.cancel(reason);
        }
    }

    /// Cancels the runs that asked for it and those that were beaten for but not answered.
    ///
    /// A run that has ended, or whose handler has recorded its end, has no lease to lose: the table
    /// may know before this worker hears the answer. Returns how many leases were lost.
    pub(crate) fn apply_beats(&self, sent: &(Vec<Uuid>, Vec<i64>), answered: &[Beat]) -> usize {
        let runs = &self.lock().by_run;
        for beat in answered.iter().filter(|beat| beat.cancel_requested) {
            if let Some(context) = runs.get(&(beat.job_id, beat.run_token)) {
                context.cancel(CancelReason::Requested);
            }
        }
        let kept: std::collections::HashSet<_> = answered
            .iter()
            .map(|beat| (beat.job_id, beat.run_token))
            .collect();
        let lost = sent.0.iter().zip(&sent.1).filter_map(|(id, token)| {
            let key = (JobId::from_uuid(*id), *token);
            runs.get(&key).filter(|_| !kept.contains(&key))
        });
        let mut count = 0;
        let lost = lost.filter(|context| !context.may_have_ended());
        for context in lost.filter(|context| context.cancel_reason().is_none()) {
            context.cancel(CancelReason::LeaseLost);
            count += 1;
        }
        count
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_run.len()
    }

    /// Waits until no run is owned any more.
    pub(crate) async fn wait_until_empty(&self) {
        let mut count = self.count.subscribe();
        // The sender lives in `self`, so the channel cannot close during the wait.
        count.wait_for(|count| *count == 0).await.ok();
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        // Nothing can panic while the map is held, and each change is complete in itself.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use session_identity::WorkerIncarnation;

    use super::*;
    use crate::{
        JobKind,
        claim::{ClaimedJob, WorkerIdentity},
        payload::StoredPayload,
    };

    fn run() -> JobContext {
        let claimed = ClaimedJob {
            job_id: JobId::generate(),
            run_token: 1,
            kind: "ping".to_owned(),
            kind_version: 1,
            payload: StoredPayload("null".to_owned()),
            attempt: 1,
            max_attempts: 3,
            crash_count: 0,
            session_id: None,
            traceparent: None,
            waited: std::time::Duration::ZERO,
            queue: "pings".to_owned(),
        };
        let worker = WorkerIdentity {
            incarnation: WorkerIncarnation::generate(),
            name: "w".into(),
        };
        JobContext::new(&claimed, JobKind("ping"), &worker)
    }

    #[test]
    fn a_beat_without_an_answer_is_a_lost_lease_only_while_the_run_goes_on() {
        let (going_on, ended) = (run(), run());
        let running = RunningJobs::new();
        running.insert(going_on.clone());
        running.insert(ended.clone());
        let sent = running.keys();
        ended.note_end();
        assert_eq!(running.apply_beats(&sent, &[]), 1);
        assert_eq!(going_on.cancel_reason(), Some(CancelReason::LeaseLost));
        assert_eq!(ended.cancel_reason(), None);
    }
}
