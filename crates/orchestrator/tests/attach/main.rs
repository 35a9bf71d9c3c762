//! Who gets the terminal of a session, against a real PostgreSQL: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

use std::time::Duration;

use environment_access::{
    Leaving, TicketDenial, TicketGrant, begin_reading, issue_ticket, leave_shells, take_epoch,
};
use orchestrator::{Admitted, AttachAttempt, AttachRefusal, admit_attach, take_unread_shells};
use session_identity::{
    ExamSessionId, ExecutionEnvironmentId, LoginId, Principal, Role, TerminalProcessId, UserId,
};
use sqlx::PgPool;
use uuid::Uuid;

const ORIGIN: &str = "http://127.0.0.1:8080";

fn candidate() -> Principal {
    Principal {
        user_id: UserId::parse("u-1").unwrap(),
        role: Role::Candidate,
        login_id: LoginId::new("l"),
    }
}

/// A running session whose environment is up.
async fn running(pool: &PgPool) -> ExamSessionId {
    let sample = include_str!("../../../../deploy/exams/linux-fundamentals.json");
    running_of(pool, "demo", serde_json::from_str(sample).unwrap()).await
}

/// One of an exam that is defined so.
async fn running_of(pool: &PgPool, exam: &str, definition: serde_json::Value) -> ExamSessionId {
    let id = ExamSessionId::generate();
    let environment = ExecutionEnvironmentId::generate();
    sqlx::query!(
        "WITH exam AS (
             INSERT INTO exams (name, version, title, definition, digest, applied_by)
             VALUES ($4, 1, 'Demo', $3, '\\x00', 'test')
             RETURNING name, version
         ), session AS (
             INSERT INTO exam_sessions
                 (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
             SELECT $1, 'u-1', $2, name, version, now(), now() + interval '1 hour' FROM exam
             RETURNING id, environment_id
         )
         INSERT INTO execution_environments
             (id, session_id, state, attempt, runtime, runtime_name, runtime_uid)
         SELECT environment_id, id, 'up', 1, 'engine', 'carrel-' || $4, 'uid-1' FROM session",
        id.as_uuid(),
        environment.as_uuid(),
        definition,
        exam,
    )
    .execute(pool)
    .await
    .unwrap();
    for state in ["initializing", "ready", "running"] {
        sqlx::query!(
            "UPDATE exam_sessions SET state = $2, version = version + 1 WHERE id = $1",
            id.as_uuid(),
            state,
        )
        .execute(pool)
        .await
        .unwrap();
    }
    id
}

/// An attempt with a ticket of its own.
async fn attempt(
    pool: &PgPool,
    id: ExamSessionId,
    page: Option<Uuid>,
    held: Option<i64>,
) -> AttachAttempt {
    let mut transaction = pool.begin().await.unwrap();
    let Principal {
        user_id, login_id, ..
    } = candidate();
    let grant = TicketGrant {
        session_id: id,
        user_id,
        login_id,
        origin: ORIGIN.to_owned(),
    };
    let ticket = issue_ticket(&mut transaction, &grant).await.unwrap().secret;
    // More are taken here than a minute allows.
    sqlx::query!("UPDATE terminal_tickets SET issued_at = issued_at - interval '2 minutes'")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    AttachAttempt {
        session_id: id,
        principal: candidate(),
        origin: ORIGIN.to_owned(),
        ticket,
        page,
        held,
        process_id: TerminalProcessId::generate(),
        can_record: true,
        trace: None,
    }
}

async fn admit(
    pool: &PgPool,
    id: ExamSessionId,
    page: Option<Uuid>,
    held: Option<i64>,
) -> Result<Admitted, AttachRefusal> {
    admit_attach(pool, &attempt(pool, id, page, held).await).await
}

