//! Moving frames between the socket task and the keeper.
//!
//! Reading, writing, taking commands and telling events are four arms of one select, and none of
//! them is awaited inside another: output that nobody takes never keeps an interrupt from the
//! shell. What can move without waiting moves before the select is asked again: one wake-up serves
//! all that came with it.

mod incoming;
mod outgoing;

use std::pin::pin;
use std::time::Duration;

use carrel_keeper::ClientFrame;
use carrel_keeper::frames::WindowSize;
use execution_environment::{AttachStreams, RuntimeError};
use futures_util::FutureExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::incoming::Incoming;
use self::outgoing::Outgoing;
use super::{LegCommand, LegEnd, LegEvent, OnceShut};
use crate::gate::Gate;

/// How often the leg is measured.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A leg without a byte for so long, with a ping unanswered, is lost.
const LOST_AFTER: Duration = Duration::from_secs(25);

/// What the loop remembers between two turns.
struct Pump<'a> {
    incoming: Incoming,
    outgoing: Outgoing,
    began: Instant,
    gate: &'a Gate,
    once_shut: OnceShut,
    /// The gate is shut, and the leg is read on.
    is_mute: bool,
}

/// Runs until the leg ends.
pub(super) async fn run(
    mut streams: AttachStreams,
    mut commands: mpsc::Receiver<LegCommand>,
    events: &mpsc::Sender<LegEvent>,
    gate: &Gate,
    once_shut: OnceShut,
) -> LegEnd {
    let mut pump = Pump::new(gate, once_shut);
    let mut shut = pin!(gate.wait_shut());
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Err(end) = pump.rush(&mut streams, &mut commands, events) {
            return end;
        }
        let step = tokio::select! {
            biased;
            _ = &mut shut, if !pump.is_mute => pump.obey_gate(),
            room = events.reserve(), if pump.incoming.waits() => pump.incoming.tell(room),
            wrote = pump.outgoing.write_some(&mut streams.writer), if pump.outgoing.has_work() => {
                pump.outgoing.wrote(&wrote);
                Ok(())
            }
            command = commands.recv(), if pump.outgoing.has_room() => pump.command(command),
            read = streams.reader.read_buf(pump.incoming.buffer_mut()),
                if !pump.incoming.waits() => pump.read(read),
            () = sleep_until(pump.outgoing.read_until().unwrap_or(pump.began)),
                if pump.outgoing.read_until().is_some() => {
                Err(LegEnd::Lost("the stream cannot be written"))
            }
            _ = pings.tick() => pump.ping(),
        };
        if let Err(end) = step {
            return end;
        }
    }
}

impl<'a> Pump<'a> {
    fn new(gate: &'a Gate, once_shut: OnceShut) -> Self {
        let began = Instant::now();
        Self {
            incoming: Incoming::new(began),
            outgoing: Outgoing::new(),
            began,
            gate,
            once_shut,
            is_mute: false,
        }
    }

    /// Does all that needs no waiting; the select waits for the rest.
    fn rush(
        &mut self,
        streams: &mut AttachStreams,
        commands: &mut mpsc::Receiver<LegCommand>,
        events: &mpsc::Sender<LegEvent>,
    ) -> Result<(), LegEnd> {
        self.incoming.tell_on(events)?;
        while self.outgoing.has_room()
            && let Ok(command) = commands.try_recv()
        {
            self.command(Some(command))?;
        }
        self.obey_gate()?;
        while self.outgoing.has_work()
            && let Some(wrote) = self.outgoing.write_some(&mut streams.writer).now_or_never()
        {
            self.outgoing.wrote(&wrote);
        }
        Ok(())
    }

    /// The last look before bytes leave this process. Behind a shut gate a leg ends, or is read on and
    /// takes no typed byte any more. Where one is on its way it can only be kept from leaving by the end.
    fn obey_gate(&mut self) -> Result<(), LegEnd> {
        if self.is_mute || self.gate.is_open() {
            return Ok(());
        }
        if self.once_shut == OnceShut::Ends || self.outgoing.holds_typed() {
            return Err(LegEnd::Cut);
        }
        self.is_mute = true;
        Ok(())
    }

    fn command(&mut self, command: Option<LegCommand>) -> Result<(), LegEnd> {
        self.obey_gate()?;
        let frame = match command {
            None => return Err(LegEnd::Cut),
            Some(LegCommand::Ack(offset)) => ClientFrame::Ack { out_off: offset },
            Some(LegCommand::Input { .. } | LegCommand::Resize(_)) if self.is_mute => return Ok(()),
            Some(LegCommand::Input { offset, bytes }) => ClientFrame::Input {
                in_off: offset,
                bytes,
            },
            Some(LegCommand::Resize(size)) => ClientFrame::Resize(WindowSize {
                cols: size.columns,
                rows: size.rows,
            }),
        };
        self.outgoing.put(&frame);
        Ok(())
    }

    /// However a stream ends, only EXIT ends a terminal: a container runtime that restarts ends
    /// streams as if their command had ended well.
    fn read(&mut self, read: std::io::Result<usize>) -> Result<(), LegEnd> {
        match read {
            Ok(0) => Err(LegEnd::Lost("the stream ended")),
            Err(error) => Err(broken(error)),
            Ok(count) => {
                self.incoming.read(count);
                Ok(())
            }
        }
    }

    /// Any byte counts as life: while output stalls, a PONG may be late and nothing is wrong.
    fn ping(&mut self) -> Result<(), LegEnd> {
        if !self.incoming.waits() && self.incoming.silent_for() > LOST_AFTER {
            return Err(LegEnd::Lost("the keeper does not answer"));
        }
        let micros = self.began.elapsed().as_micros();
        self.outgoing.put(&ClientFrame::Ping {
            token: u64::try_from(micros).unwrap_or(u64::MAX),
        });
        Ok(())
    }
}

/// Some runtimes agree to an exec before they start it, and tell a refusal on its stream.
fn broken(error: std::io::Error) -> LegEnd {
    match error.downcast::<RuntimeError>() {
        Ok(refusal) => LegEnd::NotStarted(refusal),
        Err(error) => {
            tracing::debug!(%error, "the stream broke");
            LegEnd::Lost("the stream broke")
        }
    }
}

#[cfg(test)]
mod tests;
