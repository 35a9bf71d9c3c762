//! The process: what it opens, runs and closes.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use environment_access::{KeyError, Origins, TokenVerifier};
use job_queue::{Waker, show_database_link};
use telemetry::{AdminError, AdminServer, BoxFuture, MetricsHandle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::boundary::boundary;
use crate::config::ApiConfig;
use crate::hints::Hints;
use crate::page_files::{PageError, PageFiles};
use crate::security_headers::SecurityPolicies;
use crate::service_gauges::ServiceGauges;
use crate::state::ApiState;
use crate::{app, readiness};

/// Open event streams a process holds; each is a task, a channel and a socket.
const STREAMS: usize = 4096;
/// A client that sends no head holds a socket and nothing else; it may do so this long.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Requests in flight may finish this long; well below any supervisor's patience.
const DRAIN_SECONDS: u64 = 8;

/// Reports why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address is in use or not ours.
    #[error("bind the API's address {address} (--listen, CARREL_LISTEN)")]
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
    /// The page's folder holds no page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The keys for logins cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Reports why the process stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server failed.
    #[error("serve the API")]
    Server(#[source] std::io::Error),
    /// A part that runs as long as the process ended.
    #[error("keep the process's parts running: one of them ended")]
    PartEnded,
}

/// The process, with its ports open and nothing running yet.
pub struct Api {
    address: SocketAddr,
    admin: AdminServer,
    metrics: MetricsHandle,
    server: Server,
    state: Data<ApiState>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Opens both ports and checks keys and page. The database need not answer yet.
    pub async fn build(config: ApiConfig, metrics: MetricsHandle) -> Result<Self, BuildError> {
        let (listener, address) = bind(config.listen)?;
        let admin = AdminServer::bind(config.admin_listen).await?;
        let state = Data::new(state(config, address)?);
        let server = serve(listener, &state).map_err(|source| failed(address, source))?;
        Ok(Self {
            address,
            admin,
            metrics,
            server,
            state,
        })
    }

    /// Returns the address of the API and the page.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of metrics and probes.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Serves until the token is cancelled, then lets requests in flight finish.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            address,
            admin,
            metrics,
            server,
            state,
        } = self;
        tracing::info!(%address, admin = %admin.address(), "the API answers");
        let mut parts = JoinSet::new();
        let stopping = state.stopping.clone();
        parts.spawn(serve_admin(
            admin,
            metrics,
            state.clone().into_inner(),
            stopping.clone(),
        ));
        let (keeper, until) = (state.clone().into_inner(), stopping.clone());
        // An outage of the issuer ends nothing: the last keys stay in use, and the first are waited for.
        parts.spawn(async move {
            let stop = until.cancelled();
            keeper.verifier.keep_keys_fresh_until(stop).await;
        });
        parts.spawn(state.hints.clone().run(
            state.pool.clone(),
            state.listening.clone(),
            stopping.clone(),
        ));
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = &mut server => return ended.map_err(RunError::Server),
            _ = parts.join_next() => Err(RunError::PartEnded),
        };
        stopping.cancel();
        let ((), ended) = tokio::join!(handle.stop(true), server);
        parts.join_all().await;
        tracing::info!("the API has stopped");
        outcome.and(ended.map_err(RunError::Server))
    }

    /// Serves until SIGTERM or SIGINT.
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

/// Begins to listen for the signals before the process says that it answers.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    })
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BuildError> {
    let listener = TcpListener::bind(address).map_err(|source| failed(address, source))?;
    let bound = listener
        .local_addr()
        .map_err(|source| failed(address, source))?;
    Ok((listener, bound))
}

fn failed(address: SocketAddr, source: std::io::Error) -> BuildError {
    BuildError::Listen { address, source }
}

fn state(config: ApiConfig, address: SocketAddr) -> Result<ApiState, BuildError> {
    let mut origins = config.page_origins;
    if origins.is_empty() {
        let own = format!("http://{address}").parse();
        origins.push(own.expect("a socket's address makes an origin"));
    }
    Ok(ApiState {
        waker: Waker::new(config.pool.clone()),
        pool: config.pool,
        listening: config.listening,
        verifier: TokenVerifier::new(&config.tokens)?,
        origins: Origins::new(origins),
        security: SecurityPolicies::new(&config.terminal_url),
        terminal_url: config.terminal_url,
        page: config
            .page_dir
            .as_deref()
            .map(PageFiles::find)
            .transpose()?,
        hints: Hints::new(),
        streams: Arc::new(Semaphore::new(STREAMS)),
        stopping: CancellationToken::new(),
    })
}

fn serve(listener: TcpListener, state: &Data<ApiState>) -> std::io::Result<Server> {
    let state = state.clone();
    let application = move || {
        App::new()
            .wrap(from_fn(boundary))
            .configure(|config| app::configure(&state, config))
    };
    let server = HttpServer::new(application)
        .client_request_timeout(HEAD_WITHIN)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

async fn serve_admin(
    admin: AdminServer,
    metrics: MetricsHandle,
    state: Arc<ApiState>,
    stopping: CancellationToken,
) {
    let gauges = Arc::new(ServiceGauges::default());
    let scraped = Arc::clone(&state);
    let refresh = move || -> BoxFuture<()> {
        let (gauges, state) = (Arc::clone(&gauges), Arc::clone(&scraped));
        Box::pin(async move {
            state.verifier.show_key_freshness();
            show_database_link(&state.pool).await;
            gauges.refresh(&state.pool).await;
        })
    };
    let ready = move || -> BoxFuture<telemetry::Readiness> {
        let state = Arc::clone(&state);
        Box::pin(async move { readiness::check(&state).await })
    };
    admin
        .before_scrape(refresh)
        .run(metrics, ready, stopping.cancelled())
        .await;
}
