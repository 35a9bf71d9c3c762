//! A terminal that its browser has left while its shell lives: what the shell prints goes on record all
//! the same, up to its exit.

mod allowance;
mod take_over;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use carrel_keeper::frames::{Opened, RefusalCode, Resume};
use environment_access::Leaving;
use environment_access::wire::CloseCode;
use session_identity::ExamSessionId;
use session_recording::{Marker, Place};
use telemetry::metrics::Metric;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(super) use allowance::Allowance;
pub(crate) use take_over::read_on;
pub(super) use take_over::{Sought, TakeOver};

use super::link::{AfterLoss, Link};
use super::opening::is_gone_for_good;
use super::recording::{Taped, next_place, written_in};
use crate::leg::{Aside, Leg, LegCommand, LegEnd, LegEvent, LegSpec};
use crate::readings::Reading;
use crate::screen_size::ScreenSize;

/// Pause before an environment is tried again that has not been reached for a while.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// An environment that was not reached for so long is left to whoever reaches it.
const LOST_AFTER: Duration = Duration::from_mins(10);
/// A shell that is not reached, that its keeper does not give, or whose candidate turned out to be
/// attached where the database is not reached, is looked at again after so long.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Pause before a leg is given again what it had no room for.
const NO_ROOM_FOR: Duration = Duration::from_millis(100);

/// What the next process may read on without waiting.
const AT_ONCE: Leaving = Leaving::Unread(Duration::ZERO);

/// Whether a terminal that closed with `code` leaves a shell behind that goes on, here and unseen.
pub(super) const fn leaves_a_shell(code: CloseCode) -> bool {
    !matches!(
        code,
        // No shell any more, another terminal's, or one that cannot be recorded.
        CloseCode::ShellExited
            | CloseCode::EnvironmentGone
            | CloseCode::Superseded
            | CloseCode::CannotResume
            | CloseCode::Overloaded
            // The process ends.
            | CloseCode::Restart
    )
}

/// Whether it goes on, or what becomes of the shell.
type Step = ControlFlow<Option<Leaving>>;

/// A leg whose browser has gone.
pub(super) struct Unattended {
    pub(super) session_id: ExamSessionId,
    pub(super) spec: LegSpec,
    pub(super) leg: Leg,
    pub(super) link: Link,
    pub(super) taped: Taped,
    pub(super) written_to: Option<watch::Receiver<Place>>,
    pub(super) shell_epoch: u32,
    pub(super) size: ScreenSize,
    pub(super) allowance: Allowance,
    /// What says that it is read here.
    pub(super) reading: Reading,
}

impl Unattended {
    /// Records until the shell has ended, another terminal or process has it, nothing more can be kept,
    /// or the process ends; then another may read on.
    pub(super) async fn run(mut self, draining: CancellationToken) {
        let _counted = Counted::new();
        self.leg.note(Aside::Marked(Marker::Detach));
        tracing::info!(session.id = %self.session_id, "a shell is recorded while nobody is attached");
        let (taped, lost) = (self.taped.clone(), self.reading.lost());
        let leaving = tokio::select! {
            biased;
            () = draining.cancelled() => Some(AT_ONCE),
            () = taped.succeeded() => None,
            () = lost.cancelled() => None,
            () = taped.filled() => Some(Leaving::Over),
            leaving = self.record() => leaving,
        };
        if let Some(leaving) = leaving {
            self.reading.leave(leaving);
        }
    }

    /// Says at its end what becomes of the shell, if that is for this process to say.
    async fn record(&mut self) -> Option<Leaving> {
        loop {
            let wait = self.acknowledge(Instant::now());
            let step = tokio::select! {
                biased;
                event = self.leg.events.recv() => self.event(event),
                grows = next_place(&mut self.written_to) => {
                    if !grows {
                        self.written_to = None;
                    }
                    ControlFlow::Continue(())
                }
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => ControlFlow::Continue(()),
            };
            if let ControlFlow::Break(leaving) = step {
                return leaving;
            }
        }
    }

    /// Lets the keeper forget what it may; says how long until it may forget more without anything
    /// happening.
    fn acknowledge(&mut self, now: Instant) -> Option<Duration> {
        let written = self.written_to.as_ref();
        let written = written.map(|place| written_in(*place.borrow(), self.shell_epoch));
        self.allowance.grow(written.unwrap_or(u64::MAX), now);
        if let Some(offset) = self.allowance.untold() {
            match self.leg.commands.try_send(LegCommand::Ack(offset)) {
                Ok(()) => self.allowance.told(offset),
                Err(_) => return Some(NO_ROOM_FOR),
            }
        }
        self.allowance.grows_in(now)
    }

