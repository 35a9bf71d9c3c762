//! Attaches, outages and processes, on a real database.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use environment_access::wire::CloseCode;
use environment_access::{
    AttachmentRecord, Outage, OutageCause, Span, TurnedAway, attachments, beat_attachments,
    beat_process, close_attachment, close_silent_attachments, downtimes, load_interruptions,
    open_attachment, outages, record_outage, record_turned_away, refusals, take_epoch,
};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, LoginId, TerminalProcessId, UserId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

const NOW: Duration = Duration::ZERO;
const SILENT: Duration = Duration::from_secs(45);

/// A session whose clock has run for ten minutes.
async fn running(conn: &mut PgConnection) -> ExamSessionId {
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
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end, running_at)
         VALUES ($1, $3, $2, 'demo', 1, now(), now() + interval '2 hours', now() - interval '10 minutes')",
        id.as_uuid(),
        ExecutionEnvironmentId::generate().as_uuid(),
        id.to_string(),
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    id
}

async fn now(conn: &mut PgConnection) -> DateTime<Utc> {
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#);
    now.fetch_one(conn).await.unwrap()
}

async fn attach(
    conn: &mut PgConnection,
    session: ExamSessionId,
    process: TerminalProcessId,
) -> i64 {
    take_epoch(conn, session, process, &LoginId::new("l"), None)
        .await
        .unwrap()
}

