//! PostgreSQL is killed while sessions are being prepared, and comes back.

use std::time::Duration;

use system_tests::postgres::OwnPostgres;
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{Plan, TestSystem, exams};

#[tokio::test]
async fn sessions_that_were_being_prepared_become_ready_all_the_same() {
    let postgres = OwnPostgres::start().await;
    let plan = Plan {
        server: Some(postgres.url.clone()),
        ..Plan::default()
    };
    let mut system = TestSystem::planned(plan).await;
    let mut candidates = Vec::new();
    for number in 0..6 {
        candidates.push(
            system
                .candidate(&format!("u-{number}"), exams::SAMPLE)
                .await,
        );
    }
    until("the preparation is under way", SOON, async || {
        let under_way = sqlx::query_scalar!(
            r#"SELECT count(*) AS "n!" FROM execution_environments WHERE state = 'creating'"#
        );
        (under_way.fetch_one(system.pool()).await.ok()? > 0).then_some(())
    })
    .await;
    postgres.kill_and_restart(Duration::from_secs(2)).await;
    // Nothing was restarted but the database.
    system.await_ready().await;
    until("everybody is ready", STARTUP, async || {
        let states = sqlx::query_scalar!("SELECT state FROM exam_sessions");
        let states = states.fetch_all(system.pool()).await.ok()?;
        assert!(!states.iter().any(|state| state == "failed"), "{states:?}");
        states.iter().all(|state| state == "ready").then_some(())
    })
    .await;
    for candidate in &candidates {
        assert!(system.status(candidate).await.can_attach);
    }
    let mut terminal = system.attach(&candidates[0]).await;
    terminal.type_line("echo after-$((40+2))").await;
    terminal.expect("after-42").await;
    system.assert_invariants().await;
}
