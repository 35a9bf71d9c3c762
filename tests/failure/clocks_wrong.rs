//! The clocks of the workers are wrong by an hour, one ahead and one behind.

use environment_access::wire::CloseCode;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

#[tokio::test]
async fn sessions_become_ready_and_end_by_the_database_s_clock_alone() {
    let plan = Plan {
        workers: 2,
        worker_clocks: vec!["+1h", "-1h"],
        ..Plan::default()
    };
    let system = TestSystem::planned(plan).await;
    exams::apply(system.pool(), &exams::lasting("short", 30)).await;
    let long = system.ready_candidate("u-long").await;
    let short = system.candidate("u-short", "short").await;
    system.await_state(&short, "ready", STARTUP).await;
    let mut working = system.attach(&long).await;
    let mut ending = system.attach(&short).await;
    ending.type_line("echo here-$((40+2))").await;
    ending.expect("here-42").await;

    ending.expect_close(CloseCode::SessionEnded, SOON).await;
    let ended = system.await_state(&short, "terminated", SOON).await;
    assert_eq!(
        ended.ending.map(|ending| ending.kind),
        Some("time_expired".into())
    );
    let off = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM ended_at - ends_at)::float8 AS "off!"
           FROM exam_sessions WHERE id = $1::text::uuid"#,
        short.session_id
    );
    let off = off.fetch_one(system.pool()).await.unwrap();
    assert!((0.0..=15.0).contains(&off), "it ended {off} s off its time");
    system.await_gone(&short, SOON).await;
    assert_its_clock_is_off(&system, 0, 1).await;
    assert_its_clock_is_off(&system, 1, -1).await;

    working.type_line("echo still-$((40+2))").await;
    working.expect("still-42").await;
    assert_eq!(system.status(&long).await.state, "running");
    system.assert_invariants().await;
}

/// What a worker logged in the last minutes bears its own time.
async fn assert_its_clock_is_off(system: &TestSystem, worker: usize, hours: i32) {
    let stamps = sqlx::query_scalar!(
        r#"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + make_interval(hours => $1, mins => -ago),
                          'YYYY-MM-DD"T"HH24:MI') AS "stamp!"
           FROM generate_series(0, 9) AS ago"#,
        hours
    );
    let stamps = stamps.fetch_all(system.pool()).await.unwrap();
    let log = system.workers[worker].log();
    assert!(stamps.iter().any(|stamp| log.contains(stamp)), "{log}");
}
