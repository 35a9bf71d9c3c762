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
    use proptest::collection::vec;
    use proptest::prelude::*;
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

    fn pieces() -> impl Strategy<Value = Vec<LogOutput>> {
        let piece = (0..4_u8, vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| {
            let message = Bytes::from(bytes);
            match kind {
                0 => LogOutput::StdErr { message },
                1 => LogOutput::StdIn { message },
                2 => LogOutput::Console { message },
                _ => LogOutput::StdOut { message },
            }
        });
        vec(piece, 0..20)
    }

    /// Reads to the end, with room for so many bytes each time.
    async fn read(pieces: Vec<LogOutput>, rooms: &[usize]) -> Vec<u8> {
        let pieces = pieces.into_iter().map(Ok);
        let mut reader = KeeperOutput::new(Box::pin(futures_util::stream::iter(pieces)));
        let mut output = Vec::new();
        for room in rooms.iter().cycle() {
            let mut part = vec![0; *room];
            let count = reader.read(&mut part).await.unwrap();
            if count == 0 {
                break;
            }
            output.extend_from_slice(&part[..count]);
        }
        output
    }

    proptest! {
        #[test]
        fn standard_output_passes_in_whatever_pieces_and_room(
            pieces in pieces(),
            rooms in vec(1..50_usize, 1..10),
        ) {
            let expected = pieces.iter().filter_map(|piece| match piece {
                LogOutput::StdOut { message } | LogOutput::Console { message } => Some(&message[..]),
                LogOutput::StdErr { .. } | LogOutput::StdIn { .. } => None,
            });
            let expected = expected.collect::<Vec<_>>().concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(read(pieces, &rooms)), expected);
        }
    }
}
