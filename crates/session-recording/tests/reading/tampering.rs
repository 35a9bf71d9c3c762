//! Whoever changes a recording behind the triggers' back is found out, at the segment.

use session_identity::ExamSessionId;
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use crate::writing::{document, recorded, run};

/// Does something to the tables as their owner could, with the triggers taken away.
async fn tamper(pool: &PgPool, statement: &str) {
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
    ] {
        let refused = pool.execute(AssertSqlSafe(change.to_owned())).await;
        let refused = refused.unwrap_err();
        let code = refused.as_database_error().and_then(DatabaseError::code);
        assert_eq!(code.as_deref(), Some("23001"), "{change}: {refused}");
    }
}