/// Moves what is known of an attach into the past.
async fn age(conn: &mut PgConnection, session: ExamSessionId, epoch: i64, seconds: i32) {
    sqlx::query!(
        "UPDATE terminal_attachments
         SET attached_at = attached_at - make_interval(secs => $3),
             opened_at = opened_at - make_interval(secs => $3),
             seen_at = seen_at - make_interval(secs => $3),
             detached_at = detached_at - make_interval(secs => $3)
         WHERE session_id = $1 AND epoch = $2",
        session.as_uuid(),
        epoch,
        f64::from(seconds),
    )
    .execute(conn)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_attach_ends_once_with_its_own_code(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    let (old, new) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let first = attach(&mut conn, session, old).await;
    open_attachment(&mut conn, session, first, NOW)
        .await
        .unwrap();
    let second = attach(&mut conn, session, new).await;
    for (epoch, code, told) in [
        (first, CloseCode::Superseded, true),
        (first, CloseCode::Internal, false),
        (second, CloseCode::GoingAway, true),
        (second + 1, CloseCode::GoingAway, false),
    ] {
        let closed = close_attachment(&mut conn, session, epoch, code, NOW).await;
        assert_eq!(closed.unwrap(), told, "{epoch} {code:?}");
    }
    let known = attachments(&mut conn, session).await.unwrap();
    let codes: Vec<_> = known.iter().map(AttachmentRecord::closed_with).collect();
    assert_eq!(
        codes,
        [Some(CloseCode::Superseded), Some(CloseCode::GoingAway)]
    );
    assert!(known[0].opened_at.is_some() && known[1].opened_at.is_none());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_its_own_process_says_that_an_attach_lives(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let epoch = attach(&mut conn, session, process).await;
    let mine = [(session, epoch)];
    assert_eq!(beat_attachments(&mut conn, other, &mine).await.unwrap(), 0);
    assert_eq!(
        beat_attachments(&mut conn, process, &mine).await.unwrap(),
        1
    );
    close_attachment(&mut conn, session, epoch, CloseCode::GoingAway, NOW)
        .await
        .unwrap();
    assert_eq!(
        beat_attachments(&mut conn, process, &mine).await.unwrap(),
        0,
        "what is over stays over"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_silent_attach_is_presumed_over_since_its_last_word_and_a_word_of_it_undoes_that(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let (silent, alive) = (running(&mut conn).await, running(&mut conn).await);
    let process = TerminalProcessId::generate();
    for session in [silent, alive] {
        let epoch = attach(&mut conn, session, process).await;
        open_attachment(&mut conn, session, epoch, NOW)
            .await
            .unwrap();
    }
    age(&mut conn, silent, 1, 50).await;
    assert_eq!(
        close_silent_attachments(&mut conn, SILENT, 9)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        close_silent_attachments(&mut conn, SILENT, 9)
            .await
            .unwrap(),
        0
    );
    let known = attachments(&mut conn, silent).await.unwrap().remove(0);
    assert_eq!(known.detached_at, Some(known.seen_at));
    assert_eq!(known.close_code, None);
    assert!(
        attachments(&mut conn, alive).await.unwrap()[0]
            .detached_at
            .is_none()
    );

    let lost = load_interruptions(&mut conn, silent).await.unwrap();
    assert_eq!(lost.last().unwrap().cause, "process_lost");
    beat_attachments(&mut conn, process, &[(silent, 1)])
        .await
        .unwrap();
    let heard = attachments(&mut conn, silent).await.unwrap().remove(0);
    assert_eq!(heard.detached_at, None, "it was only slow");
    assert!(
        close_attachment(&mut conn, silent, 1, CloseCode::Restart, NOW)
            .await
            .unwrap(),
        "and ends as it says itself"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_outage_is_kept_with_the_time_it_happened_at(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    let epoch = attach(&mut conn, session, TerminalProcessId::generate()).await;
    let outage = Outage {
        id: Uuid::now_v7(),
        cause: OutageCause::LegLost,
        lasted: Duration::from_secs(30),
        ended_ago: Duration::from_mins(1),
    };
    for known in [epoch, epoch, epoch + 1] {
        record_outage(&mut conn, (session, known), outage)
            .await
            .unwrap();
    }
    let known = outages(&mut conn, session).await.unwrap();
    assert_eq!(known.len(), 1, "once, and for an attach that there was");
    assert_eq!(
        known[0].ended_at - known[0].began_at,
        TimeDelta::seconds(30)
    );
    let ago = now(&mut conn).await - known[0].ended_at;
    assert!((60..90).contains(&ago.num_seconds()), "{ago}");
    assert_eq!(known[0].cause, "leg_lost");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_was_turned_away_is_told_with_the_time_it_happened_at(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    let user = UserId::parse("u-1").unwrap();
    for (why, seconds) in [(TurnedAway::NotUp, 10), (TurnedAway::Busy, 60)] {
        let ago = Duration::from_secs(seconds);
        record_turned_away(&mut conn, session, &user, why, ago)
            .await
            .unwrap();
    }
    let known = refusals(&mut conn, session).await.unwrap();
    let causes: Vec<_> = known.iter().map(|it| it.cause.as_str()).collect();
    assert_eq!(causes, ["terminal.busy", "terminal.not_up"]);
    let ago = now(&mut conn).await - known[0].at;
    assert!((60..90).contains(&ago.num_seconds()), "{ago}");
    let other = refusals(&mut conn, ExamSessionId::generate()).await;
    assert_eq!(other.unwrap(), []);
}

async fn lines(conn: &mut PgConnection, session: ExamSessionId) -> i64 {
    let lines = sqlx::query_scalar!(
        r#"SELECT count(*) AS "lines!" FROM access_log WHERE session_id = $1"#,
        session.as_uuid()
    );
    lines.fetch_one(conn).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_is_turned_away_again_and_again_leaves_a_line_in_five_seconds(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    let user = UserId::parse("u-1").unwrap();
    // From several processes at once, and told late and out of order.
    let knocks = (0..16).map(|_| {
        let (pool, user) = (pool.clone(), user.clone());
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            let ago = Duration::from_mins(1);
            let told = record_turned_away(&mut conn, session, &user, TurnedAway::Busy, ago);
            told.await.unwrap();
        })
    });
    for knock in knocks.collect::<Vec<_>>() {
        knock.await.unwrap();
    }
    assert_eq!(lines(&mut conn, session).await, 1);
    let mut tell = async |why, seconds| {
        let ago = Duration::from_secs(seconds);
        record_turned_away(&mut conn, session, &user, why, ago)
            .await
            .unwrap();
        lines(&mut conn, session).await
    };
    assert_eq!(tell(TurnedAway::NotUp, 60).await, 2, "another reason");
    assert_eq!(tell(TurnedAway::Busy, 61).await, 2);
    assert_eq!(tell(TurnedAway::Busy, 40).await, 3);
    assert_eq!(tell(TurnedAway::Busy, 50).await, 4);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_twenty_thousand_lines_the_ledger_reads_where_something_changes(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let session = running(&mut conn).await;
    // Ten a second for as long as a session lasts, as older processes wrote them.
    sqlx::query!(
        "INSERT INTO access_log (at, session_id, user_id, role, action, allowed, code)
         SELECT now() - number * interval '100 milliseconds', $1, 'u-1', 'candidate', 'attach', false,
                'terminal.busy'
         FROM generate_series(1, 20000) AS number",
        session.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let two_a_minute = refusals(&mut conn, session).await.unwrap().len();
    assert!((66..=70).contains(&two_a_minute), "{two_a_minute}");
    let process = TerminalProcessId::generate();
    let epoch = attach(&mut conn, session, process).await;
    open_attachment(&mut conn, session, epoch, NOW)
        .await
        .unwrap();
    close_attachment(&mut conn, session, epoch, CloseCode::GoingAway, NOW)
        .await
        .unwrap();
    age(&mut conn, session, epoch, 300).await;
    let known = refusals(&mut conn, session).await.unwrap();
    assert!(known.len() <= two_a_minute + 4, "{known:?}");
    let told = load_interruptions(&mut conn, session).await.unwrap();
    let causes: Vec<_> = told.iter().map(|it| it.cause.as_str()).collect();
    assert!(
        !causes.is_empty() && causes.iter().all(|it| *it == "terminal.busy"),
        "{told:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn downtimes_are_where_no_process_lived(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let at = |second: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second);
    let whole = Span {
        from: at(0),
        until: at(1_000),
    };
    assert_eq!(
        downtimes(&mut conn, whole).await.unwrap(),
        [],
        "of none nothing is known"
    );
    for (started, seen) in [(100, 200), (150, 280), (160, 170), (400, 500), (515, 900)] {
        sqlx::query!(
            "INSERT INTO terminal_processes (id, started_at, seen_at)
             VALUES (gen_random_uuid(), $1, $2)",
            at(started),
            at(seen),
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    let span = |from, until| Span {
        from: at(from),
        until: at(until),
    };
    // Each is believed to live for twenty seconds after its last word.
    let down = downtimes(&mut conn, whole).await.unwrap();
    assert_eq!(down, [span(300, 400), span(920, 1_000)]);
    let within = downtimes(&mut conn, span(350, 360)).await.unwrap();
    assert_eq!(within, [span(350, 360)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_that_reaches_the_database_again_was_not_there_meanwhile(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let process = TerminalProcessId::generate();
    for _ in 0..2 {
        beat_process(&mut conn, process).await.unwrap();
    }
    // Four minutes without a word, as when the database is away.
    sqlx::query!(
        "UPDATE terminal_processes SET started_at = started_at - interval '5 minutes',
                                       seen_at = seen_at - interval '4 minutes'"
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    beat_process(&mut conn, process).await.unwrap();
    let now = now(&mut conn).await;
    let span = Span {
        from: now - TimeDelta::minutes(5),
        until: now,
    };
    let down = downtimes(&mut conn, span).await.unwrap();
    let lasted: Vec<_> = down
        .iter()
        .map(|it| (it.until - it.from).num_seconds())
        .collect();
    assert_eq!(lasted.len(), 1, "one life in two stretches");
    assert!((215..=225).contains(&lasted[0]), "{lasted:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_whose_clock_does_not_run_has_no_interruptions(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let unknown = ExamSessionId::generate();
    assert_eq!(load_interruptions(&mut conn, unknown).await.unwrap(), []);
}
