//! Writers that meet on one row.

use session_lifecycle::{
    Advance, ErrorClass, Expected, SessionState, TransitionError, advance, history, load_session,
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::fixtures::{by_test, fail, session_in, terminate, with_exam};

/// Eight writers decide upon the same version: one wins, seven are told who they lost to.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_many_writers_on_one_version_exactly_one_wins(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Initializing).await;
    let mut writers = JoinSet::new();
    for turn in 0..8 {
        let pool = pool.clone();
        let step = [Advance::ToReady, terminate(), fail()][turn % 3].clone();
        writers.spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let expected = Expected::Version(session.version);
            let done = advance(&mut tx, session.id, expected, step, &by_test()).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            tx.commit().await.unwrap();
            done
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) = writers
        .join_all()
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for error in lost.into_iter().filter_map(Result::err) {
        assert!(
            matches!(
                error,
                TransitionError::Conflict {
                    expected: 2,
                    actual: 3,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.class(), ErrorClass::Conflict);
    }
    let now = load_session(&mut conn, session.id).await.unwrap().unwrap();
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(now, winner);
    assert_eq!(history(&mut conn, session.id).await.unwrap().len(), 3);
}

/// Whoever comes second to the same transition is refused, and learns the state it is in.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_writers_of_any_version_make_one_transition(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let end = |step| {
        let pool = pool.clone();
        async move {
            let mut tx = pool.begin().await.unwrap();
            let done = advance(&mut tx, session.id, Expected::AnyVersion, step, &by_test()).await;
            tx.commit().await.unwrap();
            done
        }
    };
    let (left, right) = tokio::join!(end(terminate()), end(fail()));
    let (won, lost) = if left.is_ok() {
        (left, right)
    } else {
        (right, left)
    };
    let state = won.unwrap().state;
    assert!(
        matches!(lost, Err(TransitionError::Refused { from, .. }) if from == state),
        "{lost:?}"
    );
}

/// Without a transaction there is no lock: the compare-and-set alone still lets one win.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn without_a_transaction_one_still_wins(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Created).await;
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        writers.spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            let step = Advance::ToInitializing;
            advance(
                &mut conn,
                session.id,
                Expected::AnyVersion,
                step,
                &by_test(),
            )
            .await
        });
    }
    let done = writers.join_all().await;
    assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
    for error in done.into_iter().filter_map(Result::err) {
        let told = matches!(
            error,
            TransitionError::Refused { .. } | TransitionError::Conflict { .. }
        );
        assert!(told, "{error}");
    }
    assert_eq!(history(&mut conn, session.id).await.unwrap().len(), 2);
}
