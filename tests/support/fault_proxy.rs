//! A TCP proxy before the database that can hold back what a process says, cut it off, or lose
//! what the database answers.

mod fate;
mod strike;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use sqlx::types::Uuid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use self::fate::Fate;
use self::strike::{Conversation, Strikes};
pub use self::strike::{Side, Strike, holds};

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
    strikes: Arc<Strikes>,
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
        let strikes = Arc::<Strikes>::default();
        let faults = (Arc::clone(&mode), Arc::clone(&strikes));
        let task = tokio::spawn(accept(listener, server, faults));
        Self {
            address,
            mode,
            strikes,
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

    /// Cuts the connection of one statement about a session, the `at`-th from 0, and lets all
    /// others pass.
    pub fn strike(&self, about: Uuid, at: usize, side: Side) -> Arc<Strike> {
        self.strikes.add(Some(about), at, side)
    }

    /// Cuts the connection of whatever is said `at`-th from 0.
    pub fn strike_all(&self, at: usize, side: Side) -> Arc<Strike> {
        self.strikes.add(None, at, side)
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

async fn accept(
    listener: TcpListener,
    server: (String, u16),
    (mode, strikes): (Arc<watch::Sender<Mode>>, Arc<Strikes>),
) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, mode) = (server.clone(), mode.subscribe());
        let fate = Fate::new(Arc::clone(&strikes));
        connections.spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                relay(client, server, mode, &fate).await;
            }
        });
    }
}

/// Ends when either side does, or when it is cut; both sockets close then.
async fn relay(client: TcpStream, server: TcpStream, mut mode: watch::Receiver<Mode>, fate: &Fate) {
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (said, answers) = client.into_split();
    let (heard, asks) = server.into_split();
    tokio::select! {
        () = ask(said, asks, mode.clone(), fate) => {}
        () = answer(heard, answers, mode.clone(), fate) => {}
        _ = mode.wait_for(|mode| matches!(mode, Mode::Cut)) => {}
    }
}

async fn ask(
    mut said: OwnedReadHalf,
    mut asks: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    fate: &Fate,
) {
    let mut buffer = vec![0; BUFFER];
    let mut conversation = Conversation::default();
    while let Ok(count @ 1..) = said.read(&mut buffer).await {
        let request = &buffer[..count];
        // What was held back when the connection was cut never arrives.
        let Some(mode) = not_held(&mut mode).await else {
            return;
        };
        if mode.loses_answer_to(request) {
            fate.doom();
        }
        if !fate.lets_through(request, &mut conversation) || asks.write_all(request).await.is_err()
        {
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
    fate: &Fate,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = heard.read(&mut buffer).await {
        let answer = &buffer[..count];
        let is_lost = fate.takes_answer() || mode.borrow().loses_answer(answer);
        if is_lost || answers.write_all(answer).await.is_err() {
            return;
        }
    }
}
