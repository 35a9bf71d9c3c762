//! A gateway, a session that can be attached to, and callers.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use environment_access::{Origins, TokenConfig};
use execution_environment::EnvironmentRuntime;
use secrecy::SecretString;
use session_identity::Role;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use telemetry::MetricsHandle;
use terminal_gateway::{Gateway, GatewayConfig, ReadOn, RecordingSpool};
use tokio_util::sync::CancellationToken;

use crate::door::OnlyAttaches;
use crate::keeper::{KeeperDoor, TestKeeper};
use crate::network::Network;
use crate::rows::{ORIGIN, SECRET, insert_running_of, runtime_name, token};
use crate::seat::Seat;

/// Another page that may attach.
pub(crate) const OTHER_ORIGIN: &str = "https://page.example";
pub(crate) const USER: &str = "u-1";

/// Terminals a gateway of a test serves at most: a crowd of them, and as many that are leaving.
const MOST: usize = 128;

/// A gateway that neither says what it reads nor looks for what nobody does: shells stay with whoever a
/// story gives them to.
const BY_ITSELF: ReadOn = ReadOn {
    every: Duration::from_hours(24),
    lease: Duration::from_hours(1),
};

/// A running gateway with one session.
pub(crate) struct Bench {
    pub(crate) seat: Seat,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn start(pool: PgPool) -> Self {
        Self::recording(pool, "off", None).await
    }

    /// One whose exam wants its terminals recorded, with a spool for it or without.
    pub(crate) async fn recording(
        pool: PgPool,
        wanted: &str,
        spool: impl Into<Option<RecordingSpool>>,
    ) -> Self {
        let pool = apart(&pool);
        let keeper = TestKeeper::new();
        let (address, stop, ended) = start_recording_gateway(&pool, &keeper, spool.into()).await;
        let session_id = insert_running_of(&pool, USER, wanted).await;
        let seat = Seat {
            pool,
            address,
            http: reqwest::Client::new(),
            keeper,
            session_id,
            user: USER.to_owned(),
            network: None,
        };
        Self { seat, stop, ended }
    }

    /// Ends the gateway as SIGTERM does, and starts another one beside the same shell.
    pub(crate) async fn restart(&mut self, spool: Option<RecordingSpool>) {
        self.stop.cancel();
        (&mut self.ended).await.unwrap();
        let started = start_recording_gateway(&self.pool, &self.keeper, spool).await;
        (self.seat.address, self.stop, self.ended) = started;
    }

    /// Ends the gateway, and starts another one that has so few places.
    pub(crate) async fn restart_with_places(&mut self, places: usize) {
        self.restart_with(|config| config.max_terminals = places)
            .await;
    }

    /// Ends the gateway, and starts another one that learns of ends by being told and in no other way.
    pub(crate) async fn restart_without_polls(&mut self) {
        self.restart_with(|config| config.poll_every = Duration::from_hours(24))
            .await;
    }

    /// Ends the gateway, and starts another one for whoever comes over that network.
    pub(crate) async fn restart_on(&mut self, network: &Network) {
        self.restart_with(|config| config.listen = Network::gateway())
            .await;
        self.seat.network = Some(network.clone());
    }

    async fn restart_with(&mut self, change: impl FnOnce(&mut GatewayConfig)) {
        self.stop.cancel();
        (&mut self.ended).await.unwrap();
        let tokens = TokenConfig::development(SecretString::from(SECRET));
        let mut config = config(&self.pool, &self.keeper, tokens);
        change(&mut config);
        (self.seat.address, self.stop, self.ended) = run_gateway(config).await;
    }

