//! A proxy before the API server that notes what a worker asks, and can hold any one request.
//!
//! A worker is told its plain loopback address; behind it runs the cluster's own `kubectl proxy`
//! with the kubeconfig of the worker's service account. So what arrives has exactly the worker's
//! rights, and no request can be seen by its kind only. Every connection carries one request, which
//! keeps the proxy simple.

mod call;
mod relay;
mod trap;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use call::{Call, Step, steps};
pub use trap::{Caught, Point};

use self::trap::Trap;
use crate::ports::free_port;
use crate::settings::setting;
use crate::wait::{SOON, until};

/// A running proxy; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct ApiProxy {
    /// Where a worker finds it.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    _kubectl: Child,
}

/// What connections and test share.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    calls: Mutex<Vec<Call>>,
    answered_bytes: AtomicU64,
    traps: Mutex<Vec<Trap>>,
}

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Pause,
    Refuse,
}

impl ApiProxy {
    /// Starts a proxy that passes requests on with the rights of a kubeconfig.
    pub async fn with_rights_of(kubeconfig: &Path) -> Self {
        let upstream = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let kubectl = start_kubectl(kubeconfig, upstream.port());
        until("kubectl proxy listens", SOON, async || {
            TcpStream::connect(upstream).await.ok()
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("the proxy is bound");
        let shared = Arc::new(Shared {
            upstream,
            mode: watch::Sender::new(Mode::Pass),
            calls: Mutex::default(),
            answered_bytes: AtomicU64::new(0),
            traps: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            url: format!("http://{address}"),
            shared,
            task,
            _kubectl: kubectl,
        }
    }

    /// Returns every request so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls().clone()
    }

    /// Returns how many bytes the API server has answered so far, heads and watches included.
    pub fn answered_bytes(&self) -> u64 {
        self.shared.answered_bytes.load(Ordering::Relaxed)
    }

    /// From now on requests wait here.
    pub fn pause(&self) {
        self.shared.mode.send_replace(Mode::Pause);
    }

    /// From now on every request is cut off, as by an API server that is gone.
    pub fn refuse(&self) {
        self.shared.mode.send_replace(Mode::Refuse);
    }

    /// Lets requests through again.
    pub fn pass(&self) {
        self.shared.mode.send_replace(Mode::Pass);
    }

    /// Holds the next request that is this step of this session, before or after the API server
    /// has it.
    pub fn trap(&self, session_id: &str, step: &Step, point: Point) -> Caught {
        let (trap, caught) = Trap::new(session_id, step, point);
        self.shared.traps().push(trap);
        caught
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().expect("no test panics inside")
    }

    fn traps(&self) -> std::sync::MutexGuard<'_, Vec<Trap>> {
        self.traps.lock().expect("no test panics inside")
    }

    fn note_answered(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).expect("a buffer is small");
        self.answered_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes a request, and takes the trap that was set for it.
    fn note(&self, call: Call) -> Option<Trap> {
        let mut calls = self.calls();
        calls.push(call);
        let mut traps = self.traps();
        let set = traps.iter().position(|trap| trap.is_sprung_by(&calls))?;
        Some(traps.remove(set))
    }
}

fn start_kubectl(kubeconfig: &Path, port: u16) -> Child {
    Command::new(setting("CARREL_CLUSTER_BIN"))
        .args(["kubectl", "proxy", "--port", &port.to_string()])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .env(crate::process::RUN_MARK, std::process::id().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the cluster's binary starts")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(relay::relay(client, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}
