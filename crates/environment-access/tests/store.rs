//! Tickets, epochs, facts and the log, on a real database.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use environment_access::{
    AccessEntry, Action, Decision, IssuedTicket, Redeem, RedeemError, Standing, TICKETS_PER_MINUTE,
    TicketDenial, TicketError, TicketGrant, append_access, current_epochs, delete_stale_tickets,
    issue_ticket, load_facts, redeem_ticket, revoke_tickets, take_epoch,
};
use session_identity::{
    ExamSessionId, ExecutionEnvironmentId, LoginId, Role, TerminalProcessId, UserId,
};
use sqlx::{PgConnection, PgPool};

const ORIGIN: &str = "http://127.0.0.1:8080";

async fn insert_session(conn: &mut PgConnection, user: &str) -> ExamSessionId {
    let id = ExamSessionId::generate();
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('demo', 1, 'Demo', '{}', '\\x00', 'test') ON CONFLICT DO NOTHING"
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         VALUES ($1, $2, $3, 'demo', 1, now() + interval '1 minute', now() + interval '2 hours')",
        id.as_uuid(),
        user,
        ExecutionEnvironmentId::generate().as_uuid(),
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    id
}

async fn set_state(conn: &mut PgConnection, id: ExamSessionId, state: &str) {
    sqlx::query!(
        "UPDATE exam_sessions SET state = $2, version = version + 1,
             ended_at = CASE WHEN $2 = 'terminated' THEN now() END,
             ending_kind = CASE WHEN $2 = 'terminated' THEN 'completed' END
         WHERE id = $1",
        id.as_uuid(),
        state,
    )
    .execute(conn)
    .await
    .unwrap();
}

