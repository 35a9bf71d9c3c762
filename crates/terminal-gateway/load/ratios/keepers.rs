//! Real keepers, each with a shell that prints; reached by name over plain TCP, as played ones are.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::keeper_process::KeeperProcess;
use crate::pattern::{self, CHUNK};

/// As keepers in environments have it.
const HOLD: Duration = Duration::from_secs(10);
/// Between two pieces of what a shell prints.
const EVERY: Duration = Duration::from_millis(250);

/// Bytes that a shell prints a second.
pub(crate) const RATE: u64 = CHUNK as u64 * 4;

/// The keepers, and when each was last reached.
pub(crate) struct Keepers {
    pub(crate) address: SocketAddr,
    /// Ended before their sockets are removed, by which they are told to.
    processes: Vec<KeeperProcess>,
    folder: TempDir,
    reached: Reached,
}

type Reached = Arc<Mutex<HashMap<String, Instant>>>;

impl Keepers {
    /// None yet; who asks for one is led to it.
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keepers = Self {
            address: listener.local_addr().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            processes: Vec::new(),
            reached: Reached::default(),
        };
        let (folder, reached) = (keepers.folder.path().to_owned(), keepers.reached.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(lead(folder.clone(), reached.clone(), socket));
            }
        });
        keepers
    }

    /// Starts one whose shell prints so much of the pattern once all may, and exits.
    pub(crate) async fn start(&mut self, name: &str, length: u64) {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let program = std::env::current_exe().unwrap();
        let (go, length) = (self.go(), length.to_string());
        let command = [
            program.to_str().unwrap(),
            "shell",
            "--go",
            go.to_str().unwrap(),
            "--length",
            &length,
        ];
        let keeper = KeeperProcess::start(&folder, &command, HOLD).await;
        self.processes.push(keeper);
    }

    /// Lets all shells print.
    pub(crate) fn let_print(&self) {
        std::fs::write(self.go(), "").unwrap();
    }

    fn go(&self) -> PathBuf {
        self.folder.path().join("go")
    }

    /// How long after `since` each was reached that has been since then.
    pub(crate) fn reached_after(&self, since: Instant) -> Vec<Duration> {
        let reached = self.reached.lock().unwrap();
        let after = reached.values().filter(|at| **at > since);
        after.map(|at| *at - since).collect()
    }
}

/// Carries a stream to a keeper and back. It was reached when it says its first word.
async fn lead(folder: PathBuf, reached: Reached, socket: TcpStream) {
    socket.set_nodelay(true).unwrap();
    let (reader, mut writer) = socket.into_split();
    let (mut reader, mut name) = (BufReader::new(reader), String::new());
    if reader.read_line(&mut name).await.is_err() {
        return;
    }
    let name = name.trim();
    let Ok(keeper) = UnixStream::connect(folder.join(name).join("socket")).await else {
        return;
    };
    let (mut said, mut told) = keeper.into_split();
    let there = async {
        tokio::io::copy_buf(&mut reader, &mut told).await.ok();
    };
    let back = async {
        let mut buffer = vec![0; CHUNK];
        let mut is_first = true;
        while let Ok(count @ 1..) = said.read(&mut buffer).await {
            if std::mem::take(&mut is_first) {
                let mut reached = reached.lock().unwrap();
                reached.insert(name.to_owned(), Instant::now());
            }
            if writer.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    // Either end's going is the other's.
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

/// Is the shell: waits until it may, and prints so much of the pattern at its pace.
#[expect(clippy::print_stdout, reason = "a shell prints")]
pub(crate) fn print(go: &Path, length: u64) {
    use std::io::Write as _;
    while !go.exists() {
        std::thread::sleep(EVERY);
    }
    let mut printed = 0;
    while printed < length {
        let piece = usize::try_from(length - printed).map_or(CHUNK, |rest| rest.min(CHUNK));
        print!("{}", String::from_utf8_lossy(&pattern::at(printed, piece)));
        std::io::stdout().flush().unwrap();
        printed += piece as u64;
        std::thread::sleep(EVERY);
    }
}
