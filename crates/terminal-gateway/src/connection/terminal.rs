//! An attached terminal: the one task that owns the socket.
//!
//! Every arm of its select only waits; what it waited for is handled afterwards without waiting.
//! So nothing that is slow (a browser, a shell, the database) keeps anything else from moving.

mod inbound;
mod notices;
mod outbound;
mod record;
mod shell;
mod timers;

use std::time::Instant;

use bytes::Bytes;
use environment_access::wire::{CloseCode, Replay, ReplayMark};
use environment_access::{Leaving, OutageCause};
use session_recording::Place;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::browser::{Browser, hear};
use super::freeze::{Freeze, Reason};
use super::input::InputFlow;
use super::link::Link;
use super::opening::OpenedLeg;
use super::outbox::Outbox;
use super::pace::{PingPace, ResizePace};
use super::recording::{Taped, next_place};
use super::unattended::{Allowance, Unattended, leaves_a_shell};
use crate::evidence::Evidence;
use crate::leg::{Leg, LegCommand, LegSpec};
use crate::readings::Reading;
use crate::registry::Attached;
use crate::state::GatewayState;
use outbound::{Traffic, Turn};
use timers::Timers;

/// An attached terminal.
pub(super) struct Terminal<'a> {
    browser: &'a mut Browser,
    attached: &'a Attached,
    spec: LegSpec,
    leg: Leg,
    link: Link,
    /// The shell's life that offsets belong to.
    shell_epoch: u32,
    outbox: Outbox,
    input: InputFlow,
    resize: ResizePace,
    pings: PingPace,
    /// Up to where this leg's keeper was told that it may forget output.
    acked_to: u64,
    /// Where everything is recorded, if it is.
    taped: Option<Taped>,
    /// What says that its shell is read here.
    reading: Option<Reading>,
    /// How far what is typed was given to the recorder.
    typed_to: u64,
    /// How far what is recorded survives this process.
    written_to: Option<watch::Receiver<Place>>,
    /// A WebSocket ping to be answered.
    pong_due: Option<Bytes>,
    /// Whether a WebSocket ping of ours is to be sent.
    ping_due: bool,
    leg_micros: u32,
    /// Set when the shell has ended: close once everything is sent.
    leaving: Option<CloseCode>,
    throttle_told: bool,
    ends_at: watch::Receiver<Option<Instant>>,
    freeze: Freeze,
    frozen_since: Option<Instant>,
    frozen_for: Option<Reason>,
    evidence: Evidence,
    draining: CancellationToken,
    timers: Timers,
    traffic: Traffic,
    /// Since when something typed waits for the shell to print.
    echo_since: Option<Instant>,
}

impl<'a> Terminal<'a> {
    /// Takes over an opened leg and queues WELCOME.
    pub(super) fn new(
        browser: &'a mut Browser,
        state: &GatewayState,
        attached: &'a Attached,
        opened: OpenedLeg,
        login_ends_at: Instant,
        evidence: Evidence,
    ) -> Self {
        let OpenedLeg {
            leg,
            spec,
            opened,
            size,
            wanted,
            continues,
            starts_at,
            taped,
        } = opened;
        let now = Instant::now();
        let mut resize = ResizePace::new(size);
        resize.want(wanted);
        if !continues && opened.truncated {
            // What came before is lost for good: a full-screen program has to draw itself anew.
            resize.nudge();
        }
        let mut terminal = Self {
            browser,
            attached,
            spec,
            leg,
            link: Link::default(),
            shell_epoch: opened.shell_epoch,
            outbox: Outbox::new(starts_at),
            input: InputFlow::new(opened.in_off, now),
            resize,
            pings: PingPace::new(now),
            acked_to: 0,
            typed_to: opened.in_off,
            written_to: taped.as_ref().and_then(Taped::written_to),
            pong_due: None,
            ping_due: false,
            leg_micros: 0,
            leaving: None,
            throttle_told: false,
            ends_at: attached.ends_at.subscribe(),
            freeze: Freeze::new(
                state.frozen.subscribe(),
                taped.as_ref().and_then(Taped::freezes_on),
            ),
            taped,
            reading: None,
            frozen_since: None,
            frozen_for: None,
            evidence,
            draining: state.draining.clone(),
            timers: Timers::new(now, login_ends_at),
            traffic: Traffic::default(),
            echo_since: None,
        };
        terminal
            .outbox
            .control(&terminal.welcome(opened.out_off, opened.in_off, starts_at));
        if !continues && (opened.truncated || opened.replay_from < opened.out_off) {
            terminal.outbox.replay(Replay {
                mark: ReplayMark::Begin,
                from: opened.replay_from,
                to: opened.out_off,
                truncated: opened.truncated,
            });
        }
        terminal
    }