    fn event(&mut self, event: Option<LegEvent>) -> Step {
        match event {
            Some(LegEvent::Output { offset, bytes }) => {
                self.allowance.received(offset + bytes.len() as u64);
                ControlFlow::Continue(())
            }
            Some(LegEvent::Opened(opened)) => self.reopened(&opened),
            Some(LegEvent::Ended(end)) => self.ended(&end),
            Some(LegEvent::InputAck(_) | LegEvent::RoundTrip(_)) => ControlFlow::Continue(()),
            // Its terminal was told how it ended, and gave up on it.
            None if self.leg.is_taped() => self.reopen(Instant::now()),
            // Nothing is recorded any more.
            None => ControlFlow::Break(Some(Leaving::Over)),
        }
    }

    /// Another shell has a tape of its own, and somebody who asked for it.
    fn reopened(&mut self, opened: &Opened) -> Step {
        if opened.shell_epoch != self.shell_epoch {
            return ControlFlow::Break(None);
        }
        self.link.opened();
        ControlFlow::Continue(())
    }

    fn ended(&mut self, end: &LegEnd) -> Step {
        if is_for_good(end) {
            return ControlFlow::Break(left_by(end));
        }
        self.reopen(Instant::now())
    }

    /// Opens the leg anew at the same epoch, from where the keeper may not have forgotten: what comes
    /// twice is on record once.
    fn reopen(&mut self, now: Instant) -> Step {
        let Some(pause) = pause_after_loss(&mut self.link, now) else {
            tracing::warn!(session.id = %self.session_id,
                "a shell that nobody is attached to was not reached for long and is left to whoever reaches it");
            return ControlFlow::Break(Some(Leaving::Unread(LOOK_AGAIN_AFTER)));
        };
        let place = Resume {
            shell_epoch: self.shell_epoch,
            out_off: self.allowance.told_to(),
        };
        let leg = Leg::start(self.spec.clone(), self.size, Some(place), pause);
        Metric::TerminalLegsReopened.increment(1, &[]);
        self.leg = leg.taped(&self.taped.recorded);
        ControlFlow::Continue(())
    }
}

/// Counts a shell while it is recorded, whatever ends that.
struct Counted;

impl Counted {
    fn new() -> Self {
        Metric::TerminalUnattended.change(1.0, &[]);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        Metric::TerminalUnattended.change(-1.0, &[]);
    }
}

/// Whether there is nothing to open a leg anew for.
fn is_for_good(end: &LegEnd) -> bool {
    match end {
        LegEnd::Exit(_) | LegEnd::Superseded { .. } | LegEnd::Displaced | LegEnd::Unrecorded => {
            true
        }
        LegEnd::Refused(refused) => refused.code != RefusalCode::NoKeeper,
        LegEnd::NotStarted(error) => is_gone_for_good(error),
        LegEnd::Lost(_) | LegEnd::Cut => false,
    }
}

/// What becomes of a shell whose leg has ended for good; nothing where somebody else has it, or may record
/// it once the lease is over.
fn left_by(end: &LegEnd) -> Option<Leaving> {
    match end {
        LegEnd::Exit(_) | LegEnd::NotStarted(_) => Some(Leaving::Over),
        LegEnd::Displaced => Some(Leaving::Unread(LOOK_AGAIN_AFTER)),
        LegEnd::Refused(refused) if refused.code != RefusalCode::StaleEpoch => {
            Some(Leaving::Unread(LOOK_AGAIN_AFTER))
        }
        LegEnd::Superseded { .. }
        | LegEnd::Refused(_)
        | LegEnd::Unrecorded
        | LegEnd::Lost(_)
        | LegEnd::Cut => None,
    }
}

/// How long to wait before a lost leg is opened anew; nothing where its environment was not reached for
/// too long.
fn pause_after_loss(link: &mut Link, now: Instant) -> Option<Duration> {
    let down_for = link.down_since().map(|since| now - since);
    if down_for.is_some_and(|down_for| down_for >= LOST_AFTER) {
        return None;
    }
    Some(match link.lost(now, rand::random()) {
        AfterLoss::Reopen { pause, .. } => pause,
        AfterLoss::GiveUp => AGAIN_AFTER,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_goes_leaves_a_shell_and_a_shell_that_goes_leaves_none() {
        for code in [
            CloseCode::GoingAway,
            CloseCode::SlowConsumer,
            CloseCode::LoginExpired,
            CloseCode::SessionEnded,
            CloseCode::Protocol,
            CloseCode::ExecFailed,
        ] {
            assert!(leaves_a_shell(code), "{code:?}");
        }
        for code in [
            CloseCode::ShellExited,
            CloseCode::Superseded,
            CloseCode::EnvironmentGone,
            CloseCode::Restart,
        ] {
            assert!(!leaves_a_shell(code), "{code:?}");
        }
    }
}