    /// Keeps recordings from the database until it is released.
    pub(crate) async fn hold_shipping(&self) -> Held {
        let mut tx = self.pool.begin().await.unwrap();
        sqlx::raw_sql("LOCK TABLE recording_segments IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *tx)
            .await
            .unwrap();
        Held(tx)
    }

    /// A session of somebody else, with a shell of its own.
    pub(crate) async fn seat(&self, user: &str) -> Seat {
        self.seat_of(user, "off").await
    }

    /// One of an exam that wants its terminals recorded in that way.
    pub(crate) async fn seat_of(&self, user: &str, wanted: &str) -> Seat {
        let session_id = insert_running_of(&self.pool, user, wanted).await;
        Seat {
            keeper: self.keeper.beside(&runtime_name(session_id)),
            session_id,
            user: user.to_owned(),
            ..self.seat.clone()
        }
    }
}

impl Deref for Bench {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

/// What keeps recordings from the database.
pub(crate) struct Held(sqlx::Transaction<'static, sqlx::Postgres>);

impl Held {
    pub(crate) async fn release(self) {
        self.0.rollback().await.unwrap();
    }
}

/// A login token of the session's owner; each call is another login.
pub(crate) fn owner() -> String {
    token(USER, Role::Candidate)
}

/// A pool of the test's own. All tests of a run share the connections of the pools they are given,
/// and a gateway keeps one for as long as it listens.
pub(crate) fn apart(pool: &PgPool) -> PgPool {
    let options = PgConnectOptions::clone(&pool.connect_options());
    PgPoolOptions::new()
        .max_connections(4)
        .connect_lazy_with(options)
}

/// A gateway's address, what stops it, and its end.
pub(crate) type Running = (
    std::net::SocketAddr,
    CancellationToken,
    tokio::task::JoinHandle<()>,
);

/// Starts another gateway beside the same shells.
pub(crate) async fn start_gateway(pool: &PgPool, keeper: &TestKeeper) -> Running {
    start_recording_gateway(pool, keeper, None).await
}

/// Starts a gateway whose logins are signed by whoever is named.
pub(crate) async fn start_gateway_with(
    pool: &PgPool,
    keeper: &TestKeeper,
    tokens: TokenConfig,
) -> Running {
    run_gateway(config(pool, keeper, tokens)).await
}

/// Starts a gateway whose terminals are in other environments than a played keeper's.
pub(crate) async fn start_gateway_into(
    pool: &PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    recording: Option<RecordingSpool>,
) -> Running {
    let tokens = TokenConfig::development(SecretString::from(SECRET));
    let config = GatewayConfig {
        runtime,
        recording,
        ..config(pool, &TestKeeper::new(), tokens)
    };
    run_gateway(config).await
}

/// Starts one that reads on what no process has read for the time of a lease, or was left.
pub(crate) async fn start_reader(
    pool: &PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    recording: RecordingSpool,
    lease: Duration,
) -> Running {
    run(build_reader(pool, runtime, recording, lease).await)
}

/// Starts the same, and says where its metrics are. They are those of the whole process: what is expected
/// of them in one with other gateways may be another's doing.
pub(crate) async fn start_observed_reader(
    pool: &PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    recording: RecordingSpool,
    lease: Duration,
) -> (Running, std::net::SocketAddr) {
    let gateway = build_reader(pool, runtime, recording, lease).await;
    let admin = gateway.admin_address();
    (run(gateway), admin)
}

async fn build_reader(
    pool: &PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    recording: RecordingSpool,
    lease: Duration,
) -> Gateway {
    let tokens = TokenConfig::development(SecretString::from(SECRET));
    let config = GatewayConfig {
        runtime,
        recording: Some(recording),
        read_on: ReadOn {
            every: Duration::from_millis(100),
            lease,
        },
        ..config(&apart(pool), &TestKeeper::new(), tokens)
    };
    build(config).await
}

async fn start_recording_gateway(
    pool: &PgPool,
    keeper: &TestKeeper,
    spool: Option<RecordingSpool>,
) -> Running {
    let tokens = TokenConfig::development(SecretString::from(SECRET));
    let config = GatewayConfig {
        recording: spool,
        ..config(pool, keeper, tokens)
    };
    run_gateway(config).await
}

fn config(pool: &PgPool, keeper: &TestKeeper, tokens: TokenConfig) -> GatewayConfig {
    GatewayConfig {
        pool: pool.clone(),
        listening: apart(pool),
        tokens,
        origins: Origins::new([ORIGIN, OTHER_ORIGIN].map(|origin| origin.parse().unwrap())),
        runtime: Arc::new(OnlyAttaches(KeeperDoor(keeper.clone()))),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        max_terminals: MOST,
        workers: Some(1),
        poll_every: GatewayConfig::POLL_EVERY,
        read_on: BY_ITSELF,
        recording: None,
    }
}

async fn run_gateway(config: GatewayConfig) -> Running {
    run(build(config).await)
}

async fn build(config: GatewayConfig) -> Gateway {
    let metrics = MetricsHandle::install().unwrap();
    Gateway::build(config, metrics).await.unwrap()
}

fn run(gateway: Gateway) -> Running {
    let address = gateway.address();
    let stop = CancellationToken::new();
    let running = gateway.run(stop.clone());
    let ended = tokio::spawn(async move { running.await.unwrap() });
    (address, stop, ended)
}
