//! The process: what it opens, runs and closes.

mod ending;
mod parts;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use environment_access::{KeyError, TokenVerifier};
use execution_environment::RuntimeHealth;
use job_queue::Waker;
use session_identity::TerminalProcessId;
use session_recording::{Recorder, StartError};
use telemetry::{AdminError, AdminServer, MetricsHandle};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::ending::{drain, keep_recordings, stop_signal};
use self::parts::{serve_admin, watch_runtime};
use crate::config::GatewayConfig;
use crate::evidence::EvidenceWriter;
use crate::readings::Readings;
use crate::registry::Registry;
use crate::socket::keep_duplicate;
use crate::state::GatewayState;
use crate::tees::Tees;
use crate::waiting::WaitingRoom;
use crate::{authority, open_files, read_on, routes};

/// A client that sends no head holds a socket and nothing else; it may do so this long.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Bytes that actix gathers for one connection before it writes them: a few frames for one system call,
/// and no more, so that output waits where control frames still overtake it.
const WRITE_BUFFER: usize = 64 * 1024;
/// Sockets that wait for HELLO, for each thread.
const WAITING_PER_WORKER: usize = 64;
/// Execs that may be starting at once: after a lost runtime or a restart everybody comes back, and
/// each costs whoever starts it far more than a running one.
const STARTING: usize = 32;
/// How long the server waits, after a drain, for what is still under way, in seconds.
const SHUTDOWN_SECONDS: u64 = 5;

/// Reports why the process could not start.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The address is in use or not ours.
    #[error("bind the terminal's address {address} (--listen, CARREL_TERMINAL_LISTEN)")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The admin port could not be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The keys for logins cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The spool for recordings cannot be used.
    #[error(transparent)]
    Recorder(#[from] StartError),
}

/// Reports why the process stopped by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The server failed.
    #[error("serve terminals")]
    Server(#[source] std::io::Error),
    /// A part that runs as long as the process ended.
    #[error("keep the process's parts running: one of them ended")]
    PartEnded,
}

/// The process, with its ports open and nothing running yet.
pub struct Gateway {
    address: SocketAddr,
    admin: AdminServer,
    metrics: MetricsHandle,
    server: Server,
    state: Data<GatewayState>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens both ports and checks the keys. The database need not answer yet.
    ///
    /// # Errors
    /// [`BuildError`] names the address or the key file.
    pub async fn build(config: GatewayConfig, metrics: MetricsHandle) -> Result<Self, BuildError> {
        let listen = config.listen;
        let failed = |source| BuildError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let admin = AdminServer::bind(config.admin_listen).await?;
        open_files::allow(config.max_terminals);
        let workers = config.workers.unwrap_or_else(processors);
        let state = Data::new(state(config, workers)?);
        let server = serve(listener, &state, workers).map_err(failed)?;
        Ok(Self {
            address,
            admin,
            metrics,
            server,
            state,
        })
    }

    /// Returns the address terminals are reached at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of metrics and probes.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Serves until the token is cancelled, then sends every browser elsewhere and ends.
    ///
    /// # Errors
    /// [`RunError`] when it ended by itself.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            address,
            admin,
            metrics,
            server,
            state,
        } = self;
        let stopped = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(authority::run(state.clone().into_inner(), stopped.clone()));
        parts.spawn(read_on::run(state.clone().into_inner(), stopped.clone()));
        parts.spawn(watch_runtime(state.clone().into_inner(), stopped.clone()));
        let (keeper, until) = (state.clone().into_inner(), stopped.clone());
        // An outage of the issuer ends nothing: the last keys stay in use, and the first are waited for.
        parts.spawn(async move {
            let stop = until.cancelled();
            keeper.verifier.keep_keys_fresh_until(stop).await;
        });
        parts.spawn(serve_admin(
            admin,
            metrics,
            state.clone().into_inner(),
            stopped.clone(),
        ));
        tracing::info!(%address, process.id = %state.process_id, "terminals are served");
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = &mut server => return ended.map_err(RunError::Server),
            _ = parts.join_next() => Err(RunError::PartEnded),
        };
        tokio::select! {
            () = drain(&state) => {}
            ended = &mut server => return ended.map_err(RunError::Server),
        }
        stopped.cancel();
        let ((), ended) = tokio::join!(handle.stop(true), server);
        tokio::join!(
            state.evidence.flush(),
            keep_recordings(&state),
            read_on::tell_left(&state)
        );
        parts.join_all().await;
        tracing::info!("the terminal process has stopped");
        outcome.and(ended.map_err(RunError::Server))
    }

    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// As [`Gateway::run`].
    pub async fn run_until_stopped(self) -> Result<(), RunError> {
        let stop = CancellationToken::new();
        let signalled = stop_signal().map_err(RunError::Server)?;
        let cancel = stop.clone();
        tokio::spawn(async move {
            signalled.await;
            cancel.cancel();
        });
        self.run(stop).await
    }
}

fn state(config: GatewayConfig, workers: usize) -> Result<GatewayState, BuildError> {
    let process_id = TerminalProcessId::generate();
    let recorder = match config.recording {
        Some(spool) => Some(Recorder::start(
            config.pool.clone(),
            spool.settings(process_id),
        )?),
        None => None,
    };
    Ok(GatewayState {
        process_id,
        recorder,
        tees: Tees::default(),
        readings: Arc::new(Readings::default()),
        read_on: config.read_on,
        waker: Waker::new(config.pool.clone()),
        evidence: EvidenceWriter::new(config.pool.clone()),
        pool: config.pool,
        listening: config.listening,
        verifier: TokenVerifier::new(&config.tokens)?,
        origins: config.origins,
        runtime: config.runtime,
        health: RuntimeHealth::default(),
        registry: Registry::default(),
        places: Arc::new(Semaphore::new(config.max_terminals)),
        starts: Arc::new(Semaphore::new(STARTING)),
        waiting: Arc::new(WaitingRoom::new(WAITING_PER_WORKER * workers)),
        poll_every: config.poll_every,
        frozen: watch::channel(false).0,
        draining: CancellationToken::new(),
    })
}

fn serve(
    listener: TcpListener,
    state: &Data<GatewayState>,
    workers: usize,
) -> std::io::Result<Server> {
    let state = state.clone();
    let application = move || App::new().configure(|config| routes::configure(&state, config));
    let server = HttpServer::new(application)
        .workers(workers)
        .on_connect(keep_duplicate)
        .tcp_nodelay(true)
        .h1_write_buffer_size(WRITE_BUFFER)
        .client_request_timeout(HEAD_WITHIN)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
