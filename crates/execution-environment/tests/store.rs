//! The statements against a real database.

#[path = "store/fixtures.rs"]
mod fixtures;

use execution_environment::{
    ApplyError, CleanupBlock, EnvironmentAction, EnvironmentSpec, EnvironmentState, ExamBasis,
    ExamDefinition, RuntimeKind, RuntimeUid, SignedActionFilter, TrialProof, apply_exam,
    begin_destroy, count_not_gone, find_applied, find_not_gone, forget_sightings,
    list_environment_actions, list_exams, load_environment, load_environments, load_exam,
    record_cleanup_blocked, record_created, record_environment_action, record_gone, record_signal,
    record_snapshot, record_up, sight_orphan,
};
use serde_json::json;
use session_identity::{Actor, ExamSessionId, UserId};
use sqlx::PgPool;

use fixtures::{begin, session, untried};

const ACTOR: Actor = Actor::System("test");

fn exam() -> ExamDefinition {
    ExamDefinition::parse(include_str!("exam.json")).expect("the sample is sound")
}

fn uid(text: &str) -> RuntimeUid {
    RuntimeUid::from_runtime(text)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_same_definition_is_one_version_and_another_is_the_next(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut exam = exam();
    let first = apply_exam(&mut conn, &exam, &untried(), &ACTOR)
        .await
        .unwrap();
    let again = apply_exam(&mut conn, &exam, &untried(), &ACTOR)
        .await
        .unwrap();
    assert_eq!(
        (first.version, first.created, again.version, again.created),
        (1, true, 1, false)
    );
    let original = exam.clone();
    exam.title = "Another".to_owned();
    assert_eq!(
        apply_exam(&mut conn, &exam, &untried(), &ACTOR)
            .await
            .unwrap()
            .version,
        2
    );
    assert_eq!(
        load_exam(&mut conn, &exam.name, None)
            .await
            .unwrap()
            .unwrap()
            .definition,
        exam
    );
    assert_eq!(
        load_exam(&mut conn, &exam.name, Some(1))
            .await
            .unwrap()
            .unwrap()
            .definition,
        original
    );
    assert_eq!(
        load_exam(&mut conn, &exam.name, Some(3)).await.unwrap(),
        None
    );
    let listed = list_exams(&mut conn).await.unwrap();
    assert_eq!(
        (
            listed.len(),
            listed[0].version,
            listed[0].applied_by.as_str()
        ),
        (1, 2, "system:test")
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_proof_is_the_version_s_and_stays_and_a_newer_one_takes_its_place(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (exam, on) = (exam(), |runtime| {
        ExamBasis::Proven(TrialProof {
            runtime,
            image_digest: Some("sha256:1".to_owned()),
            evidence: json!({ "gaps": [] }),
        })
    });
    assert_eq!(find_applied(&mut conn, &exam).await.unwrap(), None);
    let stored = apply_exam(&mut conn, &exam, &untried(), &ACTOR).await;
    assert_eq!(stored.unwrap().proven_at, None);
    for runtime in [RuntimeKind::Engine, RuntimeKind::Kubernetes] {
        let proven = apply_exam(&mut conn, &exam, &on(runtime), &ACTOR).await;
        let proven = proven.unwrap();
        assert_eq!((proven.version, proven.created), (1, false));
        assert_eq!(proven.proven_on, Some(runtime));
        let again = apply_exam(&mut conn, &exam, &untried(), &ACTOR).await;
        assert_eq!(again.unwrap(), proven, "it is no longer proven");
        let found = find_applied(&mut conn, &exam).await.unwrap();
        assert_eq!(found, Some(proven));
    }
    let stored = load_exam(&mut conn, &exam.name, None).await.unwrap();
    let stored = stored.unwrap();
    assert_eq!(stored.proof.unwrap()["runtime"], "kubernetes");
    assert!(stored.unproven_reason.unwrap().contains("statements"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_version_never_changes_and_never_loses_its_proof(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let basis = ExamBasis::Proven(TrialProof {
        runtime: RuntimeKind::Engine,
        image_digest: None,
        evidence: json!({}),
    });
    let applied = apply_exam(&mut conn, &exam(), &basis, &ACTOR).await;
    assert!(applied.unwrap().proven_at.is_some());
    let refused = [
        sqlx::query!("UPDATE exams SET proven_at = NULL, proof = NULL")
            .execute(&mut *conn)
            .await,
        sqlx::query!("UPDATE exams SET title = 'Another', proven_at = now()")
            .execute(&mut *conn)
            .await,
        sqlx::query!("UPDATE exams SET unproven_reason = 'none'")
            .execute(&mut *conn)
            .await,
        sqlx::query!("DELETE FROM exams").execute(&mut *conn).await,
    ];
    for refused in refused {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("immutable"), "{error}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn racing_appliers_of_one_definition_make_one_version(pool: PgPool) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                apply_exam(
                    &mut pool.acquire().await.unwrap(),
                    &exam(),
                    &untried(),
                    &ACTOR,
                )
                .await
                .unwrap()
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        let applied = task.await.unwrap();
        assert_eq!(applied.version, 1);
        created += i32::from(applied.created);
    }
    assert_eq!(created, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_faulty_definition_and_a_past_window_write_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut faulty = exam();
    faulty.limits.pids = 0;
    let mut past = exam();
    let ends_at = "2020-01-01T00:00:00Z".parse().unwrap();
    past.clock = execution_environment::ClockPolicy::Window {
        starts_at: None,
        ends_at,
    };
    for (exam, field) in [(faulty, "limits.pids"), (past, "clock.ends_at")] {
        match apply_exam(&mut conn, &exam, &untried(), &ACTOR).await {
            Err(ApplyError::Invalid(faults)) => assert_eq!(faults[0].field, field),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(list_exams(&mut conn).await.unwrap(), []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_environment_lives_from_absent_to_gone(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let spec = session(&mut conn, exam()).await;
    let id = spec.session_id;
    assert_eq!(
        load_environment(&mut conn, id)
            .await
            .unwrap()
            .unwrap()
            .state,
        EnvironmentState::Absent
    );
    assert_eq!(count_not_gone(&mut conn).await.unwrap(), 0);
    assert!(begin(&mut conn, &spec, 0).await);
    assert!(
        record_created(&mut conn, id, 1, &uid("a"))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        record_signal(&mut conn, id, 1, &json!({ "kind": "not_ready" }))
            .await
            .unwrap()
            .is_some()
    );
    let up = record_up(&mut conn, id, 1, &uid("a"), &json!({ "gaps": [] }))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (up.state, up.runtime_name),
        (EnvironmentState::Up, Some(spec.runtime_name()))
    );
    assert_eq!(
        serde_json::from_value::<EnvironmentSpec>(up.spec.unwrap()).unwrap(),
        spec
    );
    assert_eq!(count_not_gone(&mut conn).await.unwrap(), 1);
    assert_eq!(find_not_gone(&mut conn, 10).await.unwrap().len(), 1);
    assert_eq!(
        record_gone(&mut conn, id).await.unwrap(),
        None,
        "gone before destroying"
    );
    let destroying = begin_destroy(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(
        begin_destroy(&mut conn, id).await.unwrap().unwrap(),
        destroying,
        "a second one changes nothing"
    );
    record_snapshot(&mut conn, id, &json!(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        record_snapshot(&mut conn, id, &json!(2))
            .await
            .unwrap()
            .unwrap()
            .snapshot,
        Some(json!(1))
    );
    let gone = record_gone(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(
        record_gone(&mut conn, id).await.unwrap().unwrap(),
        gone,
        "a second one changes nothing"
    );
    assert_eq!(count_not_gone(&mut conn).await.unwrap(), 0);
    assert!(!begin(&mut conn, &spec, 1).await, "what is gone came back");
    assert_eq!(
        load_environments(&mut conn, &[id, ExamSessionId::generate()])
            .await
            .unwrap(),
        [gone]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_racing_attempts_one_begins(pool: PgPool) {
    let spec = session(&mut pool.acquire().await.unwrap(), exam()).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (pool, spec) = (pool.clone(), spec.clone());
            tokio::spawn(async move { begin(&mut pool.acquire().await.unwrap(), &spec, 0).await })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        begun += i32::from(task.await.unwrap());
    }
    assert_eq!(begun, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_older_attempt_and_another_uid_write_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let spec = session(&mut conn, exam()).await;
    let id = spec.session_id;
    assert!(begin(&mut conn, &spec, 0).await);
    assert!(
        record_created(&mut conn, id, 1, &uid("a"))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        record_created(&mut conn, id, 1, &uid("b")).await.unwrap(),
        None
    );
    assert_eq!(
        record_up(&mut conn, id, 1, &uid("b"), &json!({}))
            .await
            .unwrap(),
        None
    );
    assert!(
        begin(
            &mut conn,
            &EnvironmentSpec {
                attempt: 2,
                ..spec.clone()
            },
            1
        )
        .await
    );
    assert_eq!(
        load_environment(&mut conn, id)
            .await
            .unwrap()
            .unwrap()
            .runtime_uid,
        None
    );
    assert_eq!(
        record_created(&mut conn, id, 1, &uid("a")).await.unwrap(),
        None
    );
    assert_eq!(
        record_signal(&mut conn, id, 1, &json!({})).await.unwrap(),
        None
    );
    assert_eq!(
        record_up(&mut conn, id, 1, &uid("a"), &json!({}))
            .await
            .unwrap(),
        None
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_worker_of_the_release_before_confirms_what_was_blocked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let spec = session(&mut conn, exam()).await;
    let id = spec.session_id;
    assert!(begin(&mut conn, &spec, 0).await);
    begin_destroy(&mut conn, id).await.unwrap().unwrap();
    let blocked = Some(CleanupBlock::NodeLost);
    assert!(
        record_cleanup_blocked(&mut conn, id, blocked)
            .await
            .unwrap()
    );
    // Word for word what that release says: it knows no column of what blocks.
    sqlx::query!(
        "UPDATE execution_environments SET state = 'gone', gone_at = now(), version = version + 1
         WHERE session_id = $1 AND state = 'destroying'",
        id.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let gone = load_environment(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(gone.state, EnvironmentState::Gone);
    assert_eq!(
        (gone.cleanup_blocked, gone.cleanup_blocked_at),
        (None, None)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_was_never_created_is_gone_at_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let spec = session(&mut conn, exam()).await;
    let gone = begin_destroy(&mut conn, spec.session_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(gone.state, EnvironmentState::Gone);
    assert!(!begin(&mut conn, &spec, 0).await);
    assert_eq!(
        begin_destroy(&mut conn, ExamSessionId::generate())
            .await
            .unwrap(),
        None
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_orphan_keeps_its_first_sighting_until_it_is_none(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first = sight_orphan(&mut conn, RuntimeKind::Engine, &uid("a"))
        .await
        .unwrap();
    let second = sight_orphan(&mut conn, RuntimeKind::Engine, &uid("a"))
        .await
        .unwrap();
    assert_eq!(first.first_seen, second.first_seen);
    assert!(first.age.is_zero() && second.age > first.age);
    assert_eq!(
        forget_sightings(&mut conn, RuntimeKind::Engine, &[uid("a")])
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        forget_sightings(&mut conn, RuntimeKind::Engine, &[])
            .await
            .unwrap(),
        1
    );
    assert!(
        sight_orphan(&mut conn, RuntimeKind::Engine, &uid("a"))
            .await
            .unwrap()
            .age
            .is_zero()
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_people_did_to_environments_is_listed_newest_first_and_never_altered(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let dana = Actor::Staff(UserId::parse("dana").unwrap());
    let spec = session(&mut conn, exam()).await;
    for (action, actor, reason) in [
        (EnvironmentAction::Create, &dana, Some("INC-7")),
        (EnvironmentAction::Destroy, &Actor::System("cli"), None),
    ] {
        let found = load_environment(&mut conn, spec.session_id).await.unwrap();
        record_environment_action(&mut conn, action, &found.unwrap(), actor, reason)
            .await
            .unwrap();
    }
    let all = SignedActionFilter::default();
    let listed = list_environment_actions(&mut conn, &all, 50).await.unwrap();
    let verbs: Vec<_> = listed.iter().map(|row| (&*row.verb, &*row.actor)).collect();
    let newest_first = [
        ("environment.destroy", "system:cli"),
        ("environment.create", "staff:dana"),
    ];
    assert_eq!(verbs, newest_first);
    assert_eq!(listed[1].reason.as_deref(), Some("INC-7"));
    assert_eq!(listed[1].detail["from"], "absent");
    let older = SignedActionFilter {
        after: Some((listed[0].at, listed[0].id)),
        session_id: Some(spec.session_id),
        ..SignedActionFilter::default()
    };
    let older = list_environment_actions(&mut conn, &older, 50).await;
    assert_eq!(older.unwrap(), listed[1..]);
    for altered in [
        "UPDATE environment_actions SET actor = 'staff:eve'",
        "DELETE FROM environment_actions",
        "TRUNCATE environment_actions",
    ] {
        let refused = sqlx::raw_sql(altered).execute(&mut *conn).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{altered}: {refused}");
    }
    let found = load_environment(&mut conn, spec.session_id).await.unwrap();
    let (action, found) = (EnvironmentAction::Create, found.unwrap());
    let empty = record_environment_action(&mut conn, action, &found, &dana, Some(""));
    assert!(empty.await.is_err(), "a reason says something");
}
