//! What goes to the shell and what comes from it.

use std::time::Instant;

use bytes::Bytes;
use carrel_keeper::frames::{Opened, RefusalCode, Resume};
use environment_access::OutageCause;
use environment_access::wire::{CloseCode, Exit, ServerFrame};
use telemetry::metrics::Metric;

use super::Terminal;
use crate::connection::freeze::Reason;
use crate::connection::link::AfterLoss;
use crate::connection::opening::{is_gone_for_good, refusal};
use crate::leg::{Aside, Leg, LegCommand, LegEnd, LegEvent};

impl Terminal<'_> {
    /// Whether something waits for the leg and may go.
    pub(super) fn has_command(&self) -> bool {
        let resize_due = self
            .resize
            .next_in(Instant::now())
            .is_some_and(|wait| wait.is_zero());
        let input_due = self.input.has_work() && self.freeze.reason().is_none();
        self.link.is_up()
            && self.leaving.is_none()
            && !self.leg.commands.is_closed()
            && (self.consumed() > self.acked_to || resize_due || input_due)
    }

    /// Hands one command to the leg. Typed bytes go first: somebody waits for their echo.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    pub(super) fn send_command(&mut self) -> Result<(), CloseCode> {
        if let Some(command) = self.next_command() {
            // There is room and nobody else sends, so this fails only when the leg has ended;
            // what was typed is kept and goes to the next one.
            self.leg.commands.try_send(command).ok();
        }
        Ok(())
    }

    /// Hands over every command that the leg has room for.
    pub(super) fn command_on(&mut self) -> Result<(), CloseCode> {
        while self.has_command() && self.leg.commands.capacity() > 0 {
            self.send_command()?;
        }
        Ok(())
    }

    fn next_command(&mut self) -> Option<LegCommand> {
        if self.freeze.reason().is_none()
            && let Some((offset, bytes)) = self.input.next_chunk()
        {
            self.note_typed(offset, &bytes);
            return Some(LegCommand::Input { offset, bytes });
        }
        let consumed = self.consumed();
        if consumed > self.acked_to {
            self.acked_to = consumed;
            return Some(LegCommand::Ack(consumed));
        }
        let size = self.resize.next(Instant::now())?;
        if let Some(reading) = &self.reading {
            reading.resized(size);
        }
        self.leg.note(Aside::Resized(size));
        Some(LegCommand::Resize(size))
    }

    /// Puts typed bytes on record once, however often a new leg is given them.
    fn note_typed(&mut self, offset: u64, bytes: &Bytes) {
        let noted = usize::try_from(self.typed_to.saturating_sub(offset)).unwrap_or(usize::MAX);
        if noted < bytes.len() {
            self.typed_to = offset + bytes.len() as u64;
            self.leg.note(Aside::Typed(bytes.slice(noted..)));
        }
    }

    /// Handles what the leg says.
    pub(super) fn leg_event(&mut self, event: Option<LegEvent>) -> Result<(), CloseCode> {
        match event {
            Some(LegEvent::Output { offset, bytes }) => {
                if let Some(since) = self.echo_since.take() {
                    Metric::TerminalEchoSeconds.observe(since.elapsed(), &[]);
                }
                if let Err(error) = self.outbox.push(offset, bytes) {
                    tracing::warn!(session.id = %self.attached.session_id, %error, "output is missing");
                    return self.reopen();
                }
                self.timers
                    .watch_stall(self.outbox.waits_at(), Instant::now());
                Ok(())
            }
            Some(LegEvent::InputAck(offset)) => {
                self.input.acknowledged(offset);
                self.grant(Instant::now());
                Ok(())
            }
            Some(LegEvent::RoundTrip(time)) => {
                self.leg_micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
                Metric::TerminalLegSeconds.observe(time, &[]);
                Ok(())
            }
            Some(LegEvent::Opened(opened)) => self.reopened(&opened),
            Some(LegEvent::Ended(end)) => self.ended(&end),
            None => self.reopen(),
        }
    }

    /// Sends the `INPUT_ACK` that is due.
    pub(super) fn grant(&mut self, now: Instant) {
        if let Some(grant) = self.input.grant(now) {
            self.throttle_told &= self.input.is_throttled(now);
            self.outbox.input_ack(&ServerFrame::InputAck {
                offset: grant.offset,
                credit: grant.credit,
            });
        }
    }

    /// A leg was opened anew: both streams go on exactly where they were, or not at all.
    fn reopened(&mut self, opened: &Opened) -> Result<(), CloseCode> {
        let exact =
            opened.shell_epoch == self.shell_epoch && opened.replay_from <= self.outbox.received();
        if !exact {
            return Err(CloseCode::CannotResume);
        }
        self.input.rewind(opened.in_off).map_err(|error| {
            tracing::warn!(session.id = %self.attached.session_id, %error, "input is missing");
            CloseCode::CannotResume
        })?;
        self.acked_to = 0;
        if let Some(repair) = self.link.opened() {
            self.evidence
                .outage(OutageCause::LegLost, repair.down_since);
            if repair.was_told {
                self.tell_frozen(self.frozen_for.map(Reason::text));
            }
        }
        Ok(())
    }

    fn ended(&mut self, end: &LegEnd) -> Result<(), CloseCode> {
        match end {
            LegEnd::Exit(exit) => {
                self.outbox.last(&ServerFrame::Exit(Exit {
                    code: exit.code,
                    signal: exit.signal,
                    reason: "shell_exited".to_owned(),
                }));
                self.leaving = Some(CloseCode::ShellExited);
                Ok(())
            }
            LegEnd::Refused(refused) if refused.code == RefusalCode::NoKeeper => self.reopen(),
            // Whoever took this process for dead gives way, and opens nothing again.
            LegEnd::Displaced => self.reopen(),
            LegEnd::Refused(_) | LegEnd::Superseded { .. } | LegEnd::Unrecorded => {
                Err(refusal(end))
            }
            LegEnd::Cut => Err(self.attached.gate.reason().unwrap_or(CloseCode::Internal)),
            LegEnd::NotStarted(error) if is_gone_for_good(error) => Err(refusal(end)),
            LegEnd::NotStarted(error) => {
                tracing::info!(session.id = %self.attached.session_id,
                    signal = error.signal.kind(), "the leg could not be opened anew");
                self.reopen()
            }
            LegEnd::Lost(reason) => {
                tracing::info!(session.id = %self.attached.session_id, reason, "the leg was lost");
                self.reopen()
            }
        }
    }

    /// Opens the leg anew, at the same epoch and offsets, while the browser stays.
    fn reopen(&mut self) -> Result<(), CloseCode> {
        match self.link.lost(Instant::now(), rand::random()) {
            AfterLoss::GiveUp => Err(CloseCode::ExecFailed),
            AfterLoss::Reopen {
                pause,
                worth_telling,
            } => {
                let place = Resume {
                    shell_epoch: self.shell_epoch,
                    out_off: self.outbox.received(),
                };
                let size = self.resize.current();
                let leg = Leg::start(self.spec.clone(), size, Some(place), pause);
                Metric::TerminalLegsReopened.increment(1, &[]);
                self.leg = match &self.taped {
                    Some(taped) => leg.taped(&taped.recorded),
                    None => leg,
                };
                if worth_telling {
                    self.tell_frozen(Some("terminal.frozen"));
                }
                Ok(())
            }
        }
    }
}
