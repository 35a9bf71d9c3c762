use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::super::channels::ChannelDecoder;
use super::super::refusal::{Status, Target};
use super::Shared;
use crate::RuntimeError;

/// Often enough for whatever lies between to see life, and for a vanished server to leave bytes
/// unconfirmed. Whether it answers is not watched: a server that waits for the command to take its
/// input reads no PING.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long a server that has told the command's end may take to close. Output can still arrive,
/// since each channel has its own way there.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Standard output of an exec.
///
/// It ends without an error when the server says that the command ended well, and that proves
/// nothing: a container runtime that restarts says so too. A refusal of the exec, which arrives on
/// the stream, is an error that holds a [`RuntimeError`]; a stream that broke is another one.
#[derive(Debug)]
pub(in super::super) struct ExecReader<S> {
    shared: Arc<Shared<S>>,
    channels: ChannelDecoder,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    target: Target,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// The Status is there, and the rest of the output may still come.
    Draining,
    /// The reader knows what it has to say, once.
    Ended(Option<io::Error>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> ExecReader<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, target: Target) -> Self {
        Self {
            shared,
            channels: ChannelDecoder::default(),
            timer: Box::pin(sleep(PING_EVERY)),
            phase: Phase::Open,
            target,
        }
    }

    /// Writes what is due; when it cannot be written, reading shows why.
    fn keep_alive(&mut self, cx: &mut Context<'_>) {
        let is_time = self.timer.as_mut().poll(cx).is_ready();
        match self.phase {
            Phase::Draining if is_time => self.end(None),
            Phase::Open => {
                if is_time {
                    self.shared.link().ping();
                    self.timer.as_mut().reset(Instant::now() + PING_EVERY);
                    // Polled once more, or it would not wake anybody.
                    return self.keep_alive(cx);
                }
                self.shared.wakers.reader.register(cx.waker());
                let both = self.shared.wakers.both();
                let mut both = Context::from_waker(&both);
                if let Poll::Ready(Err(error)) = self.shared.link().poll_flush(&mut both) {
                    tracing::trace!(%error, "the exec takes no bytes");
                }
            }
            Phase::Draining | Phase::Ended(_) => {}
        }
    }

    /// Takes apart what was read; how much of it is output.
    fn take(&mut self, read: &mut [u8]) -> usize {
        let count = match self.channels.decode(read) {
            Ok(count) => count,
            Err(fault) => {
                self.end(Some(io::Error::new(io::ErrorKind::InvalidData, fault)));
                return 0;
            }
        };
        if let Some(ping) = self.channels.take_ping() {
            self.shared.link().pong(ping);
        }
        if self.channels.status().is_some() && matches!(self.phase, Phase::Open) {
            self.shared.link().fall_silent();
            self.timer.as_mut().reset(Instant::now() + CLOSE_WITHIN);
            self.phase = Phase::Draining;
        }
        if self.channels.is_closed() {
            self.end(None);
        }
        count
    }

    /// The stream is over: what the Status said counts, and without one it was cut.
    fn end(&mut self, fault: Option<io::Error>) {
        self.shared.link().fall_silent();
        let verdict = match self.channels.status().map(Status::read) {
            Some(status) if status.is_success() => None,
            Some(status) => {
                let signal = status.ended(&self.target, self.channels.stderr());
                let error = RuntimeError::new(self.target.operation, signal);
                Some(io::Error::other(error))
            }
            None => Some(fault.unwrap_or_else(|| {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the exec was cut")
            })),
        };
        tracing::debug!(verdict = ?verdict, "the exec's stream ended");
        self.phase = Phase::Ended(verdict);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ExecReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let reader = self.get_mut();
        loop {
            reader.keep_alive(cx);
            if let Phase::Ended(verdict) = &mut reader.phase {
                return Poll::Ready(verdict.take().map_or(Ok(()), Err));
            }
            if buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut raw = ReadBuf::new(buffer.initialize_unfilled());
            let read = ready!(reader.shared.link().poll_read(cx, &mut raw));
            let output = match read {
                Ok(()) if raw.filled().is_empty() => {
                    reader.end(None);
                    0
                }
                Ok(()) => reader.take(raw.filled_mut()),
                Err(error) => {
                    reader.end(Some(error));
                    0
                }
            };
            buffer.advance(output);
            if output > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
