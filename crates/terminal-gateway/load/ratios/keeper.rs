//! Played shells: reached by name, they speak the keeper's frames, whatever carries those.

mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::pattern;
pub(crate) use stream::Stream;

/// One shell: it echoes and prints what it is told, or prints the pattern and swallows what is typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestKeeper(Arc<Shell>);

#[derive(Debug, Default)]
struct Shell {
    state: Mutex<State>,
    /// Counts up when there is news for its streams.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    typed: Vec<u8>,
    printed: Vec<u8>,
    /// Where the pattern ends, if that is what is printed.
    pattern: Option<u64>,
    epoch: i64,
    typed_at: Option<Instant>,
    exited: bool,
}

impl TestKeeper {
    pub(crate) fn typed(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().typed.clone()
    }

    pub(crate) fn printed(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().printed.clone()
    }

    /// When the last typed byte came.
    pub(crate) fn typed_at(&self) -> Option<Instant> {
        self.0.state.lock().unwrap().typed_at
    }

    /// Prints these bytes.
    pub(crate) fn print(&self, bytes: &[u8]) {
        self.change(|state| state.printed.extend_from_slice(bytes));
    }

    /// Prints so many bytes more of the pattern.
    pub(crate) fn print_pattern(&self, length: u64) {
        self.change(|state| {
            let end = state.pattern.unwrap_or(0);
            state.pattern = Some(end.saturating_add(length));
        });
    }

    /// Ends once all that it printed has been sent.
    pub(crate) fn exit(&self) {
        self.change(|state| state.exited = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock().unwrap());
        self.0.changed.send_modify(|count| *count += 1);
    }
}

impl State {
    fn end(&self) -> u64 {
        self.pattern.unwrap_or(self.printed.len() as u64)
    }

    fn output(&self, from: u64, length: usize) -> Bytes {
        if self.pattern.is_some() {
            return pattern::at(from, length);
        }
        let from = usize::try_from(from).unwrap();
        Bytes::copy_from_slice(&self.printed[from..from + length])
    }
}

/// Every shell there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shells {
    by_name: Arc<Mutex<HashMap<String, TestKeeper>>>,
    streams: Arc<AtomicUsize>,
}

impl Shells {
    /// Listens for execs that are a name, a line's end, and keeper frames.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shells = self.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(shells.clone().serve(socket));
            }
        });
        address
    }

    /// The shell of a name, which begins with the first who asks.
    pub(crate) fn named(&self, name: &str) -> TestKeeper {
        let mut shells = self.by_name.lock().unwrap();
        shells.entry(name.to_owned()).or_default().clone()
    }

    /// A stream into the shell of a name, counted while it lasts.
    pub(crate) fn stream(&self, name: &str) -> (Stream, Counted) {
        self.streams.fetch_add(1, Ordering::SeqCst);
        (Stream::new(self.named(name)), Counted(self.streams.clone()))
    }

    /// How many there are.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::SeqCst)
    }

    async fn serve(self, socket: TcpStream) {
        socket.set_nodelay(true).unwrap();
        let mut socket = BufReader::new(socket);
        let mut name = String::new();
        if socket.read_line(&mut name).await.is_ok() {
            let (stream, _counted) = self.stream(name.trim());
            stream.run(socket).await;
        }
    }
}

/// A stream while it lasts.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
