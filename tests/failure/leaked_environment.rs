//! An environment that no row accounts for any more: it was leaked, or another has taken its place.

use std::time::Duration;

use cleanup_ttl::ExpiryPolicy;
use execution_environment::{Created, EnvironmentSpec, RuntimeUid};
use orchestrator::Sweeps;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};
use system_tests::wait::{SOON, until};
use system_tests::{Weight, crew, exams, take_places};
use tokio_util::task::AbortOnDropHandle;

use crate::scene::Scene;

/// Longer than any of these stories takes: an orphan is old once a story says so.
const OLD: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_orphan_is_left_alone_when_it_is_first_seen_and_deleted_when_it_is_known_for_long() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let session = ready(&scene).await;
    let orphan = make(&scene, scene.install_id(), ExamSessionId::generate(), 1).await;
    let sweeping = sweep_on(&scene);
    await_seen_again(&scene, &orphan.uid).await;
    assert!(scene.is_there(&orphan.uid).await, "it may be a mistake");

    grow_old(&scene, &orphan.uid).await;
    await_deleted(&scene, &orphan.uid).await;
    drop(sweeping);
    assert_eq!(
        scene.environments().await.len(),
        1,
        "the session has its own"
    );
    end(&scene, session).await;
}

#[tokio::test]
async fn an_attempt_that_a_later_one_replaced_is_deleted_and_the_later_one_stays() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let session = ready(&scene).await;
    let stale = scene.environments().await.remove(0).uid;
    let later = make(&scene, scene.install_id(), session, 2).await;
    sqlx::query!(
        "UPDATE execution_environments
         SET attempt = 2, runtime_name = $2, runtime_uid = $3, version = version + 1
         WHERE session_id = $1",
        session.as_uuid(),
        later.name.as_str(),
        later.uid.as_str()
    )
    .execute(scene.pool())
    .await
    .unwrap();

    let sweeping = sweep_on(&scene);
    await_deleted(&scene, &stale).await;
    drop(sweeping);
    assert!(scene.is_there(&later.uid).await);
    assert_eq!(scene.state(session).await, "ready");
    end(&scene, session).await;
}

#[tokio::test]
async fn one_that_was_made_anew_under_the_name_of_an_old_orphan_is_not_that_orphan() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let session = ready(&scene).await;
    let nobody = ExamSessionId::generate();
    let first = make(&scene, scene.install_id(), nobody, 1).await;
    let sweeping = sweep_on(&scene);
    await_seen_again(&scene, &first.uid).await;
    drop(sweeping);

    grow_old(&scene, &first.uid).await;
    scene.remove(&first.uid).await;
    let second = make(&scene, scene.install_id(), nobody, 1).await;
    assert_eq!(second.name, first.name);
    assert_ne!(second.uid, first.uid);
    let sweeping = sweep_on(&scene);
    await_seen_again(&scene, &second.uid).await;
    drop(sweeping);
    assert!(
        scene.is_there(&second.uid).await,
        "the sighting is of another"
    );
    assert_eq!(sightings(&scene).await, [second.uid.to_string()]);

    scene.remove(&second.uid).await;
    end(&scene, session).await;
}

#[tokio::test]
async fn what_bears_the_labels_of_another_install_is_never_touched() {
    let _place = take_places(Weight::Light).await;
    let (scene, beside) = (Scene::set().await, Scene::set().await);
    let session = ready(&scene).await;
    let theirs = make(&beside, beside.install_id(), ExamSessionId::generate(), 1).await;
    let orphan = make(&scene, scene.install_id(), ExamSessionId::generate(), 1).await;
    let sweeping = sweep_on(&scene);
    await_seen_again(&scene, &orphan.uid).await;
    assert_eq!(sightings(&scene).await, [orphan.uid.to_string()]);
    // Were theirs ours, it would go with the other.
    grow_old(&scene, &theirs.uid).await;
    grow_old(&scene, &orphan.uid).await;
    await_deleted(&scene, &orphan.uid).await;
    drop(sweeping);
    assert!(beside.is_there(&theirs.uid).await);
    end(&scene, session).await;
}

/// A session whose environment is up, with no worker left at work.
async fn ready(scene: &Scene) -> ExamSessionId {
    let session = crew::request(scene.pool(), "u-1").await;
    let crew = scene.work_on(scene.real());
    scene.await_state(session, "ready").await;
    drop(crew);
    session
}

/// Ends the session, after which nothing may be left.
async fn end(scene: &Scene, session: ExamSessionId) {
    let _crew = scene.work_on(scene.real());
    crew::end(scene.pool(), session).await;
    scene.await_gone(session).await;
    scene.assert_invariants().await;
}

/// Makes an environment past Carrel, as a worker does of whose work the rows tell nothing.
async fn make(
    scene: &Scene,
    install_id: InstallId,
    session_id: ExamSessionId,
    attempt: i32,
) -> Created {
    let spec = EnvironmentSpec {
        install_id,
        session_id,
        user_id: UserId::parse("u-leaked").unwrap(),
        environment_id: ExecutionEnvironmentId::generate(),
        attempt,
        exam: exams::sample(),
        deadline: None,
        avoid: Vec::new(),
    };
    scene.real().create(&spec).await.unwrap()
}

/// Compares runtime and rows each second until the handle is dropped.
fn sweep_on(scene: &Scene) -> AbortOnDropHandle<()> {
    let sweeps = Sweeps {
        runtime: Duration::from_secs(1),
        policy: ExpiryPolicy {
            orphan_age: OLD,
            ..ExpiryPolicy::default()
        },
        ..Sweeps::default()
    };
    let sweeping = crew::sweep(scene.pool().clone(), scene.real(), sweeps);
    AbortOnDropHandle::new(tokio::spawn(sweeping))
}

/// Waits until two sweeps have seen an orphan.
async fn await_seen_again(scene: &Scene, uid: &RuntimeUid) {
    until("two sweeps have seen the orphan", SOON, async || {
        let again = sqlx::query_scalar!(
            r#"SELECT last_seen > first_seen AS "again!" FROM orphan_sightings WHERE runtime_uid = $1"#,
            uid.as_str()
        );
        let again = again.fetch_optional(scene.pool()).await.unwrap();
        again.filter(|again| *again).map(|_| ())
    })
    .await;
}

/// Makes an environment one that was first seen long ago.
async fn grow_old(scene: &Scene, uid: &RuntimeUid) {
    sqlx::query!(
        "INSERT INTO orphan_sightings (runtime, runtime_uid, first_seen)
         VALUES ('engine', $1, now() - 2 * make_interval(secs => $2))
         ON CONFLICT (runtime, runtime_uid) DO UPDATE SET first_seen = excluded.first_seen",
        uid.as_str(),
        OLD.as_secs_f64()
    )
    .execute(scene.pool())
    .await
    .unwrap();
}

async fn await_deleted(scene: &Scene, uid: &RuntimeUid) {
    until(&format!("{uid} is deleted"), SOON, async || {
        (!scene.is_there(uid).await).then_some(())
    })
    .await;
}

async fn sightings(scene: &Scene) -> Vec<String> {
    let known = sqlx::query_scalar!("SELECT runtime_uid FROM orphan_sightings");
    known.fetch_all(scene.pool()).await.unwrap()
}
