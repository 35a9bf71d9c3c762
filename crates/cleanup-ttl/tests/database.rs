//! Expiry and the read queries against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

use std::time::Duration;

use cleanup_ttl::{
    ExpiryPolicy, RecordCounts, RecordRetention, any_session, count_old_records, expire_due,
    find_unconfirmed_teardowns, load_known_sessions, preview_due, remove_old_records,
};
use execution_environment::EnvironmentState;
use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId};
use session_lifecycle::{EndingKind, Provenance, SessionState, history, load_session};
use sqlx::{Connection, PgConnection, PgPool};

fn by_sweep() -> Provenance {
    Provenance {
        actor: Actor::System("sweep"),
        cause: "sweep:expired".into(),
        job_id: None,
        trace: None,
    }
}

async fn apply_exam(conn: &mut PgConnection) {
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('linux', 1, 'Linux', '{}', '', 'test')"
    )
    .execute(conn)
    .await
    .unwrap();
}

/// Writes a session that has been brought to `state` and whose end is `ends_in` seconds away.
async fn seed(
    conn: &mut PgConnection,
    user: &str,
    state: SessionState,
    ends_in: f64,
) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    sqlx::query!(
        "INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by,
                                    ends_at, absolute_end)
         VALUES ($1, $2, $3, 'linux', 1, now() + interval '60 s', now() + make_interval(secs => $4),
                 now() + interval '4 h')",
        id.as_uuid(),
        user,
        environment.as_uuid(),
        ends_in
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    for step in &SessionState::LIVE[1..] {
        if *step > state {
            break;
        }
        sqlx::query!(
            "UPDATE exam_sessions SET state = $2, version = version + 1 WHERE id = $1",
            id.as_uuid(),
            step.as_str()
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::query!(
        "INSERT INTO execution_environments (id, session_id) VALUES ($1, $2)",
        environment.as_uuid(),
        id.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    id
}

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
