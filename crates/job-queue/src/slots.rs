//! The slots of a worker: which are free, which hold an end that is not answered yet.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::{DrainReport, listen::LookSignal, run::Ended};

/// More ends than this in one statement gain nothing.
const LARGEST_BATCH: usize = 500;

/// The slots and the rule for when an exchange is worth its commit.
#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    /// With this many slots ended or free to claim, a loop goes without waiting for more.
    worthwhile: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    ended: Vec<Ended>,
    /// The last claim came back full, so there is probably more.
    more_waiting: bool,
}

/// What one exchange takes along; by default nothing.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) ended: Vec<Ended>,
    /// How many jobs it may claim.
    pub(crate) limit: usize,
    /// Slots that were free before and are set aside for its claims.
    free: usize,
}

/// What a loop does next.
#[derive(Debug)]
pub(crate) enum Next {
    Go(Batch),
    Linger,
    Wait,
}

impl Slots {
    pub(crate) fn new(slots: usize, loops: usize) -> Self {
        let state = State {
            free: slots,
            ended: Vec::new(),
            more_waiting: false,
        };
        Self {
            state: Mutex::new(state),
            worthwhile: (slots / (2 * loops)).max(1),
        }
    }

    /// Takes in the end of a run; its slot stays taken until the end is answered.
    pub(crate) fn end(&self, ended: Ended, signal: &LookSignal) {
        ended.context.note_end();
        self.lock().ended.push(ended);
        signal.nudge();
    }

    /// Decides; where nothing is to be claimed, the wish to look stays.
    pub(crate) fn next(&self, signal: &LookSignal, claims: bool, lingered: bool) -> Next {
        let mut state = self.lock();
        let (ended, claimable) = (state.ended.len(), state.free + state.ended.len());
        let wanted = claims && claimable > 0 && signal.is_wanted();
        let refill = claims && state.more_waiting && claimable >= self.worthwhile;
        if wanted || refill || ended >= self.worthwhile || (ended > 0 && lingered) {
            return Next::Go(state.take_batch(signal, claims));
        }
        if ended > 0 { Next::Linger } else { Next::Wait }
    }

    /// Puts a batch back whose exchange failed.
    pub(crate) fn put_back(&self, batch: Batch) {
        let mut state = self.lock();
        state.free += batch.free;
        let later = std::mem::replace(&mut state.ended, batch.ended);
        state.ended.extend(later);
    }

    /// Frees the slots of an answered batch, less those its claims have taken.
    pub(crate) fn settled(&self, batch: &Batch, claimed: usize) {
        let mut state = self.lock();
        state.free += (batch.free + batch.ended.len()).saturating_sub(claimed);
        if batch.limit > 0 {
            state.more_waiting = claimed >= batch.limit;
        }
    }

    /// Counts the ends that nobody will send any more.
    pub(crate) fn unanswered(&self) -> usize {
        self.lock().ended.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the state is held, and each change is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_batch(&mut self, signal: &LookSignal, claims: bool) -> Batch {
        let count = self.ended.len().min(LARGEST_BATCH);
        let ended: Vec<_> = self.ended.drain(..count).collect();
        let free = std::mem::take(&mut self.free);
        let limit = if claims { free + ended.len() } else { 0 };
        if limit > 0 {
            signal.take();
        }
        Batch { ended, limit, free }
    }
}

/// Counts for the drain report.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    recorded: AtomicU64,
    released: AtomicU64,
    stale: AtomicU64,
}

impl Tally {
    pub(crate) fn recorded(&self, released: bool) {
        self.recorded.fetch_add(1, Ordering::Relaxed);
        self.released
            .fetch_add(u64::from(released), Ordering::Relaxed);
    }

    pub(crate) fn stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self, unanswered: usize) -> DrainReport {
        DrainReport {
            recorded: self.recorded.load(Ordering::Relaxed),
            released: self.released.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            unanswered: unanswered as u64,
        }
    }
}
