//! Whoever changes a recording behind the triggers' back is found out, at the segment.

use std::time::Duration;

use session_identity::ExamSessionId;
use session_recording::{Entry, Recorder, count_old_recordings, delete_old_recordings};
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use crate::support::settings;
use crate::writing::{document, leave_behind, recorded, run, ship};

/// Does something to the tables as their owner could, with the triggers taken away.
pub(crate) async fn tamper(pool: &PgPool, statement: &str) {
    let mut conn = pool.acquire().await.unwrap();
    let unseen =
        format!("BEGIN; SET LOCAL session_replication_role = replica; {statement}; COMMIT");
    conn.execute(AssertSqlSafe(unseen)).await.unwrap();
}

fn broken_at(pool: &PgPool, session: ExamSessionId) -> (Option<i32>, i64, String) {
    let output = run(pool, &["verify", "--session-id", &session.to_string()]);
    let (code, document) = document(&output);
    let broken = &document["data"]["broken"];
    let seq = broken["seq"].as_i64().unwrap_or(-1);
    assert_eq!(document["data"]["is_intact"], seq == -1, "{document}");
    let problem = broken["problem"].as_str().unwrap_or_default();
    (code, seq, problem.to_owned())
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_change_behind_the_triggers_is_found_at_its_segment(pool: PgPool) {
    let changes = [
        (
            "UPDATE recording_segments SET payload = set_byte(payload, 40, get_byte(payload, 40) # 1) WHERE seq = 2",
            2,
            "payload",
        ),
        (
            "UPDATE recording_segments SET raw_hash = sha256('x') WHERE seq = 1",
            1,
            "hash",
        ),
        (
            "UPDATE recording_segments SET started_at = started_at + interval '1 microsecond' WHERE seq = 3",
            3,
            "hash",
        ),
        (
            "UPDATE recording_segments SET from_offset = from_offset - 1 WHERE seq = 1",
            1,
            "hash",
        ),
        ("DELETE FROM recording_segments WHERE seq = 2", 2, "missing"),
        ("DELETE FROM recording_segments WHERE seq >= 4", 4, "missing"),
        (
            "UPDATE recording_segments SET seq = CASE seq WHEN 1 THEN 900 ELSE 901 END WHERE seq IN (1, 2);
             UPDATE recording_segments SET seq = CASE seq WHEN 900 THEN 2 ELSE 1 END WHERE seq >= 900",
            1,
            "hash",
        ),
        (
            "UPDATE session_recordings SET last_hash = sha256('x')",
            -2,
            "another hash",
        ),
    ];
    for (change, seq, word) in changes {
        let session = recorded(&pool, 350_000).await;
        let (code, whole, _) = broken_at(&pool, session);
        assert_eq!((code, whole), (Some(0), -1), "before {change}");
        let only = |statement: &str| {
            statement.replace(" WHERE ", &format!(" WHERE session_id = '{session}' AND "))
        };
        let change = if change.contains(" WHERE ") {
            only(change)
        } else {
            format!("{change} WHERE session_id = '{session}'")
        };
        tamper(&pool, &change).await;
        let (code, found, problem) = broken_at(&pool, session);
        assert_eq!(code, Some(9), "{change}");
        assert!(
            seq == -2 || found == seq,
            "{change}: found at {found}: {problem}"
        );
        assert!(problem.contains(word), "{change}: {problem}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_triggers_refuse_every_change_and_every_clearing(pool: PgPool) {
    recorded(&pool, 1_000).await;
    for change in [
        "UPDATE recording_segments SET payload = ''",
        "DELETE FROM recording_segments",
        "TRUNCATE recording_segments CASCADE",
        "DELETE FROM session_recordings",
        "TRUNCATE session_recordings CASCADE",
        "UPDATE session_recordings SET next_seq = 0",
        "UPDATE session_recordings SET last_hash = sha256('x')",
        "UPDATE session_recordings SET recorded_to = 0",
        "UPDATE session_recordings SET policy = 'fail_open'",
        "UPDATE session_recordings SET records_input = true",
        "UPDATE session_recordings SET started_at = started_at - interval '1 hour'",
        "UPDATE session_recordings SET closed_at = now(), final_hash = sha256('x')",
        "UPDATE session_recordings SET next_seq = next_seq + 1, last_hash = sha256('x')",
        // Put behind the last, before its turn, and with a hash of its own making.
        "INSERT INTO recording_segments
         SELECT (jsonb_populate_record(s, jsonb_build_object('seq', s.seq + 2, 'writer_seq', 900))).*
         FROM recording_segments s ORDER BY s.seq DESC LIMIT 1",
        "INSERT INTO recording_segments
         SELECT (jsonb_populate_record(s, jsonb_build_object('seq', s.seq + 1, 'writer_seq', 900))).*
         FROM recording_segments s ORDER BY s.seq DESC LIMIT 1",
    ] {
        let refused = pool.execute(AssertSqlSafe(change.to_owned())).await;
        let refused = refused.unwrap_err();
        let code = refused.as_database_error().and_then(DatabaseError::code);
        assert_eq!(code.as_deref(), Some("23001"), "{change}: {refused}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_closed_recording_stays_closed_and_is_whole_with_what_came_later(pool: PgPool) {
    let session = recorded(&pool, 1_000).await;
    let close =
        "UPDATE session_recordings SET closed_at = clock_timestamp(), final_hash = last_hash";
    pool.execute(close).await.unwrap();
    let again = pool.execute(close).await.unwrap_err();
    let code = again.as_database_error().and_then(DatabaseError::code);
    assert_eq!(code.as_deref(), Some("23001"), "{again}");
    let spool = tempfile::tempdir().unwrap();
    let late = Entry::Output("late".into());
    leave_behind(
        spool.path(),
        (session, 1, 1_000),
        &[(1_790_000_000_000_000, late)],
    );
    ship(&pool, spool.path()).await;
    let output = run(&pool, &["verify", "--session-id", &session.to_string()]);
    let (code, document) = document(&output);
    assert_eq!(code, Some(0), "{document}");
    assert_eq!(document["data"]["segments_after_close"], 1, "{document}");
    tamper(
        &pool,
        "UPDATE session_recordings SET final_hash = sha256('x')",
    )
    .await;
    let (code, _, problem) = broken_at(&pool, session);
    assert_eq!(code, Some(9));
    assert!(problem.contains("closed with a hash"), "{problem}");
}

/// When a recording was closed, and with which hash.
async fn closed_with(pool: &PgPool, session: ExamSessionId) -> String {
    let closed = sqlx::query_scalar!(
        r#"SELECT (closed_at, final_hash)::text AS "closed!" FROM session_recordings WHERE session_id = $1"#,
        session.as_uuid(),
    );
    closed.fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_the_release_before_ships_late_is_taken_and_closes_nothing_anew(pool: PgPool) {
    let session = recorded(&pool, 1_000).await;
    pool.execute("UPDATE session_recordings SET closed_at = now(), final_hash = last_hash")
        .await
        .unwrap();
    let before = closed_with(&pool, session).await;
    // As that release moves the head, after its segment.
    let late =
        "UPDATE session_recordings SET raw_bytes = raw_bytes + 9, stored_bytes = stored_bytes + 9,
             closed_at = clock_timestamp(), final_hash = sha256('x')";
    pool.execute(late).await.unwrap();
    assert_eq!(closed_with(&pool, session).await, before);
    let (code, whole, _) = broken_at(&pool, session);
    assert_eq!((code, whole), (Some(0), -1));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn without_the_trigger_that_chains_nothing_is_shipped(pool: PgPool) {
    let session = recorded(&pool, 1_000).await;
    pool.execute("DROP TRIGGER recording_segments_chain ON recording_segments")
        .await
        .unwrap();
    let spool = tempfile::tempdir().unwrap();
    let late = Entry::Output("late".into());
    leave_behind(
        spool.path(),
        (session, 1, 1_000),
        &[(1_790_000_000_000_000, late)],
    );
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let drained = recorder.drain(Duration::from_secs(1)).await;
    assert!(drained.spooled_bytes > 0, "it stays in the spool");
    let (code, whole, _) = broken_at(&pool, session);
    assert_eq!((code, whole), (Some(0), -1));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_recordings_closed_long_ago_go_and_go_whole(pool: PgPool) {
    let (old, running) = (recorded(&pool, 1_000).await, recorded(&pool, 1_000).await);
    let (recent, kept) = (recorded(&pool, 1_000).await, Duration::from_hours(24 * 400));
    for (session, days) in [(old, 401), (recent, 399)] {
        tamper(
            &pool,
            &format!(
                "UPDATE exam_sessions SET state = 'terminated', ending_kind = 'completed', version = 2,
                     ended_at = now() - interval '{days} days' WHERE id = '{session}';
                 UPDATE session_recordings SET closed_at = now() - interval '{days} days', final_hash = last_hash
                 WHERE session_id = '{session}'"
            ),
        )
        .await;
    }
    // Whoever marks a running session's recording as closed does not make it go.
    let closed = format!(
        "UPDATE session_recordings SET closed_at = now() - interval '500 days', final_hash = last_hash
         WHERE session_id = '{running}'"
    );
    tamper(&pool, &closed).await;
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(count_old_recordings(&mut conn, kept).await.unwrap(), 1);
    let none = Duration::ZERO;
    assert_eq!(count_old_recordings(&mut conn, none).await.unwrap(), 2);
    assert_eq!(delete_old_recordings(&mut conn, kept, 9).await.unwrap(), 1);
    assert_eq!(delete_old_recordings(&mut conn, kept, 9).await.unwrap(), 0);
    let gone = run(&pool, &["verify", "--session-id", &old.to_string()]);
    assert_eq!(gone.status.code(), Some(3), "{gone:?}");
    for session in [recent, running] {
        let (code, whole, _) = broken_at(&pool, session);
        assert_eq!((code, whole), (Some(0), -1));
    }
}
