//! Expiry and the read queries against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

use std::time::Duration;

use cleanup_ttl::{
    ExpiryPolicy, PseudonymArgs, PseudonymCounts, PseudonymPolicy, RecordCounts, RecordRetention,
    any_session, count_named, count_old_records, end_no_shows, expire_due, find_no_shows,
    find_unclaimed, find_unconfirmed_teardowns, load_known_sessions, no_show_at, preview_due,
    pseudonymise_old, remove_old_records,
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

/// Lets the sample exam wait for this long; `None`: until its end.
async fn wait_for(conn: &mut PgConnection, seconds: Option<i32>) {
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         SELECT 'linux', max(version) + 1, 'Linux', jsonb_strip_nulls(jsonb_build_object('no_show_after_seconds', $1::int)),
                convert_to(max(version)::text, 'UTF8'), 'test' FROM exams",
        seconds
    )
    .execute(conn)
    .await
    .unwrap();
}

/// A session of a version of the exam that has been ready for so long.
async fn ready_since(
    conn: &mut PgConnection,
    user: &str,
    version: i32,
    seconds: f64,
) -> ExamSessionId {
    let id = seed(conn, user, SessionState::Ready, 3600.0).await;
    // The version of a session never changes, so that a trigger would not have it.
    sqlx::raw_sql("SET session_replication_role = replica")
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET exam_version = $2, ready_at = now() - make_interval(secs => $3)
         WHERE id = $1",
        id.as_uuid(),
        version,
        seconds
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::raw_sql("RESET session_replication_role")
        .execute(conn)
        .await
        .unwrap();
    id
}