async fn set_end(conn: &mut PgConnection, id: ExamSessionId, seconds: f64) {
    sqlx::query!(
        "UPDATE exam_sessions SET ends_at = now() + make_interval(secs => $2), version = version + 1
         WHERE id = $1",
        id.as_uuid(),
        seconds,
    )
    .execute(conn)
    .await
    .unwrap();
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn grant(session_id: ExamSessionId) -> TicketGrant {
    TicketGrant {
        session_id,
        user_id: user("u-1"),
        login_id: LoginId::new("login-1"),
        origin: ORIGIN.to_owned(),
    }
}

async fn issue(pool: &PgPool, session_id: ExamSessionId) -> IssuedTicket {
    let mut tx = pool.begin().await.unwrap();
    let ticket = issue_ticket(&mut tx, &grant(session_id)).await.unwrap();
    tx.commit().await.unwrap();
    ticket
}

fn attempt(ticket: &IssuedTicket, session_id: ExamSessionId) -> Redeem {
    Redeem {
        secret: ticket.secret.clone(),
        session_id,
        user_id: user("u-1"),
        login_id: LoginId::new("login-1"),
        origin: ORIGIN.to_owned(),
    }
}

fn denied(result: Result<impl std::fmt::Debug, RedeemError>) -> TicketDenial {
    match result.unwrap_err() {
        RedeemError::Denied(denial) => denial,
        RedeemError::Database(error) => panic!("{error}"),
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ticket_is_used_once_by_whom_it_is_bound_to(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    let other_session = insert_session(&mut conn, "u-2").await;
    let ticket = issue(&pool, session).await;
    let good = attempt(&ticket, session);
    let wrong = [
        (
            Redeem {
                secret: "AAAAAAAAAAAAAAAAAAAAAA".into(),
                ..good.clone()
            },
            TicketDenial::Unknown,
        ),
        (
            Redeem {
                session_id: other_session,
                ..good.clone()
            },
            TicketDenial::OtherSession,
        ),
        (
            Redeem {
                user_id: user("u-2"),
                ..good.clone()
            },
            TicketDenial::OtherUser,
        ),
        (
            Redeem {
                login_id: LoginId::new("login-2"),
                ..good.clone()
            },
            TicketDenial::OtherLogin,
        ),
        (
            Redeem {
                origin: "http://127.0.0.1:8081".to_owned(),
                ..good.clone()
            },
            TicketDenial::OtherOrigin,
        ),
    ];
    for (attempt, expected) in wrong {
        assert_eq!(denied(redeem_ticket(&mut conn, &attempt).await), expected);
    }
    redeem_ticket(&mut conn, &good).await.unwrap();
    assert_eq!(
        denied(redeem_ticket(&mut conn, &good).await),
        TicketDenial::Used
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_many_racing_uses_of_one_ticket_one_succeeds(pool: PgPool) {
    let session = insert_session(&mut pool.acquire().await.unwrap(), "u-1").await;
    let ticket = issue(&pool, session).await;
    let races: Vec<_> = (0..16)
        .map(|_| {
            let (pool, attempt) = (pool.clone(), attempt(&ticket, session));
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                redeem_ticket(&mut conn, &attempt).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for race in races {
        won += usize::from(race.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_the_hash_of_a_ticket_is_stored(pool: PgPool) {
    use secrecy::ExposeSecret;
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    let ticket = issue(&pool, session).await;
    assert_eq!(ticket.secret.expose_secret().len(), 22);
    let stored = sqlx::query_scalar!("SELECT t::text AS \"row!\" FROM terminal_tickets t")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(!stored.contains(ticket.secret.expose_secret()), "{stored}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ticket_that_is_late_or_revoked_is_refused(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    let late = issue(&pool, session).await;
    sqlx::query!("UPDATE terminal_tickets SET expires_at = now() - interval '1 millisecond'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        denied(redeem_ticket(&mut conn, &attempt(&late, session)).await),
        TicketDenial::Expired
    );
    let revoked = issue(&pool, session).await;
    assert_eq!(revoke_tickets(&mut conn, session).await.unwrap(), 2);
    assert_eq!(revoke_tickets(&mut conn, session).await.unwrap(), 0);
    let attempt = attempt(&revoked, session);
    assert_eq!(
        denied(redeem_ticket(&mut conn, &attempt).await),
        TicketDenial::Revoked
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_user_s_tickets_are_limited_over_racing_processes_and_sessions(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    let races: Vec<_> = (0..20)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut tx = pool.begin().await.unwrap();
                let issued = issue_ticket(&mut tx, &grant(session)).await;
                tx.commit().await.unwrap();
                issued
            })
        })
        .collect();
    let mut issued = 0;
    for race in races {
        match race.await.unwrap() {
            Ok(_) => issued += 1,
            Err(TicketError::TooMany { retry_after }) => {
                assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_mins(1));
            }
            Err(TicketError::Database(error)) => panic!("{error}"),
        }
    }
    assert_eq!(issued, TICKETS_PER_MINUTE);
    sqlx::query!("UPDATE terminal_tickets SET issued_at = issued_at - interval '61 seconds'")
        .execute(&mut *conn)
        .await
        .unwrap();
    issue(&pool, session).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn stale_tickets_are_deleted_in_batches(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    for _ in 0..3 {
        issue(&pool, session).await;
    }
    let hour = Duration::from_hours(1);
    assert_eq!(delete_stale_tickets(&mut conn, hour, 2).await.unwrap(), 0);
    sqlx::query!("UPDATE terminal_tickets SET expires_at = now() - interval '2 hours'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(delete_stale_tickets(&mut conn, hour, 2).await.unwrap(), 2);
    assert_eq!(delete_stale_tickets(&mut conn, hour, 2).await.unwrap(), 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn racing_attaches_each_take_an_epoch_of_their_own(pool: PgPool) {
    let session = insert_session(&mut pool.acquire().await.unwrap(), "u-1").await;
    let races: Vec<_> = (0..16)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                let (process, login) = (TerminalProcessId::generate(), LoginId::new("l"));
                take_epoch(&mut conn, session, process, &login, None)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut epochs = Vec::new();
    for race in races {
        epochs.push(race.await.unwrap());
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=16).collect::<Vec<i64>>());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn authority_follows_epoch_state_and_end(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = insert_session(&mut conn, "u-1").await;
    let never_attached = insert_session(&mut conn, "u-2").await;
    for state in ["initializing", "ready"] {
        set_state(&mut conn, session, state).await;
    }
    take_epoch(
        &mut conn,
        session,
        TerminalProcessId::generate(),
        &LoginId::new("l"),
        None,
    )
    .await
    .unwrap();
    let asked = [session, never_attached, ExamSessionId::generate()];
    let read = current_epochs(&mut conn, &asked).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].epoch, read[0].standing, read[0].remaining),
        (1, Standing::Open, None)
    );
    assert!(
        read[0].cut_off_in > Duration::from_secs(7000),
        "{:?}",
        read[0].cut_off_in
    );

    set_state(&mut conn, session, "running").await;
    set_end(&mut conn, session, 60.0).await;
    let read = current_epochs(&mut conn, &asked).await.unwrap();
    assert!(read[0].cut_off_in <= Duration::from_mins(1));
    assert_eq!(read[0].remaining, Some(read[0].cut_off_in));

    set_end(&mut conn, session, -0.001).await;
    let read = current_epochs(&mut conn, &asked).await.unwrap();
    assert_eq!(
        (read[0].standing, read[0].cut_off_in),
        (Standing::Ended, Duration::ZERO)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn facts_say_where_a_session_stands(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(
        load_facts(&mut conn, ExamSessionId::generate())
            .await
            .unwrap(),
        None
    );
    let session = insert_session(&mut conn, "u-1").await;
    let steps = [
        ("initializing", Standing::Preparing),
        ("ready", Standing::Open),
        ("running", Standing::Open),
        ("terminated", Standing::Ended),
    ];
    let facts = load_facts(&mut conn, session).await.unwrap().unwrap();
    assert_eq!(
        (facts.user_id, facts.standing),
        (user("u-1"), Standing::Preparing)
    );
    for (state, standing) in steps {
        set_state(&mut conn, session, state).await;
        let facts = load_facts(&mut conn, session).await.unwrap().unwrap();
        assert_eq!((facts.standing, facts.state.as_str()), (standing, state));
    }
    let expired = insert_session(&mut conn, "u-2").await;
    set_end(&mut conn, expired, -1.0).await;
    let facts = load_facts(&mut conn, expired).await.unwrap().unwrap();
    assert_eq!(
        (facts.standing, facts.remaining),
        (Standing::Ended, Some(Duration::ZERO))
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_log_names_who_what_and_the_true_reason(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session_id = ExamSessionId::generate();
    let principal = session_identity::Principal {
        user_id: user("u-1"),
        role: Role::Candidate,
        login_id: LoginId::new("l"),
    };
    let denial = environment_access::authorize(None, &principal, Action::Attach);
    for (decision, epoch) in [(&denial, None), (&Decision::Allowed, Some(3))] {
        let entry = AccessEntry {
            session_id,
            user_id: &principal.user_id,
            role: principal.role,
            action: Action::Attach,
            decision,
            detail: None,
            epoch,
        };
        append_access(&mut conn, &entry).await.unwrap();
    }
    let rows = sqlx::query!("SELECT allowed, code, detail, epoch FROM access_log ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        (rows[0].allowed, rows[0].code.as_deref()),
        (false, Some("access.denied"))
    );
    assert_eq!(
        rows[0].detail.as_deref(),
        Some("the session does not exist")
    );
    assert_eq!(
        (rows[1].allowed, rows[1].epoch, rows[1].code.as_deref()),
        (true, Some(3), None)
    );
}
