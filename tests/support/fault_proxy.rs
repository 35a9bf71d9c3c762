//! A TCP proxy before the database that can hold back what a process says, or cut it off.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// What the proxy does with what clients say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    Cut,
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
    let (mut said, mut answers) = client.into_split();
    let (mut heard, mut asks) = server.into_split();
    let mut gate = mode.clone();
    let up = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = said.read(&mut buffer).await {
            if gate.wait_for(|mode| *mode != Mode::Hold).await.is_err()
                || asks.write_all(&buffer[..count]).await.is_err()
            {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        _ = tokio::io::copy(&mut heard, &mut answers) => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}
