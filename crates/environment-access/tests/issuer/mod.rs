//! An exam platform that signs tokens and shows its keys over HTTP: a real server on loopback.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use environment_access::{FetchPace, KeySource, TokenConfig, TokenVerifier};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// More callers at once than any test has.
const BACKLOG: u32 = 128;

/// What it answers whoever asks for its keys.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status line's rest, headers and a body, at once.
    Whole(&'static str, String),
    /// The beginning of an answer, and then nothing.
    Stalled,
    /// 200 and a body without end.
    Endless,
}

/// A running issuer.
pub(crate) struct Issuer {
    address: SocketAddr,
    /// Never listens: it keeps the port ours while nobody does.
    _port: TcpSocket,
    shared: Arc<Shared>,
    served: Option<JoinHandle<()>>,
}

struct Shared {
    reply: Mutex<Reply>,
    asked: AtomicUsize,
    /// Answers that go before `reply`, each once.
    first: Mutex<VecDeque<Reply>>,
}

impl Issuer {
    /// Starts an issuer that shows the keys of these names.
    pub(crate) fn showing(kids: &[&str]) -> Self {
        let port = bound(([127, 0, 0, 1], 0).into());
        let address = port.local_addr().unwrap();
        let listener = bound(address).listen(BACKLOG).unwrap();
        let shared = Arc::new(Shared {
            reply: Mutex::new(keys(kids)),
            asked: AtomicUsize::new(0),
            first: Mutex::default(),
        });
        Self {
            address,
            _port: port,
            served: Some(tokio::spawn(serve(listener, Arc::clone(&shared)))),
            shared,
        }
    }

    pub(crate) fn reply(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    /// Answers one request otherwise.
    pub(crate) fn reply_once(&self, reply: Reply) {
        self.shared.first.lock().unwrap().push_back(reply);
    }

    pub(crate) fn show(&self, kids: &[&str]) {
        self.reply(keys(kids));
    }

    /// How often somebody asked.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked again, twice: the first question may be older than this call.
    pub(crate) async fn asked_again(&self) {
        let before = self.asked();
        until(|| self.asked() >= before + 2).await;
    }

    /// Closes the port.
    pub(crate) async fn die(&mut self) {
        let served = self.served.take().unwrap();
        served.abort();
        assert!(served.await.unwrap_err().is_cancelled());
    }

    /// Opens the same port again.
    pub(crate) fn rise(&mut self) {
        let listener = bound(self.address).listen(BACKLOG).unwrap();
        self.served = Some(tokio::spawn(serve(listener, Arc::clone(&self.shared))));
    }

    /// A verifier that fetches from here and is kept fresh for as long as the task runs.
    pub(crate) fn verifier(&self, pace: FetchPace) -> Arc<TokenVerifier> {
        let verifier = Arc::new(TokenVerifier::new(&self.config(pace)).unwrap());
        let kept = Arc::clone(&verifier);
        tokio::spawn(async move { kept.keep_keys_fresh().await });
        verifier
    }

    pub(crate) fn config(&self, pace: FetchPace) -> TokenConfig {
        let url = format!("http://{}/jwks", self.address).parse().unwrap();
        TokenConfig {
            keys: KeySource::Jwks {
                url,
                pace,
                authorities: None,
            },
            issuer: "exam-platform".to_owned(),
            audience: "carrel".to_owned(),
        }
    }
}

/// A socket that has an address, and others beside it as long as one of them at most listens.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Waits for what becomes true, for longer than any machine takes.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let holds = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), holds).await;
    waited.expect("it comes true");
}

/// The answer with the keys of these names.
pub(crate) fn keys(kids: &[&str]) -> Reply {
    let keys: Vec<_> = kids.iter().map(|kid| key(kid)).collect();
    Reply::Whole("200 OK\r\n", json!({ "keys": keys }).to_string())
}

/// A public key by its name; `…-1` and `…-2` are one key under two names.
fn key(kid: &str) -> Value {
    let text = String::from_utf8(key_file("keys.jwks.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let keys = document["keys"].as_array().unwrap();
    let of_kind = |key: &&Value| key["kid"].as_str().unwrap()[..2] == kid[..2];
    let mut key = keys.iter().find(of_kind).unwrap().clone();
    key["kid"] = json!(kid);
    key
}

/// A candidate's token, signed by the key of this name.
pub(crate) fn token(kid: &str) -> String {
    let (algorithm, key) = match &kid[..2] {
        "ed" => (
            Algorithm::EdDSA,
            EncodingKey::from_ed_pem(&key_file("ed25519.private.pem")),
        ),
        "ec" => (
            Algorithm::ES256,
            EncodingKey::from_ec_pem(&key_file("p256.private.pem")),
        ),
        _ => (
            Algorithm::RS256,
            EncodingKey::from_rsa_pem(&key_file("rsa.private.pem")),
        ),
    };
    let mut header = Header::new(algorithm);
    header.kid = Some(kid.to_owned());
    encode(&header, &claims(), &key.unwrap()).unwrap()
}

pub(crate) fn claims() -> Value {
    json!({
        "sub": "u-1042", "role": "candidate", "aud": "carrel", "iss": "exam-platform",
        "exp": get_current_timestamp() + 600, "jti": "login-1",
    })
}

fn key_file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    std::fs::read(folder.join(name)).unwrap()
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        open.spawn(answer(stream, Arc::clone(&shared)));
    }
}

/// Answers one request; whoever asked may have gone away, which is their business.
async fn answer(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte @ 1..) = stream.read_buf(&mut head).await else {
            return;
        };
        assert!(byte < 8192, "the request has no body");
    }
    assert!(head.starts_with(b"GET /jwks HTTP/1.1\r\n"));
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let first = shared.first.lock().unwrap().pop_front();
    let reply = first.unwrap_or_else(|| shared.reply.lock().unwrap().clone());
    let _gone = write(&mut stream, reply).await;
}

async fn write(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Whole(status, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status}connection: close\r\ncontent-length: {length}");
            stream
                .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                .await
        }
        Reply::Stalled => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
                .await?;
            std::future::pending().await
        }
        Reply::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .await?;
            loop {
                stream.write_all(&[b' '; 4096]).await?;
            }
        }
    }
}
