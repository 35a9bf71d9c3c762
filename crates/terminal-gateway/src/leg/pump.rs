//! Moving frames between the socket task and the keeper.
//!
//! Reading, writing, taking commands and telling events are four arms of one select, and none of
//! them is awaited inside another: output that nobody takes never keeps an interrupt from the
//! shell. What can move without waiting moves before the select is asked again: one wake-up serves
//! all that came with it.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use carrel_keeper::frames::WindowSize;
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use execution_environment::{AttachStreams, RuntimeError};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{LegCommand, LegEnd, LegEvent};
use crate::gate::Gate;

/// How often the leg is measured.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A leg without a byte for so long, with a ping unanswered, is lost.
const LOST_AFTER: Duration = Duration::from_secs(25);
/// How long a stream that takes nothing any more is still read: it may hold how it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Encoded commands not yet written, in bytes; beyond it commands wait in the socket task.
const MOST_UNWRITTEN: usize = 32 * 1024;
/// Room for one read while the shell is quiet, and while it prints much, in bytes.
const QUIET_READ: usize = 4 * 1024;
const BULK_READ: usize = 64 * 1024;

/// What the loop remembers between two turns.
struct Pump<'a> {
    decoder: Decoder<KeeperFrame>,
    read_size: usize,
    unwritten: BytesMut,
    flushed: bool,
    /// Since the stream takes nothing any more: until when it is read.
    read_until: Option<Instant>,
    /// An event that waits for room in the channel.
    untold: Option<LegEvent>,
    began: Instant,
    heard_at: Instant,
    gate: &'a Gate,
}

/// What a turn of writing did.
enum Wrote {
    /// So many bytes were taken.
    Bytes(usize),
    /// All that was taken is on its way.
    Flushed,
}

/// Writes what the stream takes now, or flushes when there is nothing to write. Nothing is lost
/// when it is cancelled.
async fn write_some(
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    bytes: &[u8],
) -> std::io::Result<Wrote> {
    if bytes.is_empty() {
        return writer.flush().await.map(|()| Wrote::Flushed);
    }
    writer.write(bytes).await.map(Wrote::Bytes)
}

