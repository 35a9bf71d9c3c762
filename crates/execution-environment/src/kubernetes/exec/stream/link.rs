use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::channels::{self, Protocol};
use super::super::websocket::{self, Control};

/// The longest message of standard input, in bytes: as much as a keeper's frame of typed bytes.
const LONGEST_INPUT: usize = 16 * 1024;

/// A connection and what has still to be written to it: one message at most.
#[derive(Debug)]
pub(super) struct Link<S> {
    connection: S,
    protocol: Protocol,
    out: BytesMut,
    /// Whether the connection may hold bytes back that it has taken.
    unflushed: bool,
    ping_due: bool,
    pong_due: Option<Box<Control>>,
    input: Input,
}

/// How far standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// It takes bytes.
    Open,
    /// Its end is to be said once the message before is written.
    Ending,
    /// Its end was said.
    Ended,
    /// Nothing is said any more: the server has told how the command ended, and on whatever still
    /// arrives some servers reset the connection, and with it the output not yet read.
    Silent,
    /// The connection takes no bytes any more.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(connection: S, protocol: Protocol) -> Self {
        Self {
            connection,
            protocol,
            out: BytesMut::new(),
            unflushed: false,
            ping_due: false,
            pong_due: None,
            input: Input::Open,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }

    /// Takes typed bytes as soon as the message before is written; how many.
    pub(super) fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.input {
            // What nobody hears is as lost as what is under way when the command ends. The reader
            // learns how it ended; an error here could hide that from whoever looks at both.
            Input::Silent => return Poll::Ready(Ok(bytes.len())),
            Input::Open => {}
            Input::Ending | Input::Ended | Input::Broken => return Poll::Ready(Err(closed())),
        }
        ready!(self.poll_out(cx))?;
        let count = bytes.len().min(LONGEST_INPUT);
        channels::put_input(&mut self.out, rand::random(), &bytes[..count]);
        match self.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    /// Writes everything that is due, and flushes it.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.input {
            Input::Silent => return Poll::Ready(Ok(())),
            Input::Broken => return Poll::Ready(Err(closed())),
            Input::Open | Input::Ending | Input::Ended => {}
        }
        ready!(self.poll_out(cx))?;
        if self.unflushed {
            let flushed = ready!(Pin::new(&mut self.connection).poll_flush(cx));
            self.noted(flushed)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says the end of standard input.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.input == Input::Open {
            self.input = Input::Ending;
        }
        self.poll_flush(cx)
    }

    /// Shows life, unless bytes under way do so already.
    pub(super) fn ping(&mut self) {
        self.ping_due = self.out.is_empty();
    }

    /// Answers a PING; a later one takes the place of one that is not yet answered.
    pub(super) fn pong(&mut self, ping: Control) {
        self.pong_due = Some(Box::new(ping));
    }

    /// Says nothing any more.
    pub(super) fn fall_silent(&mut self) {
        self.input = Input::Silent;
        self.out = BytesMut::new();
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.has_out() {
            let written = ready!(Pin::new(&mut self.connection).poll_write(cx, &self.out));
            let count = self.noted(written.and_then(|count| match count {
                0 => Err(io::ErrorKind::WriteZero.into()),
                _ => Ok(count),
            }))?;
            self.out.advance(count);
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether there is something to write, after taking what is due next.
    fn has_out(&mut self) -> bool {
        if !self.out.is_empty() {
            return true;
        }
        let mask = rand::random();
        if let Some(ping) = self.pong_due.take() {
            websocket::pong(&mut self.out, mask, ping.bytes());
        } else if std::mem::take(&mut self.ping_due) {
            websocket::ping(&mut self.out, mask);
        } else if self.input == Input::Ending {
            self.protocol.end_input(&mut self.out, mask);
            self.input = Input::Ended;
        } else {
            // An idle connection keeps no buffer.
            self.out = BytesMut::new();
        }
        !self.out.is_empty()
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.input = Input::Broken;
            self.out = BytesMut::new();
        }
        result
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the exec takes no input any more",
    )
}
