//! One candidate of a crowd: types, watches, or just sits there, and comes back when called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::Running;
use crate::pattern;
use crate::seat::Seat;
use crate::steady::Steady;

/// Between two things that somebody does.
const TURN: Duration = Duration::from_secs(1);
/// Keys a turn of somebody who types.
const KEYS: usize = 5;
/// Bytes a turn that a shell prints by itself.
const PRINTED: usize = 2048;
/// Typed at most; more than a soak has turns for.
const SCRIPT: usize = 20_000;
/// For the rest of both streams to come.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a candidate does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    Types,
    Watches,
    IsRecorded,
    Sits,
}

impl Habit {
    /// Of ten, two type, one watches its shell print, one does and is recorded, and the others sit there.
    pub(crate) const fn of(number: usize) -> Self {
        match number % 10 {
            0 | 1 => Self::Types,
            2 => Self::Watches,
            3 => Self::IsRecorded,
            _ => Self::Sits,
        }
    }
}

/// What one of them, or all, went through.
#[derive(Debug, Default)]
pub(crate) struct Stayed {
    /// Typed and printed.
    pub(crate) bytes: usize,
    pub(crate) returns: usize,
}

impl Stayed {
    pub(crate) fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.returns += other.returns;
    }
}

/// A candidate at a terminal.
pub(crate) struct Sitter {
    seat: Seat,
    steady: Steady,
    habit: Habit,
    typed: usize,
    printed: u64,
}

impl Sitter {
    pub(crate) async fn sit(running: &Running, habit: Habit) -> Self {
        let seat = match habit {
            Habit::IsRecorded => running.seat_in("fail_closed").await,
            Habit::Types | Habit::Watches | Habit::Sits => running.seat().await,
        };
        let mut script = Vec::new();
        if habit == Habit::Types {
            script.resize(SCRIPT, 0);
            rand::rng().fill(&mut script[..]);
        }
        Self {
            steady: Steady::attach(seat.clone(), script).await,
            seat,
            habit,
            typed: 0,
            printed: 0,
        }
    }

    /// Stays until it is time to leave, and comes back whenever it is called.
    pub(crate) async fn stay(
        mut self,
        called: Arc<AtomicBool>,
        leave: CancellationToken,
    ) -> Stayed {
        let mut returns = 0;
        while !leave.is_cancelled() {
            self.act().await;
            let until = Instant::now() + TURN;
            while let Some(rest) = until.checked_duration_since(Instant::now()) {
                let code = self.steady.glance(rest).await;
                assert_eq!(code, None, "closed by the gateway");
            }
            if called.swap(false, Ordering::Relaxed) {
                self.steady.reconnect().await;
                returns += 1;
            }
        }
        self.leave(returns).await
    }

    async fn act(&mut self) {
        match self.habit {
            Habit::Types if self.typed + KEYS <= SCRIPT => {
                self.steady.type_on(KEYS).await;
                self.typed += KEYS;
            }
            Habit::Watches | Habit::IsRecorded => {
                self.seat.keeper.print(&pattern::at(self.printed, PRINTED));
                self.printed += PRINTED as u64;
            }
            Habit::Types | Habit::Sits => {}
        }
    }

    /// Sees the rest, compares both streams byte by byte, and goes; then the shell ends.
    async fn leave(self, returns: usize) -> Stayed {
        let finished = timeout(PATIENCE, self.steady.finish()).await;
        finished.expect("both streams come to their ends");
        let bytes = self.seat.keeper.typed().len() + self.seat.keeper.printed().len();
        self.seat.keeper.exit();
        Stayed { bytes, returns }
    }
}
