//! A gateway, a session that can be attached to, and callers.

use std::sync::Arc;
use std::time::Duration;

use environment_access::{Origins, TokenConfig, TokenRequest, issue_token};
use secrecy::{ExposeSecret as _, SecretString};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, Role, UserId};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use telemetry::MetricsHandle;
use terminal_gateway::{Gateway, GatewayConfig, RecordingSpool};
use tokio_util::sync::CancellationToken;

use crate::keeper::{TestKeeper, TestRuntime};

pub(crate) const ORIGIN: &str = "http://127.0.0.1:8080";
pub(crate) const USER: &str = "u-1";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A running gateway with one session.
pub(crate) struct Bench {
    pub(crate) pool: PgPool,
    pub(crate) keeper: TestKeeper,
    pub(crate) session_id: ExamSessionId,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) http: reqwest::Client,
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
        let session_id = insert_session_of(&pool, USER, wanted).await;
        for state in ["initializing", "ready", "running"] {
            set_state(&pool, session_id, state).await;
        }
        let keeper = TestKeeper::new();
        let (address, stop, ended) = start_recording_gateway(&pool, &keeper, spool.into()).await;
        let http = reqwest::Client::new();
        Self {
            pool,
            keeper,
            session_id,
            address,
            http,
            stop,
            ended,
        }
    }

    /// Ends the gateway as SIGTERM does, and starts another one beside the same shell.
    pub(crate) async fn restart(&mut self, spool: Option<RecordingSpool>) {
        self.stop.cancel();
        (&mut self.ended).await.unwrap();
        let started = start_recording_gateway(&self.pool, &self.keeper, spool).await;
        (self.address, self.stop, self.ended) = started;
    }

    pub(crate) async fn ask_ticket(&self, session: &str, token: &str) -> reqwest::Response {
        let url = format!(
            "http://{}/v1/sessions/{session}/terminal-tickets",
            self.address
        );
        self.http
            .post(url)
            .bearer_auth(token)
            .header("origin", ORIGIN)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn ticket(&self, token: &str) -> String {
        let answer = self.ask_ticket(&self.session_id.to_string(), token).await;
        assert_eq!(answer.status(), 201);
        let document: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(document["expires_in_ms"], 30_000);
        document["ticket"].as_str().unwrap().to_owned()
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

    pub(crate) async fn end_session(&self) {
        set_state(&self.pool, self.session_id, "terminated").await;
    }
}

/// What keeps recordings from the database.
pub(crate) struct Held(sqlx::Transaction<'static, sqlx::Postgres>);

impl Held {
    pub(crate) async fn release(self) {
        self.0.rollback().await.unwrap();
    }
}

/// A login token that the gateway accepts.
pub(crate) fn token(user: &str, role: Role) -> String {
    let request = TokenRequest {
        user_id: UserId::parse(user).unwrap(),
        role,
        lifetime: Duration::from_mins(5),
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    let issued = issue_token(&request, &SECRET.into()).unwrap();
    issued.token.expose_secret().to_owned()
}

/// A login token of the session's owner; each call is another login.
pub(crate) fn owner() -> String {
    token(USER, Role::Candidate)
}

/// A pool of the test's own. All tests of a run share the connections of the pools they are given,
/// and a gateway keeps one for as long as it listens.
fn apart(pool: &PgPool) -> PgPool {
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

/// Starts a gateway whose logins are signed by whoever is named.
pub(crate) async fn start_gateway_with(
    pool: &PgPool,
    keeper: &TestKeeper,
    tokens: TokenConfig,
) -> Running {
    run_gateway(config(pool, keeper, tokens)).await
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
        origins: Origins::new([ORIGIN.parse().unwrap()]),
        runtime: Arc::new(TestRuntime(keeper.clone())),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        max_terminals: 8,
        workers: Some(1),
        recording: None,
    }
}

async fn run_gateway(config: GatewayConfig) -> Running {
    let gateway = Gateway::build(config, MetricsHandle::install().unwrap())
        .await
        .unwrap();
    let address = gateway.address();
    let stop = CancellationToken::new();
    let running = gateway.run(stop.clone());
    let ended = tokio::spawn(async move { running.await.unwrap() });
    (address, stop, ended)
}

pub(crate) async fn insert_session(pool: &PgPool, user: &str) -> ExamSessionId {
    insert_session_of(pool, user, "off").await
}

/// The sample exam, with what it wants recorded.
fn definition(recording: &str) -> serde_json::Value {
    let sample = include_str!("../../../../deploy/exams/linux-fundamentals.json");
    let mut definition: serde_json::Value = serde_json::from_str(sample).unwrap();
    definition["recording"] = recording.into();
    definition
}

/// A session of an exam that wants its terminals recorded in that way.
pub(crate) async fn insert_session_of(pool: &PgPool, user: &str, recording: &str) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('demo', 1, 'Demo', $1, '\\x00', 'test') ON CONFLICT DO NOTHING",
        definition(recording)
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         VALUES ($1, $2, $3, 'demo', 1, now() + interval '1 minute', now() + interval '1 hour')",
        id.as_uuid(),
        user,
        environment.as_uuid(),
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO execution_environments
             (id, session_id, state, attempt, runtime, runtime_name, runtime_uid)
         VALUES ($1, $2, 'up', 1, 'engine', $3, 'uid-1')",
        environment.as_uuid(),
        id.as_uuid(),
        format!("carrel-{id}-1"),
    )
    .execute(pool)
    .await
    .unwrap();
    id
}

pub(crate) async fn set_state(pool: &PgPool, id: ExamSessionId, state: &str) {
    sqlx::query!(
        "UPDATE exam_sessions SET state = $2, version = version + 1,
             ended_at = CASE WHEN $2 = 'terminated' THEN now() END,
             ending_kind = CASE WHEN $2 = 'terminated' THEN 'operator_ended' END
         WHERE id = $1",
        id.as_uuid(),
        state,
    )
    .execute(pool)
    .await
    .unwrap();
}

pub(crate) async fn set_end(pool: &PgPool, id: ExamSessionId, seconds: f64) {
    sqlx::query!(
        "UPDATE exam_sessions
         SET ends_at = now() + make_interval(secs => $2), version = version + 1
         WHERE id = $1",
        id.as_uuid(),
        seconds,
    )
    .execute(pool)
    .await
    .unwrap();
}
