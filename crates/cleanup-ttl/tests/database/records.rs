//! Old records go, a bounded number a pass.

use std::time::Duration;

use cleanup_ttl::{RecordCounts, RecordRetention, count_old_records, remove_old_records};
use session_identity::ExamSessionId;
use session_lifecycle::SessionState;
use sqlx::{Connection, PgConnection, PgPool};

use crate::fixtures::{apply_exam, seed};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn old_records_go_a_bounded_number_a_pass_and_young_or_used_ones_stay(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let live = seed(&mut conn, "u-1", SessionState::Running, 60.0).await;
    for days in [401, 402, 403, 404, 405, 399] {
        sqlx::query!(
            "INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
             VALUES (now() - $1 * interval '1 day', $2, 'u-1', 'candidate', 'view', true)",
            f64::from(days),
            live.as_uuid(),
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::query!(
        "INSERT INTO idempotency_keys (principal, key, request_hash, session_id, created_at)
         VALUES ('p', 'in use', '', $1, now() - interval '90 days'),
                ('p', 'young', '', gen_random_uuid(), now()),
                ('p', 'old', '', gen_random_uuid(), now() - interval '8 days')",
        live.as_uuid(),
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let retention = RecordRetention {
        batch: 2,
        batches: 2,
        ..RecordRetention::default()
    };
    let counts = |access_log, idempotency_keys| RecordCounts {
        access_log,
        idempotency_keys,
        recordings: 0,
    };
    let old = count_old_records(&mut conn, &retention).await.unwrap();
    assert_eq!(old, counts(5, 1));
    for removed in [counts(4, 1), counts(1, 0), counts(0, 0)] {
        let done = remove_old_records(&mut conn, &retention).await.unwrap();
        assert_eq!(done, removed);
    }
    let long = RecordRetention {
        access_log: Duration::from_hours(24),
        ..retention
    };
    assert_eq!(
        count_old_records(&mut conn, &long).await.unwrap(),
        counts(1, 0),
        "a month is kept whatever is asked for, so only the line of 399 days is left to go"
    );
}

/// Ends a session so many days ago and closes its recording then.
async fn record_of_old(conn: &mut PgConnection, session: ExamSessionId, days: f64) {
    let mut tx = conn.begin().await.unwrap();
    // The past cannot be written otherwise: the tables hold what was recorded when.
    sqlx::query!("SET LOCAL session_replication_role = replica")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET state = 'terminated', ending_kind = 'time_expired',
                version = version + 1, ended_at = now() - $2 * interval '1 day' WHERE id = $1",
        session.as_uuid(),
        days,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO session_recordings (session_id, policy, closed_at, final_hash)
         VALUES ($1, 'fail_open', now() - $2 * interval '1 day', sha256(''))",
        session.as_uuid(),
        days,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn recordings_go_after_their_time_and_never_where_they_are_kept_for_ever(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    for (user, days) in [("u-1", 401.0), ("u-2", 402.0), ("u-3", 399.0)] {
        let session = seed(&mut conn, user, SessionState::Running, 60.0).await;
        record_of_old(&mut conn, session, days).await;
    }
    let recordings = |recordings| RecordCounts {
        recordings,
        ..RecordCounts::default()
    };
    let for_ever = RecordRetention {
        recordings: None,
        ..RecordRetention::default()
    };
    let kept = remove_old_records(&mut conn, &for_ever).await.unwrap();
    assert_eq!(kept, recordings(0));
    let retention = RecordRetention::default();
    let old = count_old_records(&mut conn, &retention).await.unwrap();
    assert_eq!(old, recordings(2));
    for removed in [2, 0] {
        let done = remove_old_records(&mut conn, &retention).await.unwrap();
        assert_eq!(done, recordings(removed));
    }
    let left = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM session_recordings"#);
    assert_eq!(left.fetch_one(&mut *conn).await.unwrap(), 1);
}
