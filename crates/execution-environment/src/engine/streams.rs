//! The keeper's half of an exec stream as bytes, taken out of the engine's multiplexed frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bollard::errors::Error;
use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::io::{AsyncRead, ReadBuf};

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// Reads what the keeper wrote to its standard output.
///
/// What it writes to standard error is a diagnostic of ours; its length is logged, never its
/// content, since a mistake there could carry keystrokes.
pub(super) struct KeeperOutput {
    output: Output,
    rest: Bytes,
}

impl KeeperOutput {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            rest: Bytes::new(),
        }
    }
}

impl AsyncRead for KeeperOutput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.output.as_mut().poll_next(cx)) {
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    self.rest = message;
                }
                Some(Ok(LogOutput::StdErr { message })) => {
                    tracing::warn!(
                        bytes = message.len(),
                        "keeper attach wrote to standard error"
                    );
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use bollard::container::LogOutput;
    use bytes::Bytes;
    use tokio::io::AsyncReadExt;

    use super::KeeperOutput;

    #[tokio::test]
    async fn standard_output_passes_whole_and_nothing_else_does() {
        let pieces = vec![
            Ok(LogOutput::StdOut {
                message: Bytes::from_static(b"one"),
            }),
            Ok(LogOutput::StdErr {
                message: Bytes::from_static(b"noise"),
            }),
            Ok(LogOutput::StdOut {
                message: Bytes::new(),
            }),
            Ok(LogOutput::StdOut {
                message: Bytes::from_static(b" two"),
            }),
        ];
        let mut reader = KeeperOutput::new(Box::pin(futures_util::stream::iter(pieces)));
        let mut first = [0; 2];
        reader.read_exact(&mut first).await.unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&first[..], &rest[..]), (&b"on"[..], &b"e two"[..]));
    }
}