/// Runs until the leg ends.
pub(super) async fn run(
    mut streams: AttachStreams,
    mut commands: mpsc::Receiver<LegCommand>,
    events: &mpsc::Sender<LegEvent>,
    gate: &Gate,
) -> LegEnd {
    let mut pump = Pump::new(gate);
    let mut shut = pin!(gate.wait_shut());
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Err(end) = pump.rush(&mut streams, &mut commands, events) {
            return end;
        }
        let step = tokio::select! {
            biased;
            _ = &mut shut => Err(LegEnd::Cut),
            room = events.reserve(), if pump.untold.is_some() => pump.tell(room),
            wrote = write_some(&mut streams.writer, &pump.unwritten), if pump.has_unwritten() => {
                pump.wrote(&wrote)
            }
            command = commands.recv(), if pump.unwritten.len() < MOST_UNWRITTEN => {
                pump.command(command)
            }
            read = streams.reader.read_buf(pump.decoder.buffer_mut()),
                if pump.untold.is_none() => pump.read(read),
            () = sleep_until(pump.read_until.unwrap_or(pump.began)), if pump.read_until.is_some() => {
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
    fn new(gate: &'a Gate) -> Self {
        let now = Instant::now();
        Self {
            decoder: Decoder::new(),
            read_size: QUIET_READ,
            unwritten: BytesMut::new(),
            flushed: true,
            read_until: None,
            untold: None,
            began: now,
            heard_at: now,
            gate,
        }
    }

    /// Does all that needs no waiting; the select waits for the rest.
    fn rush(
        &mut self,
        streams: &mut AttachStreams,
        commands: &mut mpsc::Receiver<LegCommand>,
        events: &mpsc::Sender<LegEvent>,
    ) -> Result<(), LegEnd> {
        self.tell_on(events)?;
        while self.unwritten.len() < MOST_UNWRITTEN
            && let Ok(command) = commands.try_recv()
        {
            self.command(Some(command))?;
        }
        if !self.gate.is_open() {
            return Err(LegEnd::Cut);
        }
        while self.has_unwritten()
            && let Some(wrote) = write_some(&mut streams.writer, &self.unwritten).now_or_never()
        {
            self.wrote(&wrote)?;
        }
        Ok(())
    }

    /// Tells every frame that is here, as far as there is room.
    fn tell_on(&mut self, events: &mpsc::Sender<LegEvent>) -> Result<(), LegEnd> {
        loop {
            self.next_event()?;
            if self.untold.is_none() {
                return Ok(());
            }
            // Full, or nobody listens any more: the select learns which.
            let Ok(room) = events.try_reserve() else {
                return Ok(());
            };
            self.tell(Ok(room))?;
        }
    }

    /// Turns the next buffered frame into an event, if none waits already.
    fn next_event(&mut self) -> Result<(), LegEnd> {
        while self.untold.is_none() {
            let frame = self.decoder.next_frame();
            let Some(frame) = frame.map_err(|_| LegEnd::Lost("the keeper sent no frame"))? else {
                self.make_room();
                return Ok(());
            };
            self.untold = Some(match frame {
                KeeperFrame::Opened(opened) => LegEvent::Opened(opened),
                KeeperFrame::Output { off, bytes } => LegEvent::Output { offset: off, bytes },
                KeeperFrame::InputAck { in_off } => LegEvent::InputAck(in_off),
                KeeperFrame::Pong { token } => LegEvent::RoundTrip(self.since(token)),
                KeeperFrame::Exit(exit) => return Err(LegEnd::Exit(exit)),
                KeeperFrame::Superseded(_) => return Err(LegEnd::Superseded),
                KeeperFrame::Refused(refused) => return Err(LegEnd::Refused(refused)),
            });
        }
        Ok(())
    }

    /// Room for the next read. What a flood needed is given back once the shell is quiet.
    fn make_room(&mut self) {
        let buffer = self.decoder.buffer_mut();
        if buffer.is_empty() && self.read_size == QUIET_READ && buffer.capacity() > BULK_READ / 2 {
            *buffer = BytesMut::new();
        }
        buffer.reserve(self.read_size);
    }

    fn tell(
        &mut self,
        room: Result<mpsc::Permit<'_, LegEvent>, mpsc::error::SendError<()>>,
    ) -> Result<(), LegEnd> {
        let (Ok(room), Some(event)) = (room, self.untold.take()) else {
            return Err(LegEnd::Cut);
        };
        room.send(event);
        Ok(())
    }

    fn has_unwritten(&self) -> bool {
        self.read_until.is_none() && (!self.unwritten.is_empty() || !self.flushed)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    fn wrote(&mut self, wrote: &std::io::Result<Wrote>) -> Result<(), LegEnd> {
        match wrote {
            Ok(Wrote::Flushed) => self.flushed = true,
            Ok(Wrote::Bytes(count)) if *count > 0 => {
                self.unwritten.advance(*count);
                self.flushed = false;
                if self.unwritten.is_empty() {
                    // An idle leg keeps no buffer.
                    self.unwritten = BytesMut::new();
                }
            }
            // An EXIT that was sent before lies ahead of the end, and reading finds it.
            Ok(Wrote::Bytes(_)) | Err(_) => self.read_until = Some(Instant::now() + LAST_WORDS),
        }
        Ok(())
    }

    fn command(&mut self, command: Option<LegCommand>) -> Result<(), LegEnd> {
        // The last look before the bytes leave this process.
        if !self.gate.is_open() {
            return Err(LegEnd::Cut);
        }
        let frame = match command {
            None => return Err(LegEnd::Cut),
            Some(LegCommand::Input { offset, bytes }) => ClientFrame::Input {
                in_off: offset,
                bytes,
            },
            Some(LegCommand::Resize(size)) => ClientFrame::Resize(WindowSize {
                cols: size.columns,
                rows: size.rows,
            }),
            Some(LegCommand::Ack(offset)) => ClientFrame::Ack { out_off: offset },
        };
        self.put(&frame);
        Ok(())
    }

    /// However a stream ends, only EXIT ends a terminal: a container runtime that restarts ends
    /// streams as if their command had ended well.
    fn read(&mut self, read: std::io::Result<usize>) -> Result<(), LegEnd> {
        match read {
            Ok(0) => Err(LegEnd::Lost("the stream ended")),
            Err(error) => Err(broken(error)),
            Ok(count) => {
                self.heard_at = Instant::now();
                // A quiet shell keeps a small buffer, a printing one reads in large pieces.
                self.read_size = if count >= QUIET_READ {
                    BULK_READ
                } else {
                    QUIET_READ
                };
                Ok(())
            }
        }
    }

    /// Any byte counts as life: while output stalls, a PONG may be late and nothing is wrong.
    fn ping(&mut self) -> Result<(), LegEnd> {
        if self.untold.is_none() && self.heard_at.elapsed() > LOST_AFTER {
            return Err(LegEnd::Lost("the keeper does not answer"));
        }
        let micros = self.began.elapsed().as_micros();
        self.put(&ClientFrame::Ping {
            token: u64::try_from(micros).unwrap_or(u64::MAX),
        });
        Ok(())
    }

    fn put(&mut self, frame: &ClientFrame) {
        frame
            .encode(&mut self.unwritten)
            .expect("commands are shorter than a frame may be");
    }

    fn since(&self, token: u64) -> Duration {
        self.began
            .elapsed()
            .saturating_sub(Duration::from_micros(token))
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
