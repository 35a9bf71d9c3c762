//! What an Idempotency-Key stands for.

use std::time::Duration;

use session_identity::ExamSessionId;
use session_lifecycle::{
    RememberError, Remembered, SessionState, count_old_request_keys, delete_old_request_keys,
    recall_request, remember_request,
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::fixtures::{session_in, with_exam};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_key_stands_for_the_first_request_of_its_principal(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (first, second) = (ExamSessionId::generate(), ExamSessionId::generate());
    assert_eq!(
        recall_request(&mut conn, "enrol", "k", b"a").await.unwrap(),
        None
    );
    let mut remember = async |principal, key, hash: &[u8], session| {
        remember_request(&mut conn, principal, key, hash, session)
            .await
            .unwrap()
    };
    assert_eq!(remember("enrol", "k", b"a", first).await, Remembered::New);
    assert_eq!(
        remember("enrol", "k", b"a", second).await,
        Remembered::Same(first)
    );
    assert_eq!(
        remember("enrol", "k", b"b", second).await,
        Remembered::Different
    );
    assert_eq!(remember("other", "k", b"b", second).await, Remembered::New);
    assert_eq!(remember("enrol", "k2", b"b", second).await, Remembered::New);
    let known = recall_request(&mut conn, "enrol", "k", b"a").await.unwrap();
    assert_eq!(known, Some(Remembered::Same(first)));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_concurrent_claims_one_is_new_and_the_rest_learn_its_session(pool: PgPool) {
    let mut claims = JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        claims.spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let mine = ExamSessionId::generate();
            let answer = remember_request(&mut tx, "enrol", "k", b"a", mine)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            (mine, answer)
        });
    }
    let answers = claims.join_all().await;
    let winners: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| *answer == Remembered::New)
        .collect();
    assert_eq!(winners.len(), 1);
    let same = Remembered::Same(winners[0].0);
    assert!(
        answers
            .iter()
            .all(|(_, answer)| [Remembered::New, same].contains(answer))
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keys_outside_their_length_are_refused_before_the_database_sees_them(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for key in [String::new(), "x".repeat(256)] {
        let length = key.len();
        let id = ExamSessionId::generate();
        let refused = remember_request(&mut conn, "enrol", &key, b"a", id)
            .await
            .unwrap_err();
        assert!(matches!(refused, RememberError::KeyLength { length: told } if told == length));
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keys_go_in_batches_when_their_session_is_long_over_and_never_while_it_lives(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let live = session_in(&mut conn, "u-live", SessionState::Running).await;
    let over = session_in(&mut conn, "u-over", SessionState::Terminated).await;
    for (key, session) in [("live", live.id), ("over-1", over.id), ("over-2", over.id)] {
        remember_request(&mut conn, "enrol", key, b"a", session)
            .await
            .unwrap();
    }
    sqlx::raw_sql("UPDATE idempotency_keys SET created_at = now() - interval '8 days'")
        .execute(&mut *conn)
        .await
        .unwrap();
    // All are old, but the session of two has ended only now.
    let week = Duration::from_hours(7 * 24);
    assert_eq!(count_old_request_keys(&mut conn, week).await.unwrap(), 0);
    assert_eq!(
        delete_old_request_keys(&mut conn, week, 9).await.unwrap(),
        0
    );
    let none = Duration::ZERO;
    assert_eq!(count_old_request_keys(&mut conn, none).await.unwrap(), 2);
    for left in [1, 1, 0] {
        let deleted = delete_old_request_keys(&mut conn, none, 1).await;
        assert_eq!(deleted.unwrap(), left);
    }
    let used = recall_request(&mut conn, "enrol", "live", b"a").await;
    assert_eq!(used.unwrap(), Some(Remembered::Same(live.id)));
}
