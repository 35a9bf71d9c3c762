//! What is told of a session's visitors.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use environment_access::{
    AccessEntry, Action, Decision, Denial, DenialCode, access_runs, append_access,
    count_old_access, delete_old_access, latest_access,
};
use session_identity::{ExamSessionId, Role, UserId};
use sqlx::{PgConnection, PgPool};

const DENIED: Decision = Decision::Denied(Denial {
    code: DenialCode::Denied,
    detail: "the session belongs to somebody else",
});

async fn append(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    (user, action, decision, epoch): (&str, Action, &Decision, Option<i64>),
) {
    let entry = AccessEntry {
        session_id,
        user_id: &UserId::parse(user).unwrap(),
        role: Role::Candidate,
        action,
        decision,
        detail: None,
        epoch,
    };
    append_access(conn, &entry).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn equal_denials_are_told_once_and_every_attach_alone(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (session, other) = (ExamSessionId::generate(), ExamSessionId::generate());
    let allowed = &Decision::Allowed;
    for line in [
        ("u-2", Action::View, &DENIED, None),
        ("u-2", Action::View, &DENIED, None),
        ("u-2", Action::Attach, &DENIED, None),
        ("u-1", Action::IssueTicket, allowed, None),
        ("u-1", Action::Attach, allowed, Some(1)),
        ("u-1", Action::Attach, allowed, Some(2)),
        ("u-2", Action::View, &DENIED, None),
    ] {
        append(&mut conn, session, line).await;
        append(&mut conn, other, ("u-3", Action::View, &DENIED, None)).await;
    }
    let runs = access_runs(&mut conn, session, 9).await.unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run.user_id.as_str(),
                run.action.as_str(),
                run.times,
                run.epoch,
            )
        })
        .collect();
    let wanted = [
        ("u-2", "view", 2, None),
        ("u-2", "attach", 1, None),
        ("u-1", "attach", 1, Some(1)),
        ("u-1", "attach", 1, Some(2)),
        ("u-2", "view", 1, None),
    ];
    assert_eq!(told, wanted);
    assert!(runs[0].first_at < runs[0].last_at);
    assert_eq!(runs[0].code.as_deref(), Some("access.denied"));
    let newest = access_runs(&mut conn, session, 2).await.unwrap();
    assert_eq!(newest, runs[3..]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_newest_lines_come_first_and_are_bounded(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = ExamSessionId::generate();
    for line in [
        ("u-2", Action::View, &DENIED, None),
        ("u-1", Action::IssueTicket, &Decision::Allowed, None),
        ("u-1", Action::Attach, &Decision::Allowed, Some(1)),
    ] {
        append(&mut conn, session, line).await;
        append(&mut conn, ExamSessionId::generate(), line).await;
    }
    let lines = latest_access(&mut conn, session, 2).await.unwrap();
    let told = lines.iter().map(|line| (line.action.as_str(), line.epoch));
    assert!(told.eq([("attach", Some(1)), ("issue_ticket", None)]));
    assert!(
        latest_access(&mut conn, session, 0)
            .await
            .unwrap()
            .is_empty()
    );
}

/// Tries a statement as whoever may do anything.
macro_rules! refused {
    ($pool:expr, $statement:literal) => {{
        let done = sqlx::query!($statement).execute(&$pool).await;
        let error = done.expect_err($statement).to_string();
        assert!(error.contains("access_log is append-only"), "{error}");
    }};
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_was_logged_stays_as_it_was(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = ExamSessionId::generate();
    append(&mut conn, session, ("u-2", Action::View, &DENIED, None)).await;
    let before = latest_access(&mut conn, session, 9).await.unwrap();
    refused!(pool, "UPDATE access_log SET allowed = true");
    refused!(pool, "UPDATE access_log SET detail = detail");
    refused!(pool, "DELETE FROM access_log");
    refused!(pool, "TRUNCATE access_log");
    assert_eq!(latest_access(&mut conn, session, 9).await.unwrap(), before);
}

/// A line that was written so many days ago.
async fn append_aged(conn: &mut PgConnection, days: i32) {
    sqlx::query!(
        "INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
         VALUES (now() - $1 * interval '1 day', gen_random_uuid(), 'u-1', 'candidate', 'view', true)",
        f64::from(days),
    )
    .execute(conn)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn old_lines_go_in_batches_by_the_one_way_there_is(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let day = Duration::from_hours(24);
    for days in [500, 450, 401, 399, 31, 29, 0] {
        append_aged(&mut conn, days).await;
    }
    // However old they are, and whatever its maker claims about a young one.
    refused!(pool, "DELETE FROM access_log");
    sqlx::raw_sql("SET carrel.old_access_goes = 'on'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let young = sqlx::query!("DELETE FROM access_log WHERE at > now() - interval '30 days'");
    assert!(young.execute(&mut *conn).await.is_err());
    sqlx::raw_sql("RESET carrel.old_access_goes")
        .execute(&mut *conn)
        .await
        .unwrap();

    let kept = 400 * day;
    assert_eq!(count_old_access(&mut conn, kept).await.unwrap(), 3);
    for deleted in [2, 1, 0] {
        assert_eq!(
            delete_old_access(&mut conn, kept, 2).await.unwrap(),
            deleted
        );
    }
    assert_eq!(delete_old_access(&mut conn, day, 9).await.unwrap(), 2);
    refused!(pool, "DELETE FROM access_log");
    let left = sqlx::query_scalar!(r#"SELECT count(*) AS "left!" FROM access_log"#);
    assert_eq!(left.fetch_one(&pool).await.unwrap(), 2);
}
