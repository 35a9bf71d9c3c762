//! A gateway, a session that can be attached to, and callers.

use std::sync::Arc;
use std::time::Duration;

use environment_access::{Origins, TokenConfig, TokenRequest, issue_token};
use secrecy::{ExposeSecret as _, SecretString};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, Role, UserId};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use telemetry::MetricsHandle;
use terminal_gateway::{Gateway, GatewayConfig};
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
        let pool = apart(&pool);
        let session_id = insert_session(&pool, USER).await;
        for state in ["initializing", "ready", "running"] {
            set_state(&pool, session_id, state).await;
        }
        let keeper = TestKeeper::new();
        let (address, stop, ended) = start_gateway(&pool, &keeper).await;
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

    pub(crate) async fn end_session(&self) {
        set_state(&self.pool, self.session_id, "terminated").await;
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

pub(crate) async fn start_gateway(
    pool: &PgPool,
    keeper: &TestKeeper,
) -> (
    std::net::SocketAddr,
    CancellationToken,
    tokio::task::JoinHandle<()>,
) {
    let tokens = TokenConfig::development(SecretString::from(SECRET));
    start_gateway_with(pool, keeper, tokens).await
}

/// Starts a gateway whose logins are signed by whoever is named.
pub(crate) async fn start_gateway_with(
    pool: &PgPool,
    keeper: &TestKeeper,
    tokens: TokenConfig,
) -> (
    std::net::SocketAddr,
    CancellationToken,
    tokio::task::JoinHandle<()>,
) {
    let config = GatewayConfig {
        pool: pool.clone(),
        listening: apart(pool),
        tokens,
        origins: Origins::new([ORIGIN.parse().unwrap()]),
        runtime: Arc::new(TestRuntime(keeper.clone())),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        max_terminals: 8,
        workers: Some(1),
    };
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
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('demo', 1, 'Demo', '{}', '\\x00', 'test') ON CONFLICT DO NOTHING"
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
