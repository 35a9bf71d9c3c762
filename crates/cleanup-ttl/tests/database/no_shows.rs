//! What nobody comes to ends where its exam says so.

use std::time::Duration;

use cleanup_ttl::{ExpiryPolicy, end_no_shows, find_no_shows, no_show_at};
use session_identity::ExamSessionId;
use session_lifecycle::{EndingKind, SessionState, load_session};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::fixtures::{apply_exam, by_sweep, seed};

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

/// Takes a ticket, which nobody has used.
async fn take_ticket(conn: &mut PgConnection, id: ExamSessionId, user: &str) {
    sqlx::query!(
        "INSERT INTO terminal_tickets (secret_hash, session_id, user_id, login_id, origin, expires_at)
         VALUES (convert_to($1::uuid::text || $2::text, 'UTF8'), $1, $2, 'l', 'o', now() - interval '1 hour')",
        id.as_uuid(),
        user
    )
    .execute(conn)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_who_took_a_ticket_came_also_if_they_were_not_let_in(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    wait_for(&mut conn, Some(600)).await;
    let came = ready_since(&mut conn, "u-came", 2, 601.0).await;
    let late = ready_since(&mut conn, "u-late", 2, 601.0).await;
    take_ticket(&mut conn, came, "u-came").await;
    take_ticket(&mut conn, late, "dana").await;
    assert_eq!(no_show_at(&mut conn, came).await.unwrap(), None);
    let bound = no_show_at(&mut conn, late).await.unwrap();
    assert!(bound.is_some(), "staff who look are not the candidate");
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(find_no_shows(&mut tx, 10).await.unwrap(), [late]);
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
