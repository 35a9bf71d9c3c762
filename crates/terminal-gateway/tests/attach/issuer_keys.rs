//! Without the issuer's keys nobody is let in, and nobody is told that their login is bad.

use environment_access::{FetchPace, KeySource, TokenConfig};
use sqlx::PgPool;
use tokio::net::TcpSocket;

use crate::bench::{owner, start_gateway_with};
use crate::keeper::TestKeeper;
use crate::rows::ORIGIN;

/// Keys at a port where nobody listens, and nobody can for as long as the socket is kept.
fn unreachable_issuer() -> (TokenConfig, TcpSocket) {
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/jwks", silent.local_addr().unwrap());
    let config = TokenConfig {
        keys: KeySource::Jwks {
            url: url.parse().unwrap(),
            pace: FetchPace::default(),
            authorities: None,
        },
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    (config, silent)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_gateway_that_has_no_keys_is_not_ready_and_asks_to_come_back(pool: PgPool) {
    let keeper = TestKeeper::new();
    let (issuer, _silent) = unreachable_issuer();
    let (address, stop, ended) = start_gateway_with(&pool, &keeper, issuer).await;
    let ready = reqwest::get(format!("http://{address}/readyz"))
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    let reason = ready.text().await.unwrap();
    assert!(reason.contains("--token-jwks-url"), "{reason}");

    let session = session_identity::ExamSessionId::generate();
    let path = format!("http://{address}/v1/sessions/{session}/terminal-tickets");
    let ask = || reqwest::Client::new().post(&path).header("origin", ORIGIN);
    let early = ask().bearer_auth(owner()).send().await.unwrap();
    assert_eq!(early.status(), 503);
    assert!(early.headers().contains_key("retry-after"));
    assert_eq!(ask().send().await.unwrap().status(), 401);

    stop.cancel();
    ended.await.unwrap();
}