/// How many attaches the access log refused as in use.
async fn refused(pool: &PgPool) -> i64 {
    let lines = sqlx::query_scalar!(
        r#"SELECT count(*) AS "lines!" FROM access_log
           WHERE NOT allowed AND code = 'access.in_use' AND epoch IS NULL"#
    );
    lines.fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_returns_by_itself_gets_in_only_where_no_other_page_came_between(pool: PgPool) {
    let id = running(&pool).await;
    let (a, b) = (Some(Uuid::now_v7()), Some(Uuid::now_v7()));
    let epoch = async |page, held| admit(&pool, id, page, held).await.map(|it| it.epoch);
    assert_eq!(epoch(a, None).await.unwrap(), 1);
    assert_eq!(epoch(a, Some(1)).await.unwrap(), 2);
    // Its second attach never told it: that one is no other page.
    assert_eq!(epoch(a, Some(1)).await.unwrap(), 3);
    assert_eq!(epoch(b, None).await.unwrap(), 4);
    for page in [a, None] {
        let refusal = epoch(page, Some(3)).await.unwrap_err();
        assert!(matches!(refusal, AttachRefusal::Superseded), "{refusal}");
    }
    assert_eq!(refused(&pool).await, 2);
    assert_eq!(epoch(b, Some(4)).await.unwrap(), 5, "it kept the terminal");
    assert_eq!(epoch(a, None).await.unwrap(), 6, "a person takes it over");
    // A page that does not say which it is counts as another one.
    assert_eq!(epoch(None, None).await.unwrap(), 7);
    let refusal = epoch(a, Some(6)).await.unwrap_err();
    assert!(matches!(refusal, AttachRefusal::Superseded), "{refusal}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_ticket_of_a_page_that_came_too_late_is_used(pool: PgPool) {
    let id = running(&pool).await;
    let (a, b) = (Some(Uuid::now_v7()), Some(Uuid::now_v7()));
    admit(&pool, id, a, None).await.unwrap();
    admit(&pool, id, b, None).await.unwrap();
    let late = attempt(&pool, id, a, Some(1)).await;
    let refusal = admit_attach(&pool, &late).await.unwrap_err();
    assert!(matches!(refusal, AttachRefusal::Superseded), "{refusal}");
    let refusal = admit_attach(&pool, &late).await.unwrap_err();
    assert!(
        matches!(refusal, AttachRefusal::Ticket(TicketDenial::Used)),
        "{refusal}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_a_return_and_a_takeover_that_race_the_takeover_has_the_terminal(pool: PgPool) {
    let id = running(&pool).await;
    let (a, b) = (Some(Uuid::now_v7()), Some(Uuid::now_v7()));
    for _ in 0..16 {
        let held = admit(&pool, id, a, None).await.unwrap().epoch;
        let (returns, takes) = (
            attempt(&pool, id, a, Some(held)).await,
            attempt(&pool, id, b, None).await,
        );
        let (returned, taken) =
            tokio::join!(admit_attach(&pool, &returns), admit_attach(&pool, &takes));
        let taken = taken.unwrap().epoch;
        match returned {
            Ok(returned) => assert!(returned.epoch < taken),
            Err(refusal) => assert!(matches!(refusal, AttachRefusal::Superseded), "{refusal}"),
        }
    }
}

/// Attaches as a process does that records, and leaves the shell to whoever looks next.
async fn leave_unread(pool: &PgPool, id: ExamSessionId) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, login) = (TerminalProcessId::generate(), LoginId::new("l"));
    let epoch = take_epoch(&mut conn, id, process, &login, None).await;
    let epoch = epoch.unwrap();
    begin_reading(&mut conn, process, (id, epoch), true)
        .await
        .unwrap();
    let left = [(id, epoch, Leaving::Unread(Duration::ZERO))];
    leave_shells(&mut conn, process, &left).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_shell_whose_row_cannot_be_read_keeps_no_process_from_the_others(pool: PgPool) {
    let broken = running_of(&pool, "broken", serde_json::json!({})).await;
    let sound = running(&pool).await;
    for id in [broken, sound] {
        leave_unread(&pool, id).await;
    }
    let (process, hour) = (TerminalProcessId::generate(), Duration::from_hours(1));
    let unread = take_unread_shells(&pool, process, hour, true, 2).await;
    let unread = unread.unwrap();
    let taken: Vec<_> = unread.taken.iter().map(|it| it.shell.session_id).collect();
    assert_eq!(taken, [sound]);
    assert!(unread.may_be_more, "as many as it asked for");
    let unread = take_unread_shells(&pool, process, hour, true, 2).await;
    let unread = unread.unwrap();
    assert!(unread.taken.is_empty() && !unread.may_be_more);
}
