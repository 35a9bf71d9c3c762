//! An attached terminal: the one task that owns the socket.
//!
//! Every arm of its select only waits; what it waited for is handled afterwards without waiting.
//! So nothing that is slow (a browser, a shell, the database) keeps anything else from moving.

mod inbound;
mod outbound;
mod record;
mod shell;
mod timers;

use std::time::Instant;

use actix_ws::Message;
use bytes::Bytes;
use environment_access::OutageCause;
use environment_access::wire::{
    CloseCode, Mode, Notice, NoticeCode, Replay, ReplayMark, ServerFrame, Welcome, limits,
};
use serde_json::{Map, Value};
use session_recording::Place;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::browser::{Browser, hear, put, room};
use super::freeze::{Ended, Freeze, Reason};
use super::input::InputFlow;
use super::link::Link;
use super::opening::OpenedLeg;
use super::outbox::Outbox;
use super::pace::{PingPace, ResizePace};
use super::recording::Taped;
use crate::evidence::Evidence;
use crate::leg::{Leg, LegCommand, LegSpec};
use crate::registry::Attached;
use crate::state::GatewayState;
use outbound::Traffic;
use record::next_place;
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
    /// An acknowledgement the keeper has not been given yet.
    ack_due: Option<u64>,
    /// Where everything is recorded, if it is.
    taped: Option<Taped>,
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
            ack_due: None,
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
            frozen_since: None,
            frozen_for: None,
            evidence,
            draining: state.draining.clone(),
            timers: Timers::new(now, login_ends_at),
            traffic: Traffic::default(),
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

    /// Serves until something ends it, and says what.
    pub(super) async fn serve(mut self) -> CloseCode {
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
        code
    }

    async fn run(&mut self) -> CloseCode {
        let attached = self.attached;
        let mut shut = std::pin::pin!(attached.gate.wait_shut());
        let draining = self.draining.clone();
        let mut drained = std::pin::pin!(draining.cancelled());
        loop {
            if let Some(code) = self.left() {
                return code;
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
                room = room(&mut self.browser.session), if self.has_message() => {
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

    /// The code to close with, once the shell has ended and the browser has everything.
    fn left(&self) -> Option<CloseCode> {
        self.leaving.filter(|_| self.outbox.is_empty())
    }

    fn welcome(&self, output_offset: u64, input_offset: u64, replay_from: u64) -> ServerFrame {
        ServerFrame::Welcome(Welcome {
            epoch: self.shell_epoch,
            output_offset,
            input_offset,
            window: limits::OUTPUT_WINDOW,
            input_window: limits::INPUT_WINDOW,
            max_frame: u32::try_from(limits::MAX_CLIENT_MESSAGE).expect("a frame fits 32 bits"),
            ping_ms: u32::try_from(limits::CLIENT_PING_EVERY.as_millis()).expect("it is seconds"),
            remaining_ms: remaining_ms(*self.ends_at.borrow()),
            mode: Mode::Interactive,
            replay_from,
        })
    }

    fn end_moved(&mut self, known: bool) -> Result<(), CloseCode> {
        if !known {
            return Err(CloseCode::Internal);
        }
        let remaining = remaining_ms(*self.ends_at.borrow_and_update());
        let args = [("remaining_ms".to_owned(), Value::from(remaining))];
        self.notice(
            NoticeCode::DeadlineMoved,
            "terminal.deadline_moved",
            args.into_iter().collect(),
        );
        Ok(())
    }

    fn freeze_changed(&mut self, known: Result<(), Ended>) -> Result<(), CloseCode> {
        known.map_err(|Ended| CloseCode::Internal)?;
        let reason = self.freeze.reason();
        if reason.is_some() {
            self.frozen_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.frozen_since.take() {
            self.evidence.outage(OutageCause::InputFrozen, since);
        }
        if reason != std::mem::replace(&mut self.frozen_for, reason) {
            self.tell_frozen(reason.map(Reason::text));
        }
        Ok(())
    }

    /// Says why input waits, or that it waits no more.
    fn tell_frozen(&mut self, why: Option<&str>) {
        match why {
            Some(text) => self.notice(NoticeCode::Frozen, text, Map::new()),
            None => self.notice(NoticeCode::Thawed, "terminal.thawed", Map::new()),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    fn drain(&mut self) -> Result<(), CloseCode> {
        self.timers.drain(Instant::now(), rand::random());
        self.notice(NoticeCode::Draining, "terminal.draining", Map::new());
        Ok(())
    }

    fn notice(&mut self, code: NoticeCode, text: &str, args: Map<String, Value>) {
        let args = args.into_iter().collect();
        self.outbox.control(&ServerFrame::Notice(Notice {
            code,
            text: text.to_owned(),
            args,
        }));
    }
}

/// Waits until the leg takes a command, or has ended.
async fn room_for_command(commands: &mpsc::Sender<LegCommand>) {
    commands.reserve().await.map(drop).ok();
}

/// Time to an end in milliseconds; `None` while the clock has not started.
fn remaining_ms(end: Option<Instant>) -> Option<u64> {
    let remaining = end?.saturating_duration_since(Instant::now());
    Some(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX))
}

impl Terminal<'_> {
    /// Whether something can be handed to the browser's connection.
    fn has_message(&self) -> bool {
        self.pong_due.is_some() || self.ping_due || self.outbox.has_next()
    }

    /// Hands one message over: WebSocket control first, then frames in the outbox's order.
    fn send_message(&mut self, has_room: bool) -> Result<(), CloseCode> {
        let message = if let Some(bytes) = self.pong_due.take() {
            Message::Pong(bytes)
        } else if std::mem::take(&mut self.ping_due) {
            Message::Ping(Bytes::new())
        } else if let Some(frame) = self.outbox.next() {
            self.traffic.sent(frame.len());
            Message::Binary(frame)
        } else {
            return Ok(());
        };
        if !has_room || put(&mut self.browser.session, message).is_err() {
            return Err(CloseCode::GoingAway);
        }
        self.timers
            .watch_stall(self.outbox.waits_at(), Instant::now());
        Ok(())
    }
}
