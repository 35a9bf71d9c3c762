//! A session that no worker begins, and one that its candidate does not come to.

use std::time::Duration;

use orchestrator::Sweeps;
use serde_json::Value;
use session_identity::ExamSessionId;
use system_tests::wait::{SOON, until};
use system_tests::{Weight, crew, exams, take_places};
use tokio_util::task::AbortOnDropHandle;

use crate::scene::Scene;

#[tokio::test]
async fn what_nobody_begins_is_told_with_its_reason_and_fails_only_when_its_budget_ends() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let session = crew::request(scene.pool(), "u-1").await;
    make_old(&scene, session).await;
    let sweeping = sweep_on(&scene);
    let told = until("the sweep tells why", SOON, async || told(&scene).await).await;
    let told = told.as_object().expect("reasons").clone();
    let (why, sessions) = told.iter().next().expect("one reason");
    assert!(
        why.starts_with("no live worker takes provision_environment"),
        "{told:?}"
    );
    assert_eq!((sessions, told.len()), (&Value::from(1), 1));
    assert_eq!(scene.state(session).await, "created");

    crew::end_budget(scene.pool(), session).await;
    scene.await_state(session, "failed").await;
    assert_eq!(scene.failure_code(session).await, "infra.job_exhausted");
    drop(sweeping);
    let _crew = scene.work_on(scene.real());
    scene.await_gone(session).await;
    scene.assert_invariants().await;
}

#[tokio::test]
async fn what_nobody_comes_to_ends_as_a_no_show_where_the_exam_says_so() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let impatient = exams::changed("impatient", |exam| exam.no_show_after_seconds = Some(60));
    exams::apply(scene.pool(), &impatient).await;
    let _crew = scene.work_on(scene.real());
    let patient = crew::request(scene.pool(), "u-1").await;
    let session = crew::request_of(scene.pool(), "u-2", &impatient.name).await;
    for ready in [patient, session] {
        scene.await_state(ready, "ready").await;
        let long_ago = sqlx::query!(
            "UPDATE exam_sessions SET ready_at = now() - interval '2 minutes', version = version + 1
             WHERE id = $1",
            ready.as_uuid()
        );
        long_ago.execute(scene.pool()).await.unwrap();
    }
    scene.await_state(session, "terminated").await;
    let ending = sqlx::query_scalar!(
        r#"SELECT ending_kind AS "kind!" FROM exam_sessions WHERE id = $1"#,
        session.as_uuid()
    );
    assert_eq!(ending.fetch_one(scene.pool()).await.unwrap(), "no_show");
    scene.await_gone(session).await;
    assert_eq!(scene.state(patient).await, "ready");
    crew::end(scene.pool(), patient).await;
    scene.await_gone(patient).await;
    scene.assert_invariants().await;
}

/// Looks for stuck sessions each second, with nobody at work, until the handle is dropped.
fn sweep_on(scene: &Scene) -> AbortOnDropHandle<()> {
    let sweeps = Sweeps {
        stuck: Duration::from_secs(1),
        ..Sweeps::default()
    };
    let sweeping = crew::sweep(scene.pool().clone(), scene.real(), sweeps);
    AbortOnDropHandle::new(tokio::spawn(sweeping))
}

/// How many sessions wait for which reason, as the sweep says; nothing before it does.
async fn told(scene: &Scene) -> Option<Value> {
    let status = sqlx::query_scalar!(
        r#"SELECT last_status -> 'unclaimed' AS "unclaimed" FROM schedules WHERE name = 'sweep_stuck'"#
    );
    let status = status.fetch_optional(scene.pool()).await.unwrap();
    status.flatten()
}

/// Lets it have been requested 40 s ago, with an hour left to become ready.
async fn make_old(scene: &Scene, session: ExamSessionId) {
    let mut transaction = scene.pool().begin().await.unwrap();
    // When a session was created never changes, so that a trigger would not have it.
    sqlx::raw_sql("SET LOCAL session_replication_role = replica")
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET created_at = now() - interval '40 s', ready_by = now() + interval '1 h'
         WHERE id = $1",
        session.as_uuid()
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}
