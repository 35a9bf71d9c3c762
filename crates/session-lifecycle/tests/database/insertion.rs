//! How sessions begin.

use std::time::Duration;

use session_lifecycle::{
    ErrorClass, ExamClock, Expected, InsertError, Inserted, SessionState, advance, history,
    insert_session,
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::fixtures::{by_test, insert, new_session, session_in, terminate, with_exam};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_new_session_is_created_with_its_deadlines_and_its_first_history_row(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let new = new_session("u-1");
    let session = insert(&mut conn, &new).await;
    assert_eq!(
        (session.id, session.state, session.version),
        (new.id, SessionState::Created, 1)
    );
    assert_eq!((session.ready_by - session.created_at).num_seconds(), 60);
    assert_eq!(
        (session.absolute_end - session.created_at).num_seconds(),
        4 * 3600
    );
    assert_eq!(session.duration, Some(Duration::from_hours(2)));
    let rows = history(&mut conn, session.id).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].from, rows[0].to), (None, SessionState::Created));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_many_requests_for_one_candidate_and_exam_one_inserts(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        requests.spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let done = insert_session(&mut tx, &new_session("u-1"), &by_test())
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
            tx.commit().await.unwrap();
            done
        });
    }
    let mut fresh = 0;
    let mut ids = std::collections::HashSet::new();
    for answer in requests.join_all().await {
        let (Inserted::New(session) | Inserted::LiveExists(session)) = &answer;
        ids.insert(session.id);
        fresh += usize::from(matches!(answer, Inserted::New(_)));
    }
    assert_eq!((fresh, ids.len()), (1, 1));
    let id = ids.into_iter().next().unwrap();
    assert_eq!(history(&mut conn, id).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn once_the_live_session_has_ended_another_may_begin(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let first = session_in(&mut conn, "u-1", SessionState::Running).await;
    let second = insert_session(&mut conn, &new_session("u-1"), &by_test())
        .await
        .unwrap();
    assert_eq!(second, Inserted::LiveExists(first.clone()));
    advance(
        &mut conn,
        first.id,
        Expected::AnyVersion,
        terminate(),
        &by_test(),
    )
    .await
    .unwrap();
    let third = insert(&mut conn, &new_session("u-1")).await;
    assert_ne!(third.id, first.id);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_unknown_exam_a_closed_window_and_a_taken_id_are_named(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut unknown = new_session("u-1");
    unknown.exam_version = 7;
    let error = insert_session(&mut conn, &unknown, &by_test())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            InsertError::UnknownExam {
                exam_version: 7,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::NotFound, "exam.unknown")
    );

    let session = insert(&mut conn, &new_session("u-2")).await;
    let mut closed = new_session("u-3");
    closed.clock = ExamClock::Window {
        starts_at: None,
        ends_at: session.created_at,
    };
    let error = insert_session(&mut conn, &closed, &by_test())
        .await
        .unwrap_err();
    assert!(matches!(error, InsertError::WindowClosed { .. }), "{error}");

    let opens = session.absolute_end;
    let ends_at = opens + Duration::from_mins(1);
    closed.clock = ExamClock::Window {
        starts_at: Some(opens),
        ends_at,
    };
    let error = insert_session(&mut conn, &closed, &by_test())
        .await
        .unwrap_err();
    assert!(
        matches!(error, InsertError::WindowNotOpen { starts_at } if starts_at == opens),
        "{error}"
    );

    let mut again = new_session("u-4");
    again.id = session.id;
    let error = insert_session(&mut conn, &again, &by_test())
        .await
        .unwrap_err();
    assert!(
        matches!(error, InsertError::IdTaken(id) if id == session.id),
        "{error}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_window_that_outlasts_the_cap_is_cut_to_it(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut new = new_session("u-1");
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    new.clock = ExamClock::Window {
        starts_at: None,
        ends_at: now + Duration::from_hours(24),
    };
    let session = insert(&mut conn, &new).await;
    assert_eq!(session.ends_at, Some(session.absolute_end));
}
