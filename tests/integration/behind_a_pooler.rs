//! Every process reaches the database through a pooler in transaction mode.

use environment_access::wire::CloseCode;
use sqlx::{Connection as _, PgConnection, Row as _};
use system_tests::pooler::Pooler;
use system_tests::settings::setting;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

/// To the database, for three processes with up to eight each.
const CONNECTIONS: u32 = 5;

#[tokio::test]
async fn a_session_lives_and_ends_behind_a_pooler_and_the_doctor_knows_who_listens_past_it() {
    let pooler = Pooler::before(&setting("DATABASE_URL"), CONNECTIONS).await;
    let plan = Plan {
        pooler: Some(pooler.place()),
        ..Plan::default()
    };
    let system = TestSystem::planned(plan).await;
    let candidate = system.candidate("u-1042", exams::SAMPLE).await;
    system.await_state(&candidate, "ready", STARTUP).await;
    let mut terminal = system.attach(&candidate).await;
    terminal.type_line("echo through-$((1+1))-doors").await;
    terminal.expect("through-2-doors").await;
    let metrics = system.worker_metrics(0).await;
    let heard = "carrel_job_looks_total{cause=\"notify\"}";
    assert!(metrics.contains(heard), "{metrics}");

    let pooled = pooler.url(&system.database.url);
    // What the loops ask of their own connections and a lent one does not have from them.
    let mut lent = PgConnection::connect(&pooled).await.unwrap();
    for show in ["SHOW enable_seqscan", "SHOW jit"] {
        let row = sqlx::raw_sql(show).fetch_one(&mut lent).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "off", "{show}");
    }
    lent.close().await.unwrap();
    let through = ["--database-url", &pooled];
    let past = ["--direct-database-url", &system.database.url];
    let doctor = [&["doctor"][..], &through, &past].concat();
    system.carrel(&doctor).await;
    let deaf = system
        .carrel_ends(&[&["doctor"][..], &through].concat())
        .await;
    let found: serde_json::Value = serde_json::from_slice(&deaf.stdout).unwrap();
    let checks = found["data"]["checks"].as_array().unwrap();
    let mut bad = checks.iter().filter(|check| check["verdict"] == "bad");
    assert_eq!(bad.next().unwrap()["name"], "notifications");
    assert!(bad.next().is_none(), "{found}");
    let id = candidate.session_id.as_str();
    let terminate = ["sessions", "terminate", id, "--confirm", id];
    let author = ["--as", "operator-1", "--reason", "the exam is over"];
    let terminate = [&terminate[..], &author, &through].concat();
    system.carrel(&terminate).await;
    terminal.expect_close(CloseCode::SessionEnded, SOON).await;
    system.await_gone(&candidate, SOON).await;
    system.assert_invariants().await;
}
