//! The recorded shells that this process reads, whether or not anybody is attached: what it tells the
//! database of them, and the shells that it has left and has not told of yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use environment_access::{Leaving, READING_LEASE, ReadShell};
use session_identity::ExamSessionId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::screen_size::ScreenSize;

/// How recorded shells are shared among processes.
#[derive(Debug, Clone, Copy)]
pub struct ReadOn {
    /// How often a process says what it reads, and looks for what nobody does; at most.
    pub every: Duration,
    /// How long a shell is its reader's without another word.
    pub lease: Duration,
}

impl Default for ReadOn {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            lease: READING_LEASE,
        }
    }
}

/// What was left: whose shell, at which attach, and what becomes of it.
pub(crate) type Left = (ExamSessionId, i64, Leaving);

/// Every shell that is read here, the newest attach of each session.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    lists: Mutex<Lists>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    read: HashMap<ExamSessionId, Arc<Held>>,
    left: Vec<Left>,
}

#[derive(Debug)]
struct Held {
    session_id: ExamSessionId,
    epoch: i64,
    shell_epoch: AtomicU32,
    columns: AtomicU16,
    rows: AtomicU16,
    is_attached: AtomicBool,
    lost: CancellationToken,
}

/// One of them. Without a word when it is dropped its lease is left to lapse.
#[derive(Debug)]
pub(crate) struct Reading {
    readings: Arc<Readings>,
    held: Arc<Held>,
}

impl Readings {
    /// Begins to read a shell at an attach.
    pub(crate) fn begin(self: &Arc<Self>, shell: ReadShell) -> Reading {
        let held = Arc::new(Held {
            session_id: shell.session_id,
            epoch: shell.epoch,
            shell_epoch: shell.shell_epoch.into(),
            columns: shell.columns.into(),
            rows: shell.rows.into(),
            is_attached: shell.is_attached.into(),
            lost: CancellationToken::new(),
        });
        let mut lists = self.lock();
        let newer = lists.read.get(&shell.session_id);
        // Two attaches can arrive here in the other order than they took their epochs.
        if newer.is_none_or(|newer| newer.epoch <= shell.epoch) {
            lists.read.insert(shell.session_id, held.clone());
            // What could not be told in time must not end what has begun anew since.
            let again = (shell.session_id, shell.epoch);
            lists.left.retain(|(id, epoch, _)| (*id, *epoch) != again);
        }
        drop(lists);
        Reading {
            readings: self.clone(),
            held,
        }
    }

    /// Every shell that is read here.
    pub(crate) fn all(&self) -> Vec<ReadShell> {
        self.lock().read.values().map(|held| held.shell()).collect()
    }

    /// Says that a shell has become another process's, unless it is read here at another attach by now.
    pub(crate) fn lose(&self, shell: &ReadShell) {
        let lists = self.lock();
        let held = lists.read.get(&shell.session_id);
        if let Some(held) = held.filter(|held| held.epoch == shell.epoch) {
            held.lost.cancel();
        }
    }

    /// Waits until a shell was left.
    pub(crate) async fn has_left(&self) {
        self.left.notified().await;
    }

    /// Takes what was left, to tell it.
    pub(crate) fn take_left(&self) -> Vec<Left> {
        std::mem::take(&mut self.lock().left)
    }

    /// Puts back what could not be told. It is told with whatever is left next, or at the next beat.
    pub(crate) fn put_back(&self, left: Vec<Left>) {
        self.lock().left.extend(left);
    }

    fn leave(&self, held: &Arc<Held>, leaving: Option<Leaving>) {
        let mut lists = self.lock();
        let newest = lists.read.get(&held.session_id);
        if newest.is_some_and(|newest| Arc::ptr_eq(newest, held)) {
            lists.read.remove(&held.session_id);
        }
        if let Some(leaving) = leaving {
            lists.left.push((held.session_id, held.epoch, leaving));
            self.left.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn shell(&self) -> ReadShell {
        ReadShell {
            session_id: self.session_id,
            epoch: self.epoch,
            shell_epoch: self.shell_epoch.load(Ordering::Relaxed),
            columns: self.columns.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            is_attached: self.is_attached.load(Ordering::Relaxed),
        }
    }
}

impl Reading {
    /// Notes which shell answered.
    pub(crate) fn opened(&self, shell_epoch: u32) {
        self.held.shell_epoch.store(shell_epoch, Ordering::Relaxed);
    }

    /// Notes the size that the shell is told.
    pub(crate) fn resized(&self, size: ScreenSize) {
        self.held.columns.store(size.columns, Ordering::Relaxed);
        self.held.rows.store(size.rows, Ordering::Relaxed);
    }

    /// Notes that the browser has gone: from here on it is its reader's only while the lease lasts.
    pub(crate) fn detached(&self) {
        self.held.is_attached.store(false, Ordering::Relaxed);
    }

    /// Cancelled once the shell has become another process's.
    pub(crate) fn lost(&self) -> CancellationToken {
        self.held.lost.clone()
    }

    /// Ends it, and has the database told what becomes of the shell.
    pub(crate) fn leave(self, leaving: Leaving) {
        self.readings.leave(&self.held, Some(leaving));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.readings.leave(&self.held, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(session_id: ExamSessionId, epoch: i64) -> ReadShell {
        ReadShell {
            session_id,
            epoch,
            shell_epoch: 0,
            columns: 80,
            rows: 24,
            is_attached: true,
        }
    }

    #[test]
    fn the_newest_attach_of_a_session_is_told_as_it_is_and_an_older_one_takes_nothing_with_it() {
        let (readings, session) = (Arc::new(Readings::default()), ExamSessionId::generate());
        let newer = readings.begin(shell(session, 2));
        let older = readings.begin(shell(session, 1));
        newer.opened(3);
        newer.detached();
        newer.resized(ScreenSize {
            columns: 132,
            rows: 50,
        });
        drop(older);
        let told = ReadShell {
            epoch: 2,
            shell_epoch: 3,
            columns: 132,
            rows: 50,
            is_attached: false,
            ..shell(session, 2)
        };
        assert_eq!(readings.all(), [told]);
        readings.lose(&shell(session, 1));
        assert!(!newer.lost().is_cancelled());
        readings.lose(&told);
        assert!(newer.lost().is_cancelled());
        drop(newer);
        assert_eq!((readings.all(), readings.take_left()), (vec![], vec![]));
    }

    #[tokio::test]
    async fn what_was_left_is_kept_until_it_is_told() {
        let (readings, session) = (Arc::new(Readings::default()), ExamSessionId::generate());
        let leaving = Leaving::Unread(Duration::ZERO);
        readings.begin(shell(session, 1)).leave(leaving);
        readings.has_left().await;
        let left = readings.take_left();
        assert_eq!(left, [(session, 1, leaving)]);
        readings.put_back(left);
        assert_eq!(readings.take_left().len(), 1);
        assert!(readings.take_left().is_empty());
    }

    #[test]
    fn what_was_left_and_is_read_again_is_told_as_left_no_more() {
        let (readings, session) = (Arc::new(Readings::default()), ExamSessionId::generate());
        let left = [1, 2].map(|epoch| (session, epoch, Leaving::Unread(Duration::ZERO)));
        readings.put_back(left.to_vec());
        let _read = readings.begin(shell(session, 2));
        assert_eq!(readings.take_left(), left[..1]);
    }
}