    /// Has other processes told, for as long as it lasts, that its shell is read.
    pub(super) fn read_for_the_record(mut self, reading: Option<Reading>) -> Self {
        self.reading = reading;
        self
    }

    /// Serves until something ends it, and says what, and what goes on without a browser.
    pub(super) async fn serve(mut self) -> (CloseCode, Option<Unattended>) {
        let code = self.run().await;
        // Whatever ended it: what did not work until then was an outage.
        for (cause, since) in [
            (OutageCause::LegLost, self.link.down_since()),
            (OutageCause::InputFrozen, self.frozen_since),
        ] {
            if let Some(since) = since {
                self.evidence.outage(cause, since);
            }
        }
        (code, self.leave(code))
    }

    /// What is recorded goes on being recorded while the shell lives.
    fn leave(mut self, code: CloseCode) -> Option<Unattended> {
        let reading = self.reading.take()?;
        let has_exited = self.leaving.is_some() || code == CloseCode::EnvironmentGone;
        if has_exited {
            reading.leave(Leaving::Over);
            return None;
        }
        // A browser that is sent elsewhere is back there before the lease is over, or somebody reads on.
        if !leaves_a_shell(code) || self.draining.is_cancelled() {
            return None;
        }
        reading.detached();
        let may_return = code != CloseCode::SessionEnded;
        let (received, consumed) = (self.outbox.received(), self.consumed());
        Some(Unattended {
            session_id: self.attached.session_id,
            taped: self.taped?,
            spec: self.spec,
            leg: self.leg,
            link: self.link,
            written_to: self.written_to,
            shell_epoch: self.shell_epoch,
            size: self.resize.current(),
            allowance: Allowance::new(received, consumed, may_return, Instant::now()),
            reading,
        })
    }

    async fn run(&mut self) -> CloseCode {
        let attached = self.attached;
        let mut shut = std::pin::pin!(attached.gate.wait_shut());
        let draining = self.draining.clone();
        let mut drained = std::pin::pin!(draining.cancelled());
        // What is frozen already does not change, and is told all the same.
        if let Err(code) = self.freeze_changed(Ok(())) {
            return code;
        }
        loop {
            match self.rush() {
                Ok(Turn::Over) => {}
                // The connection writes what it has been given before it is given more.
                Ok(Turn::Full) => tokio::task::yield_now().await,
                Err(code) => return code,
            }
            let wake_at = self.next_wake();
            let step = tokio::select! {
                biased;
                code = &mut shut => Err(code),
                event = self.leg.events.recv(), if self.leaving.is_none() => self.leg_event(event),
                heard = hear(&mut self.browser.messages) => self.heard(heard),
                () = room_for_command(&self.leg.commands), if self.has_command() => {
                    self.send_command()
                }
                room = self.browser.outlet.room(), if self.has_message() => {
                    self.send_message(room.is_ok())
                }
                changed = self.ends_at.changed() => self.end_moved(changed.is_ok()),
                changed = self.freeze.changed() => self.freeze_changed(changed),
                changed = next_place(&mut self.written_to) => self.written(changed),
                () = &mut drained, if !self.timers.is_draining() => self.drain(),
                () = tokio::time::sleep_until(wake_at.into()) => self.wake(),
            };
            if let Err(code) = step {
                return code;
            }
        }
    }

    /// Does all that needs no waiting: one wake-up serves whatever came with it.
    fn rush(&mut self) -> Result<Turn, CloseCode> {
        if let Some(code) = self.attached.gate.reason() {
            return Err(code);
        }
        self.hear_on()?;
        self.command_on()?;
        while self.leaving.is_none()
            && let Ok(event) = self.leg.events.try_recv()
        {
            self.leg_event(Some(event))?;
        }
        self.command_on()?;
        let turn = self.send_on()?;
        self.count_unacked();
        self.left().map(|()| turn)
    }

    /// The code to close with, once the shell has ended and the browser has everything.
    fn left(&self) -> Result<(), CloseCode> {
        match self.leaving.filter(|_| self.outbox.is_empty()) {
            Some(code) => Err(code),
            None => Ok(()),
        }
    }
}

/// Waits until the leg takes a command, or has ended.
async fn room_for_command(commands: &mpsc::Sender<LegCommand>) {
    commands.reserve().await.map(drop).ok();
}
