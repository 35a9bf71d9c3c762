//! Candidates lose their names, once and for good.

use std::time::Duration;

use cleanup_ttl::{PseudonymArgs, PseudonymCounts, PseudonymPolicy, count_named, pseudonymise_old};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use session_lifecycle::{load_session, pseudonymise_sessions};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::fixtures::apply_exam;

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
    let old = named(&pool, "u-old", 31).await;
    pseudonymise_old(&mut conn, &policy).await.unwrap();
    let renamed = names(&pool, old).await;
    // With the setting that the functions make, too, and each to a row of the session that lost its name.
    for setting in ["off", "on"] {
        for change in [
            "UPDATE exam_sessions SET user_id = 'u-old' WHERE id = $1",
            "UPDATE exam_sessions SET user_id = pseudonym_of(user_id, 's') WHERE id = $1",
            "UPDATE session_transitions SET actor = 'candidate:u-old' WHERE session_id = $1 AND version = 2",
            "UPDATE session_transitions SET actor = 'candidate:' || pseudonym_of(actor, 's')
             WHERE session_id = $1 AND version = 2",
            "UPDATE session_transitions SET actor = 'candidate:' || pseudonym_of(actor, 's')
             WHERE session_id = $1 AND version = 1",
            "UPDATE execution_environments SET spec = jsonb_set(spec, '{user_id}', '\"u-old\"') WHERE session_id = $1",
            "UPDATE execution_environments SET spec = jsonb_set(spec, '{user_id}', to_jsonb(pseudonym_of('u', 's')))
             WHERE session_id = $1",
            "UPDATE access_log SET user_id = 'u-old' WHERE session_id = $1 AND role = 'candidate'",
            "UPDATE access_log SET user_id = pseudonym_of(user_id, 's') WHERE session_id = $1 AND role = 'candidate'",
            "UPDATE access_log SET user_id = pseudonym_of(user_id, 's') WHERE session_id = $1 AND role = 'operator'",
            "DELETE FROM session_transitions WHERE session_id = $1",
        ] {
            let refused = forced(&mut conn, setting, change, old).await;
            assert!(refused.is_err(), "{setting}: {change}");
        }
    }
    assert_eq!(names(&pool, old).await, renamed);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_the_setting_takes_a_name_by_hand_and_it_takes_nothing_else(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let old = named(&pool, "u-old", 31).await;
    let rename = "UPDATE exam_sessions SET user_id = pseudonym_of(user_id, 's') WHERE id = $1";
    let more = "UPDATE exam_sessions SET user_id = pseudonym_of(user_id, 's'), exam_version = 2 WHERE id = $1";
    for (setting, change) in [("off", rename), ("off", more), ("on", more)] {
        let refused = forced(&mut conn, setting, change, old).await;
        assert!(refused.is_err(), "{setting}: {change}");
    }
    assert_eq!(forced(&mut conn, "on", rename, old).await.unwrap(), 1);
}

/// Changes rows of a session as the functions do, and takes it back; says how many.
async fn forced(
    conn: &mut PgConnection,
    setting: &str,
    change: &str,
    id: ExamSessionId,
) -> Result<u64, sqlx::Error> {
    let mut tx = conn.begin().await?;
    sqlx::query_scalar!(
        "SELECT set_config('carrel.old_names_go', $1, true) IS NULL",
        setting
    )
    .fetch_one(&mut *tx)
    .await?;
    let change = change.replace("$1", &format!("'{}'", id.as_uuid()));
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut *tx);
    Ok(done.await?.rows_affected())
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn words_go_only_where_they_name_the_candidate(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    let mut sessions = Vec::new();
    for (user, note, stays) in [
        ("1", "exit code 137 after 12 s", true),
        ("a.b", "axb and a-b were done", true),
        ("u-9", "u-91 was done", true),
        ("2", "left by 2.", false),
        ("c.d+e@f", "ended by candidate:c.d+e@f", false),
    ] {
        let id = named(&pool, user, 401).await;
        // Nobody changes what is over.
        let mut tx = pool.begin().await.unwrap();
        sqlx::raw_sql("SET LOCAL session_replication_role = replica")
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query!(
            "UPDATE exam_sessions SET ending_note = $2, failure_reason = $2 WHERE id = $1",
            id.as_uuid(),
            note
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        sessions.push((id, note, stays));
    }
    let policy = pseudonyms(400);
    pseudonymise_old(&mut conn, &policy).await.unwrap();
    for (id, note, stays) in sessions {
        let words = sqlx::query!(
            "SELECT ending_note, failure_reason FROM exam_sessions WHERE id = $1",
            id.as_uuid()
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        let expected = if stays {
            (Some(note), Some(note))
        } else {
            (None, Some("named the candidate"))
        };
        let kept = (
            words.ending_note.as_deref(),
            words.failure_reason.as_deref(),
        );
        assert_eq!(kept, expected, "{note}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_secret_is_the_transaction_s_alone_and_nothing_is_renamed_without(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    named(&pool, "u-old", 401).await;
    pseudonymise_old(&mut conn, &pseudonyms(400)).await.unwrap();
    let old = named(&pool, "u-other", 401).await;
    let kept = sqlx::query_scalar!(
        r#"SELECT coalesce(current_setting('carrel.pseudonym_secret', true), '') AS "kept!""#
    );
    assert_eq!(kept.fetch_one(&mut *conn).await.unwrap(), "");
    let refused = pseudonymise_sessions(&mut conn, Duration::ZERO, 10).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(names(&pool, old).await[0], "u-other");
}
