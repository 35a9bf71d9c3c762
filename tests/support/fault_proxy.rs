//! A TCP proxy before the database that can hold back what a process says, cut it off, or lose
//! what the database answers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// What is relayed at once.
const BUFFER: usize = 16 * 1024;

/// What the proxy does with what clients say.
#[derive(Clone)]
enum Mode {
    Pass,
    Hold,
    Cut,
    /// The answer to a matching request is lost.
    LoseAnswersTo(Matches),
    /// A matching answer is lost.
    LoseAnswers(Matches),
}

/// Whether bytes on their way are those that are meant.
type Matches = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

impl Mode {
    fn loses_answer_to(&self, request: &[u8]) -> bool {
        matches!(self, Self::LoseAnswersTo(is_meant) if is_meant(request))
    }

    fn loses_answer(&self, answer: &[u8]) -> bool {
        matches!(self, Self::LoseAnswers(is_meant) if is_meant(answer))
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pass => "Pass",
            Self::Hold => "Hold",
            Self::Cut => "Cut",
            Self::LoseAnswersTo(_) => "LoseAnswersTo",
            Self::LoseAnswers(_) => "LoseAnswers",
        })
    }
}

/// A running proxy; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts a proxy before the server of a database address.
    pub async fn before(database_url: &str) -> Self {
        let url = Url::parse(database_url).expect("the address is a URL");
        let host = url.host_str().expect("the address has a host").to_owned();
        let server = (host, url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("the proxy is bound");
        let mode = Arc::new(watch::channel(Mode::Pass).0);
        let task = tokio::spawn(accept(listener, server, Arc::clone(&mode)));
        Self {
            address,
            mode,
            task,
        }
    }

    /// Where clients find it.
    pub fn place(&self) -> (String, u16) {
        (self.address.ip().to_string(), self.address.port())
    }

    /// From now on what clients say waits here; answers under way still arrive.
    pub fn hold(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    /// Cuts every connection, and every new one.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Lets matching requests arrive and cuts their connections before the answer: whoever has
    /// asked cannot know what became of it. A request is looked at as it is written, so what is
    /// matched must be short.
    pub fn lose_answers_to(&self, is_meant: impl Fn(&[u8]) -> bool + Send + Sync + 'static) {
        self.mode
            .send_replace(Mode::LoseAnswersTo(Arc::new(is_meant)));
    }

    /// Cuts a connection instead of letting a matching answer through.
    pub fn lose_answers(&self, is_meant: impl Fn(&[u8]) -> bool + Send + Sync + 'static) {
        self.mode
            .send_replace(Mode::LoseAnswers(Arc::new(is_meant)));
    }

    /// Lets everything through again.
    pub fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: (String, u16), mode: Arc<watch::Sender<Mode>>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, mode) = (server.clone(), mode.subscribe());
        connections.spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                relay(client, server, mode).await;
            }
        });
    }
}

/// Ends when either side does, or when it is cut; both sockets close then.
async fn relay(client: TcpStream, server: TcpStream, mut mode: watch::Receiver<Mode>) {
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (said, answers) = client.into_split();
    let (heard, asks) = server.into_split();
    let is_doomed = AtomicBool::new(false);
    tokio::select! {
        () = ask(said, asks, mode.clone(), &is_doomed) => {}
        () = answer(heard, answers, mode.clone(), &is_doomed) => {}
        _ = mode.wait_for(|mode| matches!(mode, Mode::Cut)) => {}
    }
}

async fn ask(
    mut said: OwnedReadHalf,
    mut asks: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    is_doomed: &AtomicBool,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = said.read(&mut buffer).await {
        let request = &buffer[..count];
        // What was held back when the connection was cut never arrives.
        let Some(mode) = not_held(&mut mode).await else {
            return;
        };
        let loses = mode.loses_answer_to(request);
        is_doomed.fetch_or(loses, Ordering::Relaxed);
        if asks.write_all(request).await.is_err() {
            return;
        }
    }
}

/// Waits while requests are held back; `None` once they are cut off.
async fn not_held(mode: &mut watch::Receiver<Mode>) -> Option<Mode> {
    let mode = mode
        .wait_for(|mode| !matches!(mode, Mode::Hold))
        .await
        .ok()?
        .clone();
    (!matches!(mode, Mode::Cut)).then_some(mode)
}

async fn answer(
    mut heard: OwnedReadHalf,
    mut answers: OwnedWriteHalf,
    mode: watch::Receiver<Mode>,
    is_doomed: &AtomicBool,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = heard.read(&mut buffer).await {
        let answer = &buffer[..count];
        let is_lost = is_doomed.load(Ordering::Relaxed) || mode.borrow().loses_answer(answer);
        if is_lost || answers.write_all(answer).await.is_err() {
            return;
        }
    }
}
