//! An operator holds a sweep up while they look into what it would do.

use std::time::Duration;

use system_tests::TestSystem;
use system_tests::wait::SOON;

/// Two periods of the sweep that is held up, and a margin.
const HELD_UP: Duration = Duration::from_secs(40);

#[tokio::test]
async fn what_is_lost_is_not_concluded_meanwhile_and_exams_end_all_the_same() {
    let system = TestSystem::start().await;
    let lost = system.ready_candidate("u-lost").await;
    let other = system.ready_candidate("u-other").await;
    let pause = ["schedules", "pause", "sweep_runtime", "--for", "30m"];
    let why = ["--as", "dana", "--reason", "INC-7"];
    system.carrel(&[&pause[..], &why].concat()).await;
    for vital in ["sweep_expired", "sweep_teardowns"] {
        let pause = ["schedules", "pause", vital, "--for", "30m"];
        let refused = system.carrel_ends(&[&pause[..], &why].concat()).await;
        assert_eq!(refused.status.code(), Some(4), "{vital}: {refused:?}");
    }

    let uid = system.environment_uid(&lost).await.expect("it is there");
    system.runtime.remove(&uid).await;
    tokio::time::sleep(HELD_UP).await;
    assert_eq!(system.status(&lost).await.state, "ready", "nobody looked");

    let ended = system
        .terminate(&other, &system_tests::logins::Login::service())
        .await;
    ended.assert_status(202);
    system.await_gone(&other, SOON).await;

    let resume = ["schedules", "resume", "sweep_runtime"];
    system.carrel(&[&resume[..], &why].concat()).await;
    assert_eq!(system.await_failed(&lost, SOON).await, "infra.pod_vanished");
    system.assert_invariants().await;
}
