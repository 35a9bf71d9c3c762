//! More time: audited, capped, once per key, and in a race with expiry.

use std::time::{Duration, Instant};

use session_identity::{Actor, ExamSessionId, UserId};
use session_lifecycle::{
    ErrorClass, Expected, ExtendError, Extension, SessionRecord, SessionState, advance, extend,
    extensions, find_due, load_session,
};
use sqlx::{Connection, PgPool};

use crate::fixtures::{by_test, move_deadlines, session_in, terminate, with_exam};

pub(crate) fn minutes(session_id: ExamSessionId, minutes: u64, key: &str) -> Extension {
    Extension {
        session_id,
        by: Duration::from_secs(minutes * 60),
        actor: Actor::Staff(UserId::parse("dana").unwrap()),
        reason: "INC-7".to_owned(),
        idempotency_key: key.to_owned(),
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_moves_the_end_and_says_by_whom_and_why(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let before = session_in(&mut conn, "u-1", SessionState::Running).await;
    let done = extend(&mut conn, &minutes(before.id, 10, "k-1"))
        .await
        .unwrap();
    assert!(!done.already);
    assert_eq!(done.session.version, before.version + 1);
    assert_eq!(
        (done.session.ends_at.unwrap() - before.ends_at.unwrap()).num_minutes(),
        10
    );
    let rows = extensions(&mut conn, before.id).await.unwrap();
    assert_eq!(rows, [done.extension]);
    assert_eq!(
        (rows[0].actor.as_str(), rows[0].reason.as_str()),
        ("staff:dana", "INC-7")
    );
    assert_eq!(
        (rows[0].previous_end, rows[0].new_end),
        (before.ends_at.unwrap(), done.session.ends_at.unwrap())
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_same_key_moves_the_end_once_even_after_the_session_ended(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let first = extend(&mut conn, &minutes(session.id, 10, "k-1"))
        .await
        .unwrap();
    let again = extend(&mut conn, &minutes(session.id, 10, "k-1"))
        .await
        .unwrap();
    assert!(again.already);
    assert_eq!(
        (again.session, again.extension),
        (first.session, first.extension.clone())
    );

    let other = extend(&mut conn, &minutes(session.id, 11, "k-1"))
        .await
        .unwrap_err();
    assert!(matches!(other, ExtendError::KeyReused { .. }), "{other}");
    assert_eq!(other.class(), ErrorClass::Conflict);

    advance(
        &mut conn,
        session.id,
        Expected::AnyVersion,
        terminate(),
        &by_test(),
    )
    .await
    .unwrap();
    let late = extend(&mut conn, &minutes(session.id, 10, "k-1"))
        .await
        .unwrap();
    assert!(late.already);
    assert_eq!(late.extension, first.extension);
    assert_eq!(extensions(&mut conn, session.id).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_extension_passes_the_cap_and_reaching_it_is_allowed(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let beyond = extend(&mut conn, &minutes(session.id, 121, "k-1"))
        .await
        .unwrap_err();
    assert!(
        matches!(beyond, ExtendError::BeyondCap { cap, .. } if cap == session.absolute_end),
        "{beyond}"
    );
    extend(&mut conn, &minutes(session.id, 119, "k-2"))
        .await
        .unwrap();
    let beyond = extend(&mut conn, &minutes(session.id, 2, "k-3"))
        .await
        .unwrap_err();
    assert!(matches!(beyond, ExtendError::BeyondCap { .. }), "{beyond}");
    assert_eq!(extensions(&mut conn, session.id).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn before_the_clock_starts_and_after_the_end_there_is_nothing_to_extend(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    for state in SessionState::ALL
        .into_iter()
        .filter(|state| *state != SessionState::Running)
    {
        let session = session_in(&mut conn, &format!("u-{state}"), state).await;
        let refused = extend(&mut conn, &minutes(session.id, 1, "k"))
            .await
            .unwrap_err();
        let told = match &refused {
            ExtendError::Ended { state: told, .. } => state.is_terminal() && *told == state,
            ExtendError::NoDeadlineYet { .. } => !state.is_terminal(),
            _ => false,
        };
        assert!(told, "{state}: {refused}");
    }
    let unknown = extend(&mut conn, &minutes(ExamSessionId::generate(), 1, "k"))
        .await
        .unwrap_err();
    assert!(matches!(unknown, ExtendError::NotFound { .. }), "{unknown}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn bad_fields_are_named_and_nothing_is_written(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let good = minutes(session.id, 1, "k");
    let bad = [
        (
            "by_seconds",
            Extension {
                by: Duration::ZERO,
                ..good.clone()
            },
        ),
        (
            "by_seconds",
            Extension {
                by: Duration::from_millis(1500),
                ..good.clone()
            },
        ),
        (
            "by_seconds",
            Extension {
                by: Duration::from_secs(1 << 31),
                ..good.clone()
            },
        ),
        (
            "reason",
            Extension {
                reason: " \n".to_owned(),
                ..good.clone()
            },
        ),
        (
            "reason",
            Extension {
                reason: "x".repeat(501),
                ..good.clone()
            },
        ),
        (
            "reason",
            Extension {
                reason: "a\0b".to_owned(),
                ..good.clone()
            },
        ),
        (
            "idempotency_key",
            Extension {
                idempotency_key: String::new(),
                ..good.clone()
            },
        ),
        (
            "idempotency_key",
            Extension {
                idempotency_key: "x".repeat(256),
                ..good
            },
        ),
    ];
    for (wanted, extension) in bad {
        match extend(&mut conn, &extension).await {
            Err(ExtendError::Invalid { field, .. }) => assert_eq!(field, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    assert_eq!(extensions(&mut conn, session.id).await.unwrap(), []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_that_leaves_the_end_in_the_past_is_refused(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    move_deadlines(&mut conn, session.id, -3.0 * 3600.0).await;
    let refused = extend(&mut conn, &minutes(session.id, 30, "k"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ExtendError::StillPast { .. }),
        "{refused}"
    );
    extend(&mut conn, &minutes(session.id, 90, "k"))
        .await
        .expect("not swept yet: it can be saved");
}

/// Expires every due session, as the sweep does.
async fn expire(pool: &PgPool) -> usize {
    let mut tx = pool.begin().await.unwrap();
    let due = find_due(&mut tx, 10).await.unwrap();
    for id in &due {
        advance(&mut tx, *id, Expected::AnyVersion, terminate(), &by_test())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    due.len()
}

async fn overdue(conn: &mut sqlx::PgConnection, user: &str) -> SessionRecord {
    let session = session_in(conn, user, SessionState::Running).await;
    move_deadlines(conn, session.id, -7201.0).await;
    load_session(conn, session.id).await.unwrap().unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_that_commits_first_saves_the_session(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = overdue(&mut conn, "u-1").await;
    let mut tx = conn.begin().await.unwrap();
    extend(&mut tx, &minutes(session.id, 10, "k"))
        .await
        .unwrap();
    assert_eq!(
        expire(&pool).await,
        0,
        "the row is locked by the extension: the sweep passes it"
    );
    tx.commit().await.unwrap();
    assert_eq!(expire(&pool).await, 0, "and it is not due any more");
    let now = load_session(&mut conn, session.id).await.unwrap().unwrap();
    assert_eq!(now.state, SessionState::Running);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_that_waited_for_expiry_is_told_so(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = overdue(&mut conn, "u-1").await;
    let mut sweep = pool.begin().await.unwrap();
    let due = find_due(&mut sweep, 10).await.unwrap();
    assert_eq!(due, [session.id]);
    advance(
        &mut sweep,
        session.id,
        Expected::AnyVersion,
        terminate(),
        &by_test(),
    )
    .await
    .unwrap();

    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut tx = pool.begin().await.unwrap();
            let done = extend(&mut tx, &minutes(session.id, 10, "k")).await;
            tx.commit().await.unwrap();
            done
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "the extension waits for the row");
    sweep.commit().await.unwrap();
    let refused = waiting.await.unwrap().unwrap_err();
    assert!(
        matches!(
            refused,
            ExtendError::Ended {
                state: SessionState::Terminated,
                ..
            }
        ),
        "{refused}"
    );
}

/// Both at once, many times over: the end is always one of the two whole stories.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn however_the_race_goes_one_story_is_true(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let (begun, mut told) = (Instant::now(), [0; 2]);
    for round in 0..races() {
        let session = overdue(&mut conn, &format!("u-{round}")).await;
        let extension = minutes(session.id, 10, "k");
        let extending = async {
            let mut tx = pool.begin().await.unwrap();
            let done = extend(&mut tx, &extension).await;
            tx.commit().await.unwrap();
            done
        };
        let (extended, expired) = tokio::join!(extending, expire(&pool));
        let now = load_session(&mut conn, session.id).await.unwrap().unwrap();
        let granted = extensions(&mut conn, session.id).await.unwrap().len();
        match extended {
            Ok(_) => {
                assert_eq!((now.state, expired, granted), (SessionState::Running, 0, 1));
                told[0] += 1;
            }
            Err(ExtendError::Ended { .. }) => {
                told[1] += 1;
                assert_eq!(
                    (now.state, expired, granted),
                    (SessionState::Terminated, 1, 0)
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
    say(told, begun.elapsed());
}

/// A dozen, or as many as the queue's races have where `cargo xtask test --intensity full` asks for it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line; the runner passes variables"
)]
fn races() -> usize {
    let full = std::env::var("CARREL_TEST_INTENSITY").is_ok_and(|it| it == "full");
    if full { 10_000 } else { 12 }
}

#[expect(clippy::print_stderr, reason = "the figures that a README publishes")]
fn say([extended, expired]: [usize; 2], took: Duration) {
    let seconds = took.as_secs_f64();
    eprintln!("{extended} extended, {expired} expired, in {seconds:.0} s");
}
