//! Standard output of an exec, read without a buffer of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::multiplex::FrameDecoder;

/// Reads what the keeper wrote to its standard output.
///
/// What is read is taken apart in the reader's own buffer, so that an idle stream holds none. What
/// the keeper writes to standard error is a diagnostic of ours; its length is logged, never its
/// content, since a mistake there could carry keystrokes.
#[derive(Debug)]
pub(super) struct Output<R> {
    connection: R,
    frames: FrameDecoder,
}

impl<R> Output<R> {
    pub(super) fn new(connection: R) -> Self {
        Self {
            connection,
            frames: FrameDecoder::default(),
        }
    }

    /// Nothing came: the end, unless a frame was promised to go on.
    fn end(&self) -> io::Result<()> {
        if self.frames.is_between_frames() {
            return Ok(());
        }
        let fault = "the engine's stream ended within a frame";
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, fault))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Output<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            ready!(Pin::new(&mut self.connection).poll_read(cx, buffer))?;
            let read = &mut buffer.filled_mut()[before..];
            if read.is_empty() {
                return Poll::Ready(self.end());
            }
            let output = self.frames.decode(read);
            let output =
                output.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
            let errors = self.frames.take_errors();
            if errors > 0 {
                tracing::warn!(bytes = errors, "keeper attach wrote to standard error");
            }
            buffer.set_filled(before + output);
            if output > 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
