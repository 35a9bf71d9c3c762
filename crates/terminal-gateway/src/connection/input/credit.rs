//! How many typed bytes a client may send beyond those that the shell has.

use std::time::{Duration, Instant};

use environment_access::wire::limits;

use crate::connection::bucket::ByteBucket;

/// Least credit worth a frame of its own while the bucket is short: a few keystrokes.
pub(super) const LEAST_GRANT: u32 = 1024;

/// Grows to a whole window beyond what the shell has, as fast as the bucket allows.
#[derive(Debug)]
pub(super) struct Credit {
    granted: u64,
    bucket: ByteBucket,
    /// The last `INPUT_ACK` sent, so that none is sent twice.
    told: (u64, u64),
}

/// An `INPUT_ACK` to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Everything before has reached the shell.
    pub(crate) offset: u64,
    /// How many bytes beyond it the client may send.
    pub(crate) credit: u32,
}

impl Credit {
    /// A whole window beyond `offset`.
    pub(super) fn new(offset: u64, now: Instant) -> Self {
        let mut bucket = ByteBucket::new(limits::INPUT_RATE, limits::INPUT_BURST, now);
        let granted = offset + u64::from(bucket.take(limits::INPUT_WINDOW, now));
        Self {
            granted,
            bucket,
            told: (offset, granted),
        }
    }

    /// The offset that the client may send up to.
    pub(super) const fn granted(&self) -> u64 {
        self.granted
    }

    /// The `INPUT_ACK` that is due once the shell has everything up to `acked`. While the bucket is
    /// short, small grants wait until they are worth a frame.
    pub(super) fn grant(&mut self, acked: u64, now: Instant) -> Option<Grant> {
        let room = acked + u64::from(limits::INPUT_WINDOW) - self.granted;
        let room = u32::try_from(room).expect("at most one window");
        if room < LEAST_GRANT || self.bucket.wait_for(LEAST_GRANT, now).is_zero() {
            self.granted += u64::from(self.bucket.take(room, now));
        }
        if self.told == (acked, self.granted) {
            return None;
        }
        self.told = (acked, self.granted);
        let credit = u32::try_from(self.granted - acked).expect("at most one window");
        Some(Grant {
            offset: acked,
            credit,
        })
    }

    /// When it can grow again; `None` when all of it is granted.
    pub(super) fn next_in(&self, acked: u64, now: Instant) -> Option<Duration> {
        let whole = acked + u64::from(limits::INPUT_WINDOW);
        (self.granted < whole).then(|| self.bucket.wait_for(LEAST_GRANT, now))
    }
}
