//! The admin port: metrics and probes, apart from anything a candidate can reach.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::MetricsHandle;
use crate::request_head::{Answer, read_head};

/// More than any scraper and prober need; the rest waits in the listener's backlog.
const CONNECTIONS: usize = 32;
/// A refresh or readiness check that takes longer answers as failed: probes have deadlines too.
const CHECK_DEADLINE: Duration = Duration::from_secs(3);

/// A boxed future, as hooks return them.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type Hook<T> = Arc<dyn Fn() -> BoxFuture<T> + Send + Sync>;

/// Says whether the process can do its work now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, and why; shown to whoever may reach the admin port.
    NotReady {
        /// One sentence.
        reason: String,
    },
}

/// Reports why the admin port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("bind the admin port {address}")]
pub struct AdminError {
    /// The address asked for.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: std::io::Error,
}

/// Serves `/metrics`, `/livez` and `/readyz` on a port of its own.
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    before_scrape: Option<Hook<()>>,
}

impl std::fmt::Debug for AdminServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl AdminServer {
    /// Opens the port. Port 0 takes a free one; [`AdminServer::address`] says which.
    pub async fn bind(address: SocketAddr) -> Result<Self, AdminError> {
        let failed = |source| AdminError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            before_scrape: None,
        })
    }

    /// Returns the address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a hook before each scrape, to refresh gauges that are read from elsewhere.
    #[must_use]
    pub fn before_scrape(
        mut self,
        hook: impl Fn() -> BoxFuture<()> + Send + Sync + 'static,
    ) -> Self {
        self.before_scrape = Some(Arc::new(hook));
        self
    }

    /// Serves until `stopped` resolves; answers in flight are cut off then.
    pub async fn run(
        self,
        metrics: MetricsHandle,
        readiness: impl Fn() -> BoxFuture<Readiness> + Send + Sync + 'static,
        stopped: impl Future<Output = ()> + Send,
    ) {
        let routes = Routes {
            metrics,
            readiness: Arc::new(readiness),
            before_scrape: self.before_scrape.clone(),
        };
        let mut connections = JoinSet::new();
        let mut stopped = std::pin::pin!(stopped);
        loop {
            let has_room = connections.len() < CONNECTIONS;
            tokio::select! {
                () = &mut stopped => return,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(routes.clone().answer(stream))),
                    Err(error) => pause_after(&error).await,
                },
            }
        }
    }
}

/// Accepting fails for a moment when descriptors run out; a loop without a pause would spin.
async fn pause_after(error: &std::io::Error) {
    tracing::warn!(%error, "the admin port could not accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[derive(Clone)]
struct Routes {
    metrics: MetricsHandle,
    readiness: Hook<Readiness>,
    before_scrape: Option<Hook<()>>,
}

impl Routes {
    async fn answer(self, mut stream: TcpStream) {
        let Some(head) = read_head(&mut stream).await else {
            return;
        };
        let answer = match (head.method.as_str(), head.path.as_str()) {
            ("GET" | "HEAD", "/metrics") => self.scrape().await,
            ("GET" | "HEAD", "/livez") => Answer::text("200 OK", "live\n"),
            ("GET" | "HEAD", "/readyz") => self.readiness().await,
            ("GET" | "HEAD", _) => Answer::text("404 Not Found", "no such page\n"),
            _ => Answer::text("405 Method Not Allowed", "only GET and HEAD\n"),
        };
        if let Err(error) = answer.write(&mut stream, &head.method).await {
            tracing::debug!(%error, "an admin client left early");
        }
    }

    async fn scrape(&self) -> Answer {
        if let Some(refresh) = &self.before_scrape
            && tokio::time::timeout(CHECK_DEADLINE, refresh())
                .await
                .is_err()
        {
            tracing::warn!("the gauges of this scrape could not be refreshed in time");
        }
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        Answer {
            status: "200 OK",
            content_type,
            body: self.metrics.render(),
        }
    }

    async fn readiness(&self) -> Answer {
        match tokio::time::timeout(CHECK_DEADLINE, (self.readiness)()).await {
            Ok(Readiness::Ready) => Answer::text("200 OK", "ready\n"),
            Ok(Readiness::NotReady { reason }) => not_ready(&reason),
            Err(_) => not_ready("the check did not answer in time"),
        }
    }
}

fn not_ready(reason: &str) -> Answer {
    Answer::text("503 Service Unavailable", format!("not ready: {reason}\n"))
}