async fn attach(conn: &mut PgConnection, id: ExamSessionId) {
    sqlx::query!(
        "INSERT INTO terminals (session_id, epoch) VALUES ($1, 1)",
        id.as_uuid()
    )
    .execute(conn)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ready_session_that_nobody_comes_to_ends_only_where_its_exam_says_so(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    wait_for(&mut conn, Some(600)).await;
    wait_for(&mut conn, None).await;
    let forever = ready_since(&mut conn, "u-patient", 1, 36_000.0).await;
    let null = ready_since(&mut conn, "u-null", 3, 36_000.0).await;
    let late = ready_since(&mut conn, "u-late", 2, 601.0).await;
    let in_time = ready_since(&mut conn, "u-in-time", 2, 300.0).await;
    let attached = ready_since(&mut conn, "u-attached", 2, 601.0).await;
    attach(&mut conn, attached).await;
    for id in [forever, null, attached] {
        assert_eq!(no_show_at(&mut conn, id).await.unwrap(), None);
    }
    for id in [late, in_time] {
        let ready_at = load_session(&mut conn, id).await.unwrap().unwrap().ready_at;
        let bound = ready_at.unwrap() + Duration::from_mins(10);
        assert_eq!(no_show_at(&mut conn, id).await.unwrap(), Some(bound));
    }
    let policy = ExpiryPolicy::default();
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(find_no_shows(&mut tx, 10).await.unwrap(), [late]);
    let ended = end_no_shows(&mut tx, &policy, &by_sweep()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ended.len(), 1);
    let session = load_session(&mut conn, late).await.unwrap().unwrap();
    assert_eq!(session.state, SessionState::Terminated);
    let ending = session.ending.unwrap();
    assert_eq!(ending.kind, EndingKind::NoShow);
    assert!(ending.note.unwrap().starts_with("nobody attached before "));
    let mut tx = conn.begin().await.unwrap();
    let again = end_no_shows(&mut tx, &policy, &by_sweep()).await.unwrap();
    assert_eq!(again, []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_is_admitted_while_a_sweep_looks_is_no_no_show(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    wait_for(&mut conn, Some(600)).await;
    let late = ready_since(&mut conn, "u-late", 2, 601.0).await;
    // An attach has the row, as `admit_attach` takes it: the sweep leaves it.
    let mut admission = pool.begin().await.unwrap();
    session_lifecycle::lock_session(&mut admission, late)
        .await
        .unwrap();
    attach(&mut admission, late).await;
    let mut sweep = pool.begin().await.unwrap();
    let policy = ExpiryPolicy::default();
    assert_eq!(
        end_no_shows(&mut sweep, &policy, &by_sweep())
            .await
            .unwrap(),
        []
    );
    admission.commit().await.unwrap();
    assert_eq!(
        end_no_shows(&mut sweep, &policy, &by_sweep())
            .await
            .unwrap(),
        []
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_what_nobody_begins_for_half_a_minute_is_unclaimed(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    seed(&mut conn, "u-new", SessionState::Created, 3600.0).await;
    let waiting = seed(&mut conn, "u-waiting", SessionState::Created, 3600.0).await;
    let begun = seed(&mut conn, "u-begun", SessionState::Initializing, 3600.0).await;
    let missed = seed(&mut conn, "u-missed", SessionState::Created, 3600.0).await;
    let old = [waiting, begun, missed].map(|id| id.as_uuid());
    let mut tx = conn.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL session_replication_role = replica")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET created_at = now() - interval '40 s',
                ready_by = CASE id WHEN $2 THEN now() ELSE ready_by END
         WHERE id = ANY ($1)",
        &old,
        missed.as_uuid()
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let unclaimed = find_unclaimed(&mut conn, 10).await.unwrap();
    let [(id, waits)] = unclaimed[..] else {
        panic!("{unclaimed:?}");
    };
    assert_eq!(id, waiting);
    assert!(waits >= 40, "{waits}");
}

/// A session that ended so many days ago, with everything that names its candidate.
async fn named(pool: &PgPool, user: &str, days: i32) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    let mut tx = pool.begin().await.unwrap();
    // None of it was lived through.
    sqlx::raw_sql("SET LOCAL session_replication_role = replica")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!(
        "WITH past AS (SELECT now() - make_interval(days => $4::int) AS at),
         session AS (
             INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, state, version,
                 ready_by, absolute_end, ended_at, ending_kind, ending_actor, ending_note)
             SELECT $1::uuid, $3::text, $2::uuid, 'linux', 1, 'terminated', 5, at, at, at, 'candidate_ended', 'candidate:' || $3::text,
                    $3::text || ' was done' FROM past),
         transition AS (
             INSERT INTO session_transitions (session_id, version, to_state, cause, actor, at)
             SELECT $1::uuid, n, 'terminated', 'c', CASE n WHEN 1 THEN 'staff:dana' ELSE 'candidate:' || $3::text END, at
             FROM past, generate_series(1, 2) AS n),
         environment AS (
             INSERT INTO execution_environments (id, session_id, state, gone_at, spec)
             SELECT $2::uuid, $1::uuid, 'gone', at, jsonb_build_object('user_id', $3::text, 'attempt', 1) FROM past)
         INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
         SELECT at, $1::uuid, CASE role WHEN 'candidate' THEN $3::text ELSE 'dana' END, role, 'attach', true
         FROM past, unnest(ARRAY['candidate', 'operator']) AS role",
        id.as_uuid(),
        environment.as_uuid(),
        user,
        days
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}

fn pseudonyms(days: u16) -> PseudonymPolicy {
    let args = PseudonymArgs {
        pseudonymise_days: days,
        pseudonym_secret: Some("a secret of more than 32 characters".into()),
    };
    args.policy().unwrap().unwrap()
}

/// Every place where the candidate of a session, or whoever came to it, is named.
async fn names(pool: &PgPool, id: ExamSessionId) -> Vec<String> {
    sqlx::query_scalar!(
        r#"SELECT name AS "name!" FROM (
               SELECT 1 AS n, user_id AS name FROM exam_sessions WHERE id = $1
               UNION ALL SELECT 2, ending_actor FROM exam_sessions WHERE id = $1
               UNION ALL SELECT 3, coalesce(ending_note, '') FROM exam_sessions WHERE id = $1
               UNION ALL SELECT 4, actor FROM session_transitions WHERE session_id = $1 AND version = 2
               UNION ALL SELECT 5, actor FROM session_transitions WHERE session_id = $1 AND version = 1
               UNION ALL SELECT 6, spec ->> 'user_id' FROM execution_environments WHERE session_id = $1
               UNION ALL SELECT 7, user_id FROM access_log WHERE session_id = $1 AND role = 'candidate'
               UNION ALL SELECT 8, user_id FROM access_log WHERE session_id = $1 AND role = 'operator'
           ) AS names ORDER BY n"#,
        id.as_uuid()
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_loses_their_name_everywhere_once_and_nobody_else_does(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let old = named(&pool, "u-old", 401).await;
    let again = named(&pool, "u-old", 500).await;
    let young = named(&pool, "u-young", 399).await;
    let policy = pseudonyms(400);
    let two = PseudonymCounts {
        sessions: 2,
        transitions: 2,
        environments: 2,
        access_log: 2,
    };
    let before = names(&pool, young).await;
    assert_eq!(count_named(&mut conn, policy.after).await.unwrap(), two);
    assert_eq!(
        names(&pool, old).await[0],
        "u-old",
        "a count changes nothing"
    );
    assert_eq!(pseudonymise_old(&mut conn, &policy).await.unwrap(), two);

    let renamed = names(&pool, old).await;
    let other = renamed[0].clone();
    assert!(other.starts_with("pseudonym:") && !other.contains("u-old"));
    let by_other = format!("candidate:{other}");
    let everywhere = [
        &*other,
        &by_other,
        "",
        &by_other,
        "staff:dana",
        &other,
        &other,
        "dana",
    ];
    assert_eq!(renamed, everywhere);
    assert_eq!(
        names(&pool, again).await,
        everywhere,
        "one candidate, one name"
    );
    assert_eq!(names(&pool, young).await, before);
    let session = load_session(&mut conn, old).await.unwrap().unwrap();
    assert_eq!(session.user_id.as_str(), other);

    let nothing = PseudonymCounts::default();
    assert_eq!(count_named(&mut conn, policy.after).await.unwrap(), nothing);
    assert_eq!(pseudonymise_old(&mut conn, &policy).await.unwrap(), nothing);
    assert_eq!(names(&pool, old).await, everywhere, "a hash is not hashed");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn names_go_by_bounded_batches_and_with_another_secret_to_others(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let mut sessions = Vec::new();
    for user in 0..3 {
        sessions.push(named(&pool, &format!("u-{user}"), 500 - user).await);
    }
    let policy = PseudonymPolicy {
        batch: 1,
        batches: 2,
        ..pseudonyms(400)
    };
    let passes = [2, 1, 0];
    for renamed in passes {
        let counts = pseudonymise_old(&mut conn, &policy).await.unwrap();
        let of_each = counts.by_table().map(|(_, rows)| rows);
        assert_eq!(of_each, [renamed; 4], "{counts}");
    }
    let same = named(&pool, "u-0", 450).await;
    let policy = PseudonymPolicy {
        secret: "another secret of more than 32 characters".into(),
        ..policy
    };
    pseudonymise_old(&mut conn, &policy).await.unwrap();
    let first = names(&pool, sessions[0]).await;
    assert_ne!(names(&pool, same).await[0], first[0]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_gives_a_name_back_and_nothing_takes_one_before_its_time(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let young = named(&pool, "u-young", 29).await;
    let policy = PseudonymPolicy {
        after: Duration::ZERO,
        ..pseudonyms(30)
    };
    let counts = pseudonymise_old(&mut conn, &policy).await.unwrap();
    assert_eq!(counts, PseudonymCounts::default(), "whatever is asked for");
    assert_eq!(names(&pool, young).await[0], "u-young");
    named(&pool, "u-old", 31).await;
    pseudonymise_old(&mut conn, &policy).await.unwrap();
    // With the setting that the functions make, too.
    for setting in ["off", "on"] {
        for change in [
            "UPDATE exam_sessions SET user_id = 'u-old'",
            "UPDATE session_transitions SET actor = 'candidate:u-old' WHERE version = 2",
            "UPDATE session_transitions SET actor = 'candidate:u-old' WHERE version = 1",
            "UPDATE execution_environments SET spec = jsonb_set(spec, '{user_id}', '\"u-old\"')",
            "UPDATE access_log SET user_id = 'u-old' WHERE role = 'candidate'",
            "UPDATE access_log SET user_id = pseudonym_of(user_id, 's') WHERE role = 'operator'",
            "UPDATE exam_sessions SET user_id = pseudonym_of(user_id, 's'), exam_version = 2",
            "DELETE FROM session_transitions",
        ] {
            let mut tx = conn.begin().await.unwrap();
            let all = format!("SET LOCAL carrel.old_names_go = '{setting}'; {change}");
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(all))
                .execute(&mut *tx)
                .await;
            assert!(refused.is_err(), "{setting}: {change}");
        }
    }
}
