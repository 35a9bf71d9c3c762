//! An environment that does not go when it is deleted: its node is slow, or answers nobody.

use std::sync::Arc;

use execution_environment::{EnvironmentRecord, EnvironmentState, load_environment};
use session_identity::ExamSessionId;
use system_tests::hanging_runtime::HangingRuntime;
use system_tests::wait::{SOON, until};
use system_tests::{Weight, crew, take_places};
use tokio_util::task::AbortOnDropHandle;

use crate::scene::Scene;

#[tokio::test]
async fn what_hangs_where_its_node_answers_is_left_its_time_and_then_forced_once() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let hanging = HangingRuntime::new(scene.real());
    let (session, _crew) = ended(&scene, &hanging).await;
    // However slow the machine is, it has not had its time yet.
    begun_before(&scene, session, -3600.0).await;
    let before = snoozes(&scene, session).await;
    until("it was snoozed twice more", SOON, async || {
        (snoozes(&scene, session).await > before + 1).then_some(())
    })
    .await;
    assert_eq!(hanging.forced(), 0);
    assert_eq!(row(&scene, session).await.forced_at, None);

    begun_before(&scene, session, 300.0).await;
    scene.await_gone(session).await;
    assert_eq!(hanging.forced(), 1);
    let row = row(&scene, session).await;
    assert!(
        row.forced_at.is_some() && row.cleanup_blocked.is_none(),
        "{row:?}"
    );
    scene.assert_invariants().await;
}

#[tokio::test]
async fn what_is_on_a_lost_node_is_waited_for_and_its_row_says_so_until_the_node_is_back() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let hanging = HangingRuntime::new(scene.real());
    hanging.lose_place(true);
    let (session, _crew) = ended(&scene, &hanging).await;
    begun_before(&scene, session, 300.0).await;
    until("the row says what it waits for", SOON, async || {
        row(&scene, session).await.cleanup_blocked
    })
    .await;
    let blocked = row(&scene, session).await;
    assert_eq!(blocked.state, EnvironmentState::Destroying);
    let before = hanging.looks();
    until("it was looked at again", SOON, async || {
        (hanging.looks() > before).then_some(())
    })
    .await;
    let still = row(&scene, session).await;
    assert_eq!(
        still.cleanup_blocked_at, blocked.cleanup_blocked_at,
        "since then"
    );
    assert_eq!((hanging.forced(), still.forced_at), (0, None));
    assert_eq!(scene.environments().await.len(), 1);

    hanging.lose_place(false);
    scene.await_gone(session).await;
    assert_eq!(hanging.forced(), 1);
    let gone = row(&scene, session).await;
    assert_eq!(
        (gone.cleanup_blocked, gone.cleanup_blocked_at),
        (None, None)
    );
    scene.assert_invariants().await;
}

/// A session that was ready and has ended, whose environment is on its way out.
async fn ended(
    scene: &Scene,
    hanging: &Arc<HangingRuntime>,
) -> (ExamSessionId, AbortOnDropHandle<()>) {
    let crew = scene.work_on(hanging.clone());
    let session = crew::request(scene.pool(), "u-1").await;
    scene.await_state(session, "ready").await;
    crew::end(scene.pool(), session).await;
    until("its destruction has begun", SOON, async || {
        let state = row(scene, session).await.state;
        (state == EnvironmentState::Destroying).then_some(())
    })
    .await;
    (session, crew)
}

async fn row(scene: &Scene, session: ExamSessionId) -> EnvironmentRecord {
    let mut conn = scene.pool().acquire().await.unwrap();
    let row = load_environment(&mut conn, session).await.unwrap();
    row.expect("every session has one")
}

async fn snoozes(scene: &Scene, session: ExamSessionId) -> i32 {
    let snoozes = sqlx::query_scalar!(
        r#"SELECT max(snoozes) AS "snoozes!" FROM jobs
           WHERE session_id = $1 AND kind = 'destroy_environment'"#,
        session.as_uuid()
    );
    snoozes.fetch_one(scene.pool()).await.unwrap()
}

/// Lets the destruction have begun so many seconds ago.
async fn begun_before(scene: &Scene, session: ExamSessionId, seconds: f64) {
    sqlx::query!(
        "UPDATE execution_environments
         SET destroying_at = now() - make_interval(secs => $2), version = version + 1
         WHERE session_id = $1",
        session.as_uuid(),
        seconds
    )
    .execute(scene.pool())
    .await
    .unwrap();
}
