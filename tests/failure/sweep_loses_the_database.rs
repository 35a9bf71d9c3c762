//! Each sweep, struck at each word that it says to the database; the next worker's pass settles it.

use std::time::Duration;

use environment_access::{attachments, open_attachment, take_epoch};
use execution_environment::{
    EnvironmentSpec, RuntimeKind, RuntimeName, RuntimeUid, begin_attempt, install_id,
    record_created, record_up,
};
use job_queue::{JobFilter, Waker, list_jobs};
use orchestrator::{Sweep, SweepLoop, Sweeps, Workshop};
use serde_json::json;
use session_identity::{ExamSessionId, LoginId, TerminalProcessId, WorkerIncarnation};
use session_lifecycle::{Advance, load_session};
use sqlx::PgPool;
use system_tests::{Weight, crew, exams, take_places};

use crate::each_word::{at_every_word, bring, change};
use crate::scene::Scene;

/// Always due.
const EACH_TIME: Duration = Duration::from_millis(1);

#[tokio::test]
async fn what_is_due_ends_once_whichever_word_of_the_sweep_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let over = "UPDATE exam_sessions SET ends_at = now() - interval '1 s', version = version + 1
                WHERE id = $id";
    at_every_word(
        &scene,
        async |session| change(scene.pool(), session, over).await,
        async |pool, _| sweep(&scene, pool, Sweep::Expired).await,
        async |session| {
            let asked_for = teardowns(scene.pool(), session).await;
            let has_ended = scene.state(session).await == "terminated";
            assert_eq!(asked_for > 0, has_ended);
            asked_for
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_late_fails_once_whichever_word_of_the_sweep_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        async |session| crew::end_budget(scene.pool(), session).await,
        async |pool, _| sweep(&scene, pool, Sweep::Stuck).await,
        async |session| {
            // Nobody had begun with it.
            failures(&scene, session, "infra.job_exhausted").await
        },
    )
    .await;
}

#[tokio::test]
async fn what_has_vanished_fails_once_whichever_word_of_the_sweep_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        async |session| {
            let pool = scene.pool();
            bring(pool, session, &[Advance::ToInitializing]).await;
            record_proven(pool, session).await;
            bring(pool, session, &[Advance::ToReady]).await;
        },
        async |pool, _| sweep(&scene, pool, Sweep::Runtime).await,
        async |session| failures(&scene, session, "infra.pod_vanished").await,
    )
    .await;
}

#[tokio::test]
async fn a_silent_attach_is_closed_whichever_word_of_the_sweep_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let silent = "UPDATE terminal_attachments
                  SET attached_at = now() - interval '2 min', opened_at = now() - interval '2 min',
                      seen_at = now() - interval '1 min'
                  WHERE session_id = $id";
    at_every_word(
        &scene,
        async |session| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let (process, login) = (TerminalProcessId::generate(), LoginId::new("l"));
            let epoch = take_epoch(&mut conn, session, process, &login, None).await;
            let opened = open_attachment(&mut conn, session, epoch.unwrap(), Duration::ZERO);
            opened.await.unwrap();
            change(scene.pool(), session, silent).await;
        },
        async |pool, _| sweep(&scene, pool, Sweep::Attachments).await,
        async |session| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let all = attachments(&mut conn, session).await.unwrap();
            let closed = all.iter().filter(|it| it.detached_at == Some(it.seen_at));
            closed.count()
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_old_is_removed_whichever_word_of_the_sweep_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let old = "INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
               VALUES (now() - interval '500 days', $id, 'u', 'candidate', 'read', true)";
    at_every_word(
        &scene,
        async |session| change(scene.pool(), session, old).await,
        async |pool, _| sweep(&scene, pool, Sweep::History).await,
        async |_| {
            let left = sqlx::query_scalar!(r#"SELECT count(*) AS "left!" FROM access_log"#);
            usize::from(left.fetch_one(scene.pool()).await.unwrap() == 0)
        },
    )
    .await;
}

/// Runs one pass, as a worker that dies with the pool.
async fn sweep(scene: &Scene, pool: PgPool, sweep: Sweep) -> anyhow::Result<()> {
    let workshop = Workshop {
        waker: Waker::new(pool.clone()),
        runtime: scene.real(),
        pool,
    };
    let sweeps = Sweeps {
        expired: EACH_TIME,
        stuck: EACH_TIME,
        teardowns: EACH_TIME,
        runtime: EACH_TIME,
        attachments: EACH_TIME,
        history: EACH_TIME,
        ..Sweeps::default()
    };
    let sweeper = SweepLoop::new(workshop, sweeps, WorkerIncarnation::generate());
    Ok(sweeper.once(sweep).await?)
}

/// Writes down a proven attempt of which the runtime knows nothing any more.
async fn record_proven(pool: &PgPool, session: ExamSessionId) {
    let mut conn = pool.acquire().await.unwrap();
    let row = load_session(&mut conn, session).await.unwrap().unwrap();
    let spec = EnvironmentSpec {
        install_id: install_id(&mut conn).await.unwrap(),
        session_id: session,
        user_id: row.user_id,
        environment_id: row.environment_id,
        attempt: 1,
        exam: exams::sample(),
        deadline: None,
        avoid: Vec::new(),
    };
    let (engine, name) = (RuntimeKind::Engine, RuntimeName::for_attempt(session, 1));
    let begun = begin_attempt(&mut conn, session, 0, engine, &name, &spec).await;
    begun.unwrap().unwrap();
    let uid = RuntimeUid::from_runtime(format!("was-of-{session}"));
    let created = record_created(&mut conn, session, 1, &uid).await;
    created.unwrap().unwrap();
    let up = record_up(&mut conn, session, 1, &uid, &json!({})).await;
    up.unwrap().unwrap();
}

/// How often a session failed, which it does with what follows, and with this code.
async fn failures(scene: &Scene, session: ExamSessionId, expected: &str) -> usize {
    let asked_for = teardowns(scene.pool(), session).await;
    let has_failed = scene.state(session).await == "failed";
    assert_eq!(asked_for > 0, has_failed);
    if has_failed {
        assert_eq!(scene.failure_code(session).await, expected);
    }
    asked_for
}

/// How many jobs are to destroy a session's environment.
async fn teardowns(pool: &PgPool, session: ExamSessionId) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    let its = JobFilter {
        session_id: Some(session),
        kind: Some("destroy_environment".to_owned()),
        ..JobFilter::default()
    };
    list_jobs(&mut conn, &its, None, 10).await.unwrap().len()
}
