//! One transition: what it writes, and what it refuses.

use std::time::Duration;

use session_identity::{Actor, ExamSessionId, JobId, UserId};
use session_lifecycle::{
    Advance, Ending, EndingKind, ErrorClass, ExamClock, Expected, Provenance, SessionState,
    TransitionError, advance, history, is_allowed, load_session,
};
use sqlx::{Connection, PgPool};

use crate::fixtures::{
    bring, by_test, insert, move_deadlines, new_session, session_in, terminate, towards, with_exam,
};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_transition_stamps_its_moment_and_appends_one_row(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let done = advance(
        &mut conn,
        session.id,
        Expected::Version(4),
        terminate(),
        &by_test(),
    )
    .await
    .unwrap();

    assert_eq!((done.state, done.version), (SessionState::Terminated, 5));
    let rows = history(&mut conn, session.id).await.unwrap();
    let stamps = [
        Some(done.created_at),
        done.initializing_at,
        done.ready_at,
        done.running_at,
        done.ended_at,
    ];
    assert_eq!(
        rows.iter().map(|row| Some(row.at)).collect::<Vec<_>>(),
        stamps
    );
    assert!(stamps.is_sorted());
    let path: Vec<_> = rows
        .iter()
        .map(|row| (row.version, row.from, row.to))
        .collect();
    let [created, initializing, ready, running, terminated, _] = SessionState::ALL;
    assert_eq!(
        path,
        [
            (1, None, created),
            (2, Some(created), initializing),
            (3, Some(initializing), ready),
            (4, Some(ready), running),
            (5, Some(running), terminated),
        ]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_history_names_actor_cause_job_and_trace(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = insert(&mut conn, &new_session("u-1")).await;
    let provenance = Provenance {
        actor: Actor::Staff(UserId::parse("dana").unwrap()),
        cause: "operator".into(),
        job_id: Some(JobId::generate()),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    let done = advance(
        &mut conn,
        session.id,
        Expected::AnyVersion,
        terminate(),
        &provenance,
    )
    .await
    .unwrap();
    assert_eq!(done.ending_actor.as_deref(), Some("staff:dana"));
    assert_eq!(
        done.ending,
        Some(Ending {
            kind: EndingKind::OperatorEnded,
            note: Some("over".to_owned())
        })
    );
    let last = history(&mut conn, session.id).await.unwrap().pop().unwrap();
    assert_eq!(
        (last.actor.as_str(), last.cause.as_str()),
        ("staff:dana", "operator")
    );
    assert_eq!(
        (last.job_id, last.trace),
        (provenance.job_id, provenance.trace)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn advance_agrees_with_the_table_for_every_pair_and_a_refusal_writes_nothing(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    for from in SessionState::ALL {
        for to in SessionState::ALL {
            let Some(step) = towards(to) else { continue };
            let session = session_in(&mut conn, &format!("u-{from}-{to}"), from).await;
            let mut tx = conn.begin().await.unwrap();
            let done = advance(&mut tx, session.id, Expected::AnyVersion, step, &by_test()).await;
            tx.commit().await.unwrap();
            match done {
                Ok(after) => assert!(is_allowed(from, to) && after.state == to),
                Err(TransitionError::Refused {
                    from: was,
                    to: wanted,
                    ..
                }) => {
                    assert!(!is_allowed(from, to) && (was, wanted) == (from, to));
                    assert_eq!(
                        load_session(&mut conn, session.id).await.unwrap(),
                        Some(session)
                    );
                }
                Err(error) => panic!("{from} to {to}: {error}"),
            }
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stale_version_is_a_conflict_and_an_unknown_session_is_not_found(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Initializing).await;
    let stale = advance(
        &mut conn,
        session.id,
        Expected::Version(1),
        Advance::ToReady,
        &by_test(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            stale,
            TransitionError::Conflict {
                expected: 1,
                actual: 2,
                ..
            }
        ),
        "{stale}"
    );
    assert_eq!(
        (stale.class(), stale.code()),
        (ErrorClass::Conflict, "session.version_conflict")
    );

    let unknown = ExamSessionId::generate();
    let missing = advance(
        &mut conn,
        unknown,
        Expected::AnyVersion,
        terminate(),
        &by_test(),
    )
    .await;
    assert!(
        matches!(missing, Err(TransitionError::NotFound { session_id }) if session_id == unknown)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_clock_starts_with_the_first_attach_and_is_capped(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let started = session.running_at.unwrap();
    assert_eq!((session.ends_at.unwrap() - started).num_seconds(), 7200);

    let mut long = new_session("u-2");
    long.clock = ExamClock::FromFirstAttach {
        duration: Duration::from_hours(5),
    };
    let created = insert(&mut conn, &long).await;
    assert_eq!(created.ends_at, None);
    let capped = bring(&mut conn, created, SessionState::Running).await;
    assert_eq!(capped.ends_at, Some(capped.absolute_end));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_window_has_its_end_from_the_start_and_attaching_does_not_move_it(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let reference = insert(&mut conn, &new_session("u-0")).await;
    let window_end = reference.created_at + Duration::from_mins(30);
    let mut window = new_session("u-1");
    window.clock = ExamClock::Window {
        starts_at: None,
        ends_at: window_end,
    };
    let created = insert(&mut conn, &window).await;
    assert_eq!(
        (created.ends_at, created.duration),
        (Some(window_end), None)
    );
    let running = bring(&mut conn, created, SessionState::Running).await;
    assert_eq!(running.ends_at, Some(window_end));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn past_its_startup_budget_a_session_cannot_become_ready(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Initializing).await;
    move_deadlines(&mut conn, session.id, -61.0).await;
    let late = advance(
        &mut conn,
        session.id,
        Expected::AnyVersion,
        Advance::ToReady,
        &by_test(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            late,
            TransitionError::DeadlinePassed {
                to: SessionState::Ready,
                ..
            }
        ),
        "{late}"
    );
    assert_eq!(late.class(), ErrorClass::Refused);
    advance(
        &mut conn,
        session.id,
        Expected::AnyVersion,
        terminate(),
        &by_test(),
    )
    .await
    .expect("a late session can still end");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn once_time_is_over_a_ready_session_cannot_start_running(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Ready).await;
    move_deadlines(&mut conn, session.id, -4.0 * 3600.0).await;
    let late = advance(
        &mut conn,
        session.id,
        Expected::AnyVersion,
        Advance::ToRunning,
        &by_test(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            late,
            TransitionError::DeadlinePassed {
                to: SessionState::Running,
                ..
            }
        ),
        "{late}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_rolled_back_transaction_leaves_neither_state_nor_history(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = insert(&mut conn, &new_session("u-1")).await;
    let mut tx = conn.begin().await.unwrap();
    advance(
        &mut tx,
        session.id,
        Expected::AnyVersion,
        Advance::ToInitializing,
        &by_test(),
    )
    .await
    .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(history(&mut conn, session.id).await.unwrap().len(), 1);
    assert_eq!(
        load_session(&mut conn, session.id).await.unwrap(),
        Some(session)
    );
}
