//! What the sweeps find.

use std::time::Duration;

use session_lifecycle::{ExamClock, SessionState, find_due, find_past_startup, load_session};
use sqlx::{Connection, PgPool};

use crate::fixtures::{insert, move_deadlines, new_session, session_in, with_exam};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn due_is_live_and_past_its_end_or_its_cap_most_overdue_first(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut expected = Vec::new();
    for (user, state, seconds, due) in [
        ("on-time", SessionState::Running, -7100.0, false),
        ("over", SessionState::Running, -7201.0, true),
        ("long-over", SessionState::Running, -9000.0, true),
        ("never-attached", SessionState::Ready, -14401.0, true),
        ("waiting", SessionState::Ready, -14000.0, false),
    ] {
        let session = session_in(&mut conn, user, state).await;
        move_deadlines(&mut conn, session.id, seconds).await;
        if due {
            expected.push(load_session(&mut conn, session.id).await.unwrap().unwrap());
        }
    }
    for state in SessionState::TERMINAL {
        session_in(&mut conn, &format!("final-{state}"), state).await;
    }
    expected.sort_by_key(|session| session.ends_at.unwrap_or(session.absolute_end));
    let wanted: Vec<_> = expected.iter().map(|session| session.id).collect();
    assert_eq!(find_due(&mut conn, 10).await.unwrap(), wanted);
    assert_eq!(find_due(&mut conn, 1).await.unwrap(), wanted[..1]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_window_is_due_in_every_live_state(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    for state in SessionState::LIVE {
        let mut new = new_session(&format!("u-{state}"));
        let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        new.clock = ExamClock::Window {
            starts_at: None,
            ends_at: now + Duration::from_mins(10),
        };
        let session = insert(&mut conn, &new).await;
        let session = crate::fixtures::bring(&mut conn, session, state).await;
        move_deadlines(&mut conn, session.id, -601.0).await;
    }
    assert_eq!(
        find_due(&mut conn, 10).await.unwrap().len(),
        SessionState::LIVE.len()
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn past_startup_are_only_sessions_that_are_not_ready_yet(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut late = Vec::new();
    for state in SessionState::LIVE {
        session_in(&mut conn, &format!("early-{state}"), state).await;
        let session = session_in(&mut conn, &format!("late-{state}"), state).await;
        move_deadlines(&mut conn, session.id, -60.5).await;
        late.push(session.id);
    }
    assert_eq!(find_past_startup(&mut conn, 10).await.unwrap(), late[..2]);
    assert_eq!(find_past_startup(&mut conn, 1).await.unwrap(), late[..1]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_sweeps_at_once_share_the_due_sessions(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    for user in ["u-1", "u-2", "u-3"] {
        let session = session_in(&mut conn, user, SessionState::Running).await;
        move_deadlines(&mut conn, session.id, -7201.0).await;
    }
    let mut other = pool.acquire().await.unwrap();
    let mut first = conn.begin().await.unwrap();
    let mut second = other.begin().await.unwrap();
    let mine = find_due(&mut first, 2).await.unwrap();
    let theirs = find_due(&mut second, 10).await.unwrap();
    assert_eq!((mine.len(), theirs.len()), (2, 1));
    assert!(!mine.contains(&theirs[0]));
}
