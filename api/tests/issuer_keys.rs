//! Keys that are fetched: not ready without them, rotated without a restart.

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use environment_access::{FetchPace, KeySource, TokenConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use support::{Answer, TestApi, tokens};
use tokio::net::{TcpListener, TcpSocket};

const UNKNOWN: &str = "/v1/sessions/01982f6e-0000-7000-8000-000000000000";
/// Keys of the tests of environment-access. They protect nothing.
const PRIVATE: &[u8] =
    include_bytes!("../../crates/environment-access/tests/keys/ed25519.private.pem");
const PUBLIC: &str = "tbbHFiucIhYYn3P5r2rP91WcVA-vOrMktqq9T4Eimtk";

type Shown = Arc<Mutex<Value>>;

/// One key under a name of choice.
fn document(kid: &str) -> Value {
    json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": PUBLIC,
    }]})
}

fn token(kid: &str) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let key = EncodingKey::from_ed_pem(PRIVATE).expect("a key");
    encode(&header, &tokens::claims(), &key).expect("a token")
}

/// Begins to show keys at the address that a socket has.
fn issue(socket: TcpSocket, shown: &Shown) -> ServerHandle {
    let shown = Data::from(Arc::clone(shown));
    let application = move || {
        let show = async |shown: Data<Mutex<Value>>| shown.lock().expect("whole").to_string();
        App::new()
            .app_data(shown.clone())
            .route("/jwks", web::get().to(show))
    };
    let server = HttpServer::new(application).workers(1).disable_signals();
    let listener = socket.listen(128).and_then(TcpListener::into_std);
    let server = server.listen(listener.expect("it listens"));
    let server = server.expect("it is served").run();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

fn config(address: SocketAddr) -> TokenConfig {
    let url = format!("http://{address}/jwks");
    let pace = FetchPace {
        every: Duration::from_millis(100),
        at_most_every: Duration::ZERO,
        within: Duration::from_secs(5),
    };
    TokenConfig {
        keys: KeySource::Jwks {
            url: url.parse().expect("loopback"),
            pace,
            authorities: None,
        },
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    }
}

impl TestApi {
    async fn ask(&self, token: &str) -> Answer {
        Answer::of(self.request(Method::GET, UNKNOWN).bearer_auth(token)).await
    }

    async fn admin(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.admin)).await;
        let answer = answer.expect("the admin port answers");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("text"))
    }

    async fn counts_keys(&self, keys: usize) {
        let line = format!("\ncarrel_token_keys {keys}\n");
        let counted = async {
            while !self.admin("/metrics").await.1.contains(&line) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), counted).await;
        waited.expect("it is counted");
    }

    async fn becomes_ready(&self) {
        let ready = async {
            while self.admin("/readyz").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), ready).await;
        waited.expect("it becomes ready");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keys_are_waited_for_rotated_and_kept_through_an_outage(pool: PgPool) {
    // The port is the issuer's before anybody listens there.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let address = socket.local_addr().expect("an address");
    let api = TestApi::start_with_tokens(&pool, config(address)).await;

    let (status, reason) = api.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(reason.contains("--token-jwks-url"), "{reason}");
    assert!(!reason.contains("127.0.0.1"), "{reason}");
    let early = api.ask(&token("first")).await;
    early.assert_problem(503, "service.unavailable");
    assert_eq!(early.header("retry-after"), "1");
    let nobody = Answer::of(api.request(Method::GET, UNKNOWN)).await;
    nobody.assert_problem(401, "login.required");

    let shown = Arc::new(Mutex::new(document("first")));
    let issuer = issue(socket, &shown);
    api.becomes_ready().await;
    let known = "session.not_available";
    api.ask(&token("first")).await.assert_problem(404, known);
    let other = api.ask(&token("second")).await;
    other.assert_problem(401, "login.required");

    *shown.lock().expect("whole") = document("second");
    api.ask(&token("second")).await.assert_problem(404, known);

    // All keys are taken back: nobody logs in, and no replica leaves the Service for it.
    *shown.lock().expect("whole") = json!({"keys": []});
    api.counts_keys(0).await;
    let revoked = api.ask(&token("second")).await;
    revoked.assert_problem(401, "login.required");
    assert_eq!(api.admin("/readyz").await.0, 200);
    *shown.lock().expect("whole") = document("second");
    api.counts_keys(1).await;

    issuer.stop(false).await;
    // It may be of a key that the issuer made since; nobody can say.
    let newer = api.ask(&token("third")).await;
    newer.assert_problem(503, "service.unavailable");
    assert_eq!(newer.header("retry-after"), "1");
    let body = json!({"token": token("second")});
    let login = api.request(Method::POST, "/v1/login").json(&body);
    assert_eq!(Answer::of(login).await.status, 204);
    assert_eq!(api.admin("/readyz").await.0, 200);
    let (_, metrics) = api.admin("/metrics").await;
    assert!(
        metrics.contains("\ncarrel_token_keys_age_seconds "),
        "{metrics}"
    );
    assert!(metrics.contains("\ncarrel_token_key_fetch_failures "));
}
