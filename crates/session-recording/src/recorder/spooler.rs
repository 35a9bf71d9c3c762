//! Doing things to a session's spool files until they succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::track::{Track, locked};
use crate::spool::{SpoolFault, Writer};

/// A spool that takes nothing is tried again so often.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A disk that has not answered for so long takes nothing, as far as terminals are concerned: some
/// cloud volumes stand still for a second or two, and a candidate who waits longer asks for help.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// Does things to one session's spool files, one at a time.
#[derive(Debug, Clone)]
pub(super) struct Spooler {
    pub(super) track: Arc<Track>,
    pub(super) disk: Disk,
    pub(super) fault: watch::Sender<Option<SpoolFault>>,
    /// Tasks that the spool refuses something.
    pub(super) failing: Arc<AtomicUsize>,
    /// Ends the trying where a spool takes nothing.
    pub(super) given_up: CancellationToken,
}

impl Spooler {
    /// Does something to the spool until it succeeds: what was taken is not dropped, and while it waits
    /// the queue fills and the terminal waits. Returns whether it has; the process gives up only at its
    /// end.
    pub(super) async fn until_done(
        &self,
        act: impl Fn(&mut Writer) -> Result<(), SpoolFault> + Clone + Send + 'static,
    ) -> bool {
        let mut has_told = false;
        while !self.given_up.is_cancelled() {
            match self.attempt(act.clone(), &mut has_told).await {
                Some(Ok(())) => {
                    self.mended(has_told);
                    return true;
                }
                Some(Err(fault)) => self.tell(fault, &mut has_told),
                None => break,
            }
            tokio::select! {
                () = sleep(TRY_AGAIN_AFTER) => {}
                () = self.given_up.cancelled() => break,
            }
        }
        tracing::error!(session.id = %self.track.session_id,
            "the process ends before the spool took the last of a recording");
        false
    }

    /// Does something to the spool, and says so where the disk does not answer in time; nothing where
    /// the process gives up meanwhile.
    async fn attempt(
        &self,
        act: impl FnOnce(&mut Writer) -> Result<(), SpoolFault> + Send + 'static,
        has_told: &mut bool,
    ) -> Option<Result<(), SpoolFault>> {
        let writer = Arc::clone(&self.track.writer);
        let done = self.disk.run(move || act(&mut locked(&writer)));
        let mut done = std::pin::pin!(done);
        let mut silence = std::pin::pin!(sleep(SILENT_AFTER));
        loop {
            tokio::select! {
                biased;
                done = &mut done => {
                    return Some(done.unwrap_or(Err(SpoolFault::Panicked)));
                }
                () = self.given_up.cancelled() => return None,
                () = &mut silence => {
                    let seconds = SILENT_AFTER.as_secs();
                    self.tell(SpoolFault::Silent { seconds }, has_told);
                    // What was asked for goes on and is not asked twice; it is told while it lasts.
                    silence.as_mut().reset(Instant::now() + SILENT_AFTER);
                }
            }
        }
    }

    /// What this task failed at has worked. The fault is over when no other task fails: one that writes
    /// to a sound file says nothing about another's.
    fn mended(&self, has_told: bool) {
        if has_told {
            // Counted under the fault's lock: what another tells meanwhile is not taken back.
            self.fault.send_if_modified(|fault| {
                let was_last = self.failing.fetch_sub(1, Ordering::SeqCst) == 1;
                was_last && fault.take().is_some()
            });
        }
    }

    fn tell(&self, fault: SpoolFault, has_told: &mut bool) {
        let is_first = !std::mem::replace(has_told, true);
        self.fault.send_if_modified(|told| {
            if is_first {
                self.failing.fetch_add(1, Ordering::SeqCst);
            }
            let is_new = told.is_none();
            if is_new {
                tracing::error!(%fault, "recordings cannot be kept");
            }
            let changed = told.as_ref() != Some(&fault);
            *told = Some(fault);
            changed
        });
    }
}
