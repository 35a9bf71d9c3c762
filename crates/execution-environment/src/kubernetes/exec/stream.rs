//! The upgraded connection as the two halves of a keeper's stream.
//!
//! No task stands between: what the reader reads is taken apart in the reader's own buffer, and
//! what the writer writes leaves with the call. So an idle stream holds no buffer, and a reader
//! that pauses keeps no keystroke waiting.

mod link;
mod reader;
mod wakers;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};

use super::channels::Protocol;
use super::refusal::Target;
use link::Link;
use reader::ExecReader;
use wakers::Wakers;
use writer::ExecWriter;

/// What both halves hold. The connection closes with the last of them.
#[derive(Debug)]
struct Shared<S> {
    link: Mutex<Link<S>>,
    wakers: Arc<Wakers>,
}

impl<S> Shared<S> {
    /// Nobody waits while holding it.
    fn link(&self) -> MutexGuard<'_, Link<S>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the halves of a connection on which the server has chosen `protocol`.
pub(super) fn halves<S>(
    connection: S,
    protocol: Protocol,
    target: Target,
) -> (ExecReader<S>, ExecWriter<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let shared = Arc::new(Shared {
        link: Mutex::new(Link::new(connection, protocol)),
        wakers: Arc::default(),
    });
    let reader = ExecReader::new(shared.clone(), target);
    (reader, ExecWriter::new(shared))
}

#[cfg(test)]
mod tests;
