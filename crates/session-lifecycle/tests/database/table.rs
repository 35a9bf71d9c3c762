//! The table in code and the trigger in the database are one table.

use session_lifecycle::{EndingKind, SessionState, extend, is_allowed};
use sqlx::{Connection, PgPool};

use crate::extension::minutes;
use crate::fixtures::{session_in, with_exam};

/// Tries every pair by a raw UPDATE that satisfies every other constraint of the row.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_trigger_allows_exactly_what_the_table_allows(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut tried = 0;
    for from in SessionState::ALL {
        for to in SessionState::ALL.into_iter().filter(|to| *to != from) {
            let session = session_in(&mut conn, &format!("u-{from}-{to}"), from).await;
            let done = sqlx::query!(
                "UPDATE exam_sessions
                 SET state = $2, version = version + 1,
                     ended_at = CASE WHEN $2 IN ('terminated', 'failed') THEN now() END,
                     ending_kind = CASE WHEN $2 = 'terminated' THEN 'completed' END,
                     failure_code = CASE WHEN $2 = 'failed' THEN 'infra.test' END
                 WHERE id = $1",
                session.id.as_uuid(),
                to.as_str()
            )
            .execute(&mut *conn)
            .await;
            assert_eq!(
                done.is_ok(),
                is_allowed(from, to),
                "{from} to {to}: {done:?}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 30);
}

/// The six pairs of a state with itself are no transitions: a live row may change (a deadline
/// moves) without one, a final row may not change at all.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_row_may_change_within_a_live_state_and_never_within_a_final_one(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    for state in SessionState::ALL {
        let session = session_in(&mut conn, &format!("u-{state}"), state).await;
        let done = sqlx::query!(
            "UPDATE exam_sessions SET version = version + 1 WHERE id = $1",
            session.id.as_uuid()
        )
        .execute(&mut *conn)
        .await;
        assert_eq!(done.is_ok(), !state.is_terminal(), "{state}: {done:?}");
        assert!(!is_allowed(state, state));
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_database_function_answers_all_36_pairs_like_the_code(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for from in SessionState::ALL {
        for to in SessionState::ALL {
            let allowed = sqlx::query_scalar!(
                r#"SELECT session_transition_allowed($1, $2) AS "allowed!""#,
                from.as_str(),
                to.as_str()
            )
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            assert_eq!(allowed, is_allowed(from, to), "{from} to {to}");
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_checks_list_the_words_of_the_code(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for (constraint, words) in [
        (
            "exam_sessions_state",
            SessionState::ALL.map(SessionState::as_str).to_vec(),
        ),
        (
            "exam_sessions_ending_kind",
            EndingKind::ALL.map(EndingKind::as_str).to_vec(),
        ),
    ] {
        let check = sqlx::query_scalar!(
            r#"SELECT pg_get_constraintdef(oid) AS "text!" FROM pg_constraint WHERE conname = $1"#,
            constraint
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        let listed: Vec<&str> = check
            .split('\'')
            .skip(1)
            .step_by(2)
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(listed, words, "{check}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn raw_sql_cannot_rewrite_what_happened(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    let extension = minutes(session.id, 10, "k-1");
    extend(&mut conn, &extension).await.unwrap();
    let id = session.id.as_uuid();
    let mut tries = Vec::new();
    macro_rules! attempt {
        ($statement:literal) => {
            let mut tx = conn.begin().await.unwrap();
            tries.push((
                $statement,
                sqlx::query!($statement, id).execute(&mut *tx).await,
            ));
            tx.rollback().await.unwrap();
        };
    }
    attempt!("DELETE FROM exam_sessions WHERE id = $1");
    attempt!("DELETE FROM session_transitions WHERE session_id = $1");
    attempt!("UPDATE session_transitions SET actor = 'nobody' WHERE session_id = $1");
    attempt!("UPDATE exam_sessions SET user_id = 'u-2', version = version + 1 WHERE id = $1");
    attempt!(
        "UPDATE exam_sessions SET id = gen_random_uuid(), version = version + 1 WHERE id = $1"
    );
    attempt!("UPDATE exam_sessions SET created_at = now(), version = version + 1 WHERE id = $1");
    attempt!("UPDATE exam_sessions SET environment_id = id, version = version + 1 WHERE id = $1");
    attempt!("UPDATE exam_sessions SET ends_at = now() WHERE id = $1");
    attempt!("UPDATE exam_sessions SET version = version + 2 WHERE id = $1");
    attempt!(
        "UPDATE exam_sessions SET ends_at = absolute_end + interval '1 s', version = version + 1 WHERE id = $1"
    );
    attempt!("UPDATE session_extensions SET reason = 'none' WHERE session_id = $1");
    attempt!("DELETE FROM session_extensions WHERE session_id = $1");
    for (statement, done) in tries {
        assert!(done.is_err(), "{statement}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn history_cannot_be_truncated(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let done = [
        sqlx::query!("TRUNCATE session_transitions")
            .execute(&mut *conn)
            .await,
        sqlx::query!("TRUNCATE session_extensions")
            .execute(&mut *conn)
            .await,
        sqlx::query!("TRUNCATE exam_sessions CASCADE")
            .execute(&mut *conn)
            .await,
    ];
    assert!(done.iter().all(Result::is_err), "{done:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn raw_sql_cannot_add_what_never_happened(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let session = session_in(&mut conn, "u-1", SessionState::Running).await;
    extend(&mut conn, &minutes(session.id, 10, "k-1"))
        .await
        .unwrap();
    let id = session.id.as_uuid();
    // Where the extension took a version, before the first one, and after the last.
    for (version, from, to) in [
        (session.version + 1, Some("running"), "terminated"),
        (session.version + 1, Some("running"), "running"),
        (0, None, "created"),
        (session.version + 90, Some("running"), "failed"),
    ] {
        let mut forged = conn.begin().await.unwrap();
        sqlx::query!(
            "INSERT INTO session_transitions (session_id, version, from_state, to_state, cause, actor)
             VALUES ($1, $2, $3, $4, 'forged', 'staff:eve')",
            id,
            version,
            from,
            to,
        )
        .execute(&mut *forged)
        .await
        .unwrap();
        let refused = forged.commit().await;
        assert!(refused.is_err(), "{version}: {from:?} to {to}");
    }
    // A version that was neither a transition nor an extension is free for the taking.
    let free = session.version + 2;
    sqlx::query!(
        "UPDATE exam_sessions SET version = $2 WHERE id = $1",
        id,
        free
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    for version in [
        session.version,
        session.version + 1,
        free,
        session.version + 90,
    ] {
        // Beside the extension before it, wrong in its arithmetic, and far beyond the session's end.
        for (by_seconds, begins, ends) in [(600, -600, 0), (77, 0, 0), (600, 0, 32_400)] {
            let mut forged = conn.begin().await.unwrap();
            sqlx::query!(
                "INSERT INTO session_extensions (session_id, version, by_seconds, previous_end, new_end,
                                                 actor, reason, idempotency_key)
                 SELECT id, $2, $3, ends_at + make_interval(secs => $4::integer),
                        ends_at + make_interval(secs => $5::integer), 'staff:eve', 'r', 'forged'
                 FROM exam_sessions WHERE id = $1",
                id,
                version,
                by_seconds,
                begins,
                ends,
            )
            .execute(&mut *forged)
            .await
            .unwrap();
            assert!(
                forged.commit().await.is_err(),
                "{version}: {begins} to {ends} by {by_seconds}"
            );
        }
    }
}
