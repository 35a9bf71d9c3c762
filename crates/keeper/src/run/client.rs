use std::io;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use carrel_keeper::frames::{KeeperFrame, WINDOW};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, FrameError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

use super::ring::OutputRing;

/// Output bytes per frame: small enough that a PONG never waits long behind one.
const CHUNK: usize = 16 * 1024;

/// Answers a client may leave unread before it is read no further.
const MOST_CONTROL: usize = 64 * 1024;

/// How long a closed stream may take to swallow its last frame.
const FAREWELL: Duration = Duration::from_secs(2);

/// The stream that holds the terminal.
///
/// Nothing in here waits: output stalls when the window is used up or the socket is full, and
/// everything else goes on.
#[derive(Debug)]
pub(super) struct Client {
    socket: UnixStream,
    decoder: Decoder<ClientFrame>,
    /// A frame being written.
    writing: BytesMut,
    /// Frames that go before any output.
    control: BytesMut,
    /// Output handed to `writing`, as an offset.
    pub(super) sent: u64,
    /// Output the client has consumed, as an offset.
    pub(super) acked: u64,
    /// The input offset last acknowledged; `None` asks for an answer in any case.
    pub(super) input_told: Option<u64>,
}

/// What one look at the socket gave.
pub(super) enum Heard {
    /// A frame.
    Frame(ClientFrame),
    /// Nothing more for now.
    Nothing,
    /// The client is gone.
    End,
    /// Bytes that are no frame.
    Nonsense(FrameError),
}

impl Client {
    /// Takes over a stream whose OPEN was read; output continues at `replay_from`.
    pub(super) fn new(
        socket: UnixStream,
        decoder: Decoder<ClientFrame>,
        replay_from: u64,
        in_off: u64,
    ) -> Self {
        Self {
            socket,
            decoder,
            writing: BytesMut::new(),
            control: BytesMut::new(),
            sent: replay_from,
            acked: replay_from,
            input_told: Some(in_off),
        }
    }

    /// Queues a frame ahead of all output.
    pub(super) fn say(&mut self, frame: &KeeperFrame) {
        frame
            .encode(&mut self.control)
            .expect("control frames are small");
    }

    /// Notes an ACK; one for output not yet sent counts up to what was.
    pub(super) fn ack(&mut self, out_off: u64) {
        self.acked = self.acked.max(out_off.min(self.sent));
    }

    /// Waits until the socket can do what is wanted.
    pub(super) async fn ready(&self, ring: &OutputRing, written: u64) {
        let mut interest = Interest::READABLE;
        if self.control.len() >= MOST_CONTROL {
            interest = Interest::WRITABLE;
        } else if self.has_something(ring, written) {
            interest |= Interest::WRITABLE;
        }
        // An error shows again in the read that follows.
        self.socket.ready(interest).await.ok();
    }

    fn has_something(&self, ring: &OutputRing, written: u64) -> bool {
        !self.writing.is_empty()
            || !self.control.is_empty()
            || self.input_told != Some(written)
            || self.room(ring) > 0
    }

    /// Returns how much output may be sent now.
    fn room(&self, ring: &OutputRing) -> u64 {
        (self.acked + WINDOW)
            .min(ring.end())
            .saturating_sub(self.sent)
    }

    /// Takes the next frame that has arrived.
    pub(super) fn hear(&mut self) -> Heard {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Heard::Frame(frame),
                Ok(None) if self.control.len() >= MOST_CONTROL => return Heard::Nothing,
                Ok(None) => {}
                Err(error) => return Heard::Nonsense(error),
            }
            self.decoder.buffer_mut().reserve(4096);
            match self.socket.try_read_buf(self.decoder.buffer_mut()) {
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
                _ => return Heard::End,
            }
        }
    }

    /// Writes what the socket takes: a begun frame, then control, then output within the window.
    ///
    /// # Errors
    /// The socket's; the client is gone then.
    pub(super) fn write(&mut self, ring: &OutputRing, written: u64) -> io::Result<()> {
        loop {
            if self.writing.is_empty() {
                self.next_frame(ring, written);
            }
            if self.writing.is_empty() {
                // An idle stream keeps no buffer.
                self.writing = BytesMut::new();
                return Ok(());
            }
            match self.socket.try_write(&self.writing) {
                Ok(count) => self.writing.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn next_frame(&mut self, ring: &OutputRing, written: u64) {
        if self.input_told != Some(written) {
            self.input_told = Some(written);
            self.say(&KeeperFrame::InputAck { in_off: written });
        }
        if !self.control.is_empty() {
            self.writing = self.control.split();
            return;
        }
        let room = usize::try_from(self.room(ring)).unwrap_or(CHUNK).min(CHUNK);
        if room == 0 {
            return;
        }
        let output = KeeperFrame::Output {
            off: self.sent,
            bytes: ring.copy(self.sent, room),
        };
        output
            .encode(&mut self.writing)
            .expect("a chunk is smaller than a frame");
        self.sent += room as u64;
    }

    /// Tells whether every byte queued so far is with the kernel.
    pub(super) fn is_flushed(&self) -> bool {
        self.writing.is_empty() && self.control.is_empty()
    }

    /// Ends the stream after the frames already queued and `last`; output not begun is dropped.
    pub(super) async fn close(mut self, last: Option<KeeperFrame>) {
        if let Some(last) = last {
            self.say(&last);
        }
        self.writing.extend_from_slice(&self.control);
        farewell(self.socket, &self.writing).await;
    }
}

/// Writes `last`, then swallows what still comes: closing a socket with unread bytes would reset
/// it, and the far side might never read the last frame.
pub(super) async fn farewell(mut socket: UnixStream, last: &[u8]) {
    let goodbye = async {
        socket.write_all(last).await?;
        socket.shutdown().await?;
        let mut ignored = [0; 4096];
        while socket.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether it worked makes no difference: the stream is closed either way.
    tokio::time::timeout(FAREWELL, goodbye).await.ok();
}
