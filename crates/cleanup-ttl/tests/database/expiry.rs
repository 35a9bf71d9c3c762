//! What is due ends, and which sessions a sweep of the runtime has to know.

use cleanup_ttl::{
    ExpiryPolicy, any_session, expire_due, find_unconfirmed_teardowns, load_known_sessions,
    preview_due,
};
use execution_environment::EnvironmentState;
use session_identity::ExamSessionId;
use session_lifecycle::{EndingKind, SessionState, history, load_session};
use sqlx::{Connection as _, PgPool};

use crate::fixtures::{apply_exam, by_sweep, seed};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_due_ends_and_says_how_and_what_is_not_stays(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let over = seed(&mut conn, "u-1", SessionState::Running, -1.0).await;
    let unused = seed(&mut conn, "u-2", SessionState::Ready, -2.0).await;
    let going_on = seed(&mut conn, "u-3", SessionState::Running, 60.0).await;

    let mut tx = conn.begin().await.unwrap();
    let expired = expire_due(&mut tx, &ExpiryPolicy::default(), &by_sweep())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let told: Vec<_> = expired
        .iter()
        .map(|done| (done.session.id, done.ending))
        .collect();
    assert_eq!(
        told,
        [
            (unused, EndingKind::NoShow),
            (over, EndingKind::TimeExpired)
        ]
    );
    for id in [over, unused] {
        let session = load_session(&mut conn, id).await.unwrap().unwrap();
        assert_eq!(session.state, SessionState::Terminated);
        assert_eq!(session.ending_actor.as_deref(), Some("system:sweep"));
        let last = history(&mut conn, id).await.unwrap().pop().unwrap();
        assert_eq!(last.cause, "sweep:expired");
    }
    let session = load_session(&mut conn, going_on).await.unwrap().unwrap();
    assert_eq!(session.state, SessionState::Running);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_preview_ends_nothing_and_a_batch_is_bounded(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    for user in ["u-1", "u-2", "u-3"] {
        seed(&mut conn, user, SessionState::Running, -1.0).await;
    }
    let policy = ExpiryPolicy {
        batch: 2,
        ..ExpiryPolicy::default()
    };
    assert_eq!(preview_due(&mut conn, &policy).await.unwrap().len(), 2);
    for left in [2, 1, 0] {
        let mut tx = conn.begin().await.unwrap();
        let expired = expire_due(&mut tx, &policy, &by_sweep()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(expired.len(), left);
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_sweeps_at_once_end_each_session_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    for user in 0..10 {
        seed(&mut conn, &format!("u-{user}"), SessionState::Running, -1.0).await;
    }
    let sweep = async || {
        let mut tx = pool.begin().await.unwrap();
        let expired = expire_due(&mut tx, &ExpiryPolicy::default(), &by_sweep())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        expired.len()
    };
    let (left, right) = tokio::join!(sweep(), sweep());
    assert_eq!(left + right, 10);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn known_are_the_listed_sessions_and_those_that_should_be_listed(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert!(!any_session(&mut conn).await.unwrap());
    apply_exam(&mut conn).await;
    let listed = seed(&mut conn, "u-1", SessionState::Created, 60.0).await;
    let up = seed(&mut conn, "u-2", SessionState::Running, 60.0).await;
    seed(&mut conn, "u-3", SessionState::Created, 60.0).await;
    sqlx::query!(
        "UPDATE execution_environments
         SET state = 'creating', attempt = 1, version = 2, runtime_uid = 'uid-2' WHERE session_id = $1",
        up.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    assert!(any_session(&mut conn).await.unwrap());
    let stranger = ExamSessionId::generate();
    let mut known = load_known_sessions(&mut conn, &[listed, stranger])
        .await
        .unwrap();
    known.sort_by_key(|row| row.session_id);
    let ids: Vec<_> = known.iter().map(|row| row.session_id).collect();
    assert_eq!(ids, [listed, up]);
    assert_eq!(known[1].environment_state, EnvironmentState::Creating);
    assert_eq!(
        known[1]
            .runtime_uid
            .as_ref()
            .map(execution_environment::RuntimeUid::as_str),
        Some("uid-2")
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_teardown_nobody_confirmed_is_found_among_any_number_of_live_sessions(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let mut sessions = Vec::new();
    for user in ["u-1", "u-2", "u-3"] {
        sessions.push(seed(&mut conn, user, SessionState::Running, 3_600.0).await);
    }
    // The youngest of three environments that are there, with room for one in an answer.
    sqlx::query!("UPDATE execution_environments SET state = 'creating', version = version + 1, attempt = 1, creating_at = now()")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(find_unconfirmed_teardowns(&mut conn, 1).await.unwrap(), []);
    let youngest = sessions[2];
    sqlx::query!("UPDATE exam_sessions SET state = 'terminated', version = version + 1, ended_at = now(), ending_kind = 'time_expired' WHERE id = $1", youngest.as_uuid())
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        find_unconfirmed_teardowns(&mut conn, 1).await.unwrap(),
        [youngest]
    );
}
