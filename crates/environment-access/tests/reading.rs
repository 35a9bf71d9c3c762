//! Who reads a recorded shell, on a real database.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::time::Duration;

use environment_access::{
    Leaving, ReadShell, begin_reading, claim_unread_shells, count_unread_shells, keep_reading,
    leave_shells, take_epoch,
};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, LoginId, TerminalProcessId};
use sqlx::{PgConnection, PgPool};

const LONG: Duration = Duration::from_hours(1);
/// A lease that is over at once.
const LAPSED: Duration = Duration::ZERO;
const AT_ONCE: Leaving = Leaving::Unread(Duration::ZERO);
const MOST: i64 = 100;

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
    for state in ["initializing", "ready", "running"] {
        set_state(conn, id, state).await;
    }
    id
}

async fn set_state(conn: &mut PgConnection, id: ExamSessionId, state: &str) {
    sqlx::query!(
        "UPDATE exam_sessions SET state = $2, version = version + 1,
             ended_at = CASE WHEN $2 = 'terminated' THEN now() END,
             ending_kind = CASE WHEN $2 = 'terminated' THEN 'operator_ended' END
         WHERE id = $1",
        id.as_uuid(),
        state,
    )
    .execute(conn)
    .await
    .unwrap();
}

/// An attach of a process that records, whose browser has gone.
async fn unattended(conn: &mut PgConnection, process: TerminalProcessId) -> ReadShell {
    let session_id = running(conn).await;
    attach(conn, session_id, process).await
}

async fn attach(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    process: TerminalProcessId,
) -> ReadShell {
    let login = LoginId::new("l");
    let epoch = take_epoch(conn, session_id, process, &login, None)
        .await
        .unwrap();
    begin_reading(conn, process, (session_id, epoch), true)
        .await
        .unwrap();
    ReadShell {
        session_id,
        epoch,
        shell_epoch: 3,
        columns: 132,
        rows: 50,
        is_attached: false,
    }
}

async fn keep(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    lease: Duration,
    shells: &[ReadShell],
) -> Vec<ExamSessionId> {
    keep_reading(conn, process, lease, shells).await.unwrap()
}

/// What a process gets that takes whatever nobody reads.
async fn claim(conn: &mut PgConnection, process: TerminalProcessId) -> Vec<ReadShell> {
    let claimed = claim_unread_shells(conn, process, LONG, true, MOST).await;
    claimed.unwrap().shells
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_shell_is_its_reader_s_until_the_lease_is_over_and_then_another_s_as_it_was(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let (dead, heir) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let shell = unattended(&mut conn, dead).await;
    assert_eq!(keep(&mut conn, dead, LONG, &[shell]).await, []);
    assert_eq!(claim(&mut conn, heir).await, []);
    assert_eq!(keep(&mut conn, dead, LAPSED, &[shell]).await, []);
    assert_eq!(count_unread_shells(&mut conn).await.unwrap(), 1);
    // One that has just come back waits for the others' word.
    let waits = claim_unread_shells(&mut conn, heir, LONG, false, MOST).await;
    assert_eq!(waits.unwrap().shells, []);
    assert_eq!(claim(&mut conn, heir).await, [shell]);
    assert_eq!(count_unread_shells(&mut conn).await.unwrap(), 0);
    assert_eq!(
        keep(&mut conn, dead, LONG, &[shell]).await,
        [shell.session_id],
        "it learns that it has lost it"
    );
    let late = [(shell.session_id, shell.epoch, Leaving::Over)];
    leave_shells(&mut conn, dead, &late).await.unwrap();
    assert_eq!(
        keep(&mut conn, heir, LONG, &[shell]).await,
        [],
        "the heir has it"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_process_leaves_is_anybody_s_at_once_later_or_never(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, heir) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let mut shells = Vec::new();
    for leaving in [AT_ONCE, Leaving::Unread(LONG), Leaving::Over] {
        let shell = unattended(&mut conn, process).await;
        shells.push((shell.session_id, shell.epoch, leaving));
    }
    leave_shells(&mut conn, process, &shells).await.unwrap();
    // Left, not lapsed: nobody has to wait for the one who left it.
    let claimed = claim_unread_shells(&mut conn, heir, LONG, false, MOST).await;
    let claimed: Vec<_> = claimed
        .unwrap()
        .shells
        .iter()
        .map(|it| it.session_id)
        .collect();
    assert_eq!(claimed, [shells[0].0]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_s_attach_has_its_shell_whoever_has_claimed_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let shell = unattended(&mut conn, process).await;
    keep(&mut conn, process, LAPSED, &[shell]).await;
    assert_eq!(claim(&mut conn, other).await.len(), 1);
    let attached = ReadShell {
        is_attached: true,
        ..shell
    };
    assert_eq!(keep(&mut conn, process, LONG, &[attached]).await, []);
    assert_eq!(
        keep(&mut conn, other, LONG, &[shell]).await,
        [shell.session_id]
    );
    let newer = attach(&mut conn, shell.session_id, other).await;
    assert!(newer.epoch > shell.epoch);
    keep(&mut conn, process, LONG, &[attached]).await;
    assert_eq!(
        keep(&mut conn, other, LONG, &[newer]).await,
        [],
        "an older attach has nothing"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_attach_that_says_nothing_of_reading_or_is_not_recorded_is_left_alone(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    // As a process of the release before attaches.
    let shell = unattended(&mut conn, process).await;
    keep(&mut conn, process, LAPSED, &[shell]).await;
    let login = LoginId::new("l");
    take_epoch(&mut conn, shell.session_id, process, &login, None)
        .await
        .unwrap();
    let shell = unattended(&mut conn, process).await;
    keep(&mut conn, process, LAPSED, &[shell]).await;
    begin_reading(&mut conn, process, (shell.session_id, shell.epoch), false)
        .await
        .unwrap();
    assert_eq!(claim(&mut conn, other).await, []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_that_is_over_is_claimed_by_nobody(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let shell = unattended(&mut conn, process).await;
    keep(&mut conn, process, LAPSED, &[shell]).await;
    set_state(&mut conn, shell.session_id, "terminated").await;
    assert_eq!(claim(&mut conn, other).await, []);
    let asked = sqlx::query_scalar!(
        r#"SELECT count(*) AS "asked!" FROM terminals WHERE read_epoch IS NOT NULL"#
    );
    assert_eq!(
        asked.fetch_one(&mut *conn).await.unwrap(),
        0,
        "nor looked at again"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_reads_the_last_words_of_a_session_that_is_over_is_cut_off_by_no_claim(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let shell = unattended(&mut conn, process).await;
    keep(&mut conn, process, LAPSED, &[shell]).await;
    set_state(&mut conn, shell.session_id, "terminated").await;
    assert_eq!(claim(&mut conn, other).await, []);
    assert_eq!(keep(&mut conn, process, LONG, &[shell]).await, []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_older_reader_goes_on_until_the_leg_of_a_newer_attach_takes_the_shell(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, other) = (TerminalProcessId::generate(), TerminalProcessId::generate());
    let older = unattended(&mut conn, process).await;
    let newer = attach(&mut conn, older.session_id, other).await;
    assert_eq!(
        keep(&mut conn, process, LONG, &[older]).await,
        [],
        "the newer leg may not be there yet"
    );
    assert_eq!(keep(&mut conn, other, LAPSED, &[newer]).await, []);
    let left = [(older.session_id, older.epoch, Leaving::Over)];
    leave_shells(&mut conn, process, &left).await.unwrap();
    assert_eq!(
        claim(&mut conn, process).await,
        [newer],
        "and says nothing of it"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn processes_that_race_for_shells_get_each_of_them_once_a_batch_at_a_time(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let gone = TerminalProcessId::generate();
    let mut left = Vec::new();
    for _ in 0..20 {
        let shell = unattended(&mut conn, gone).await;
        left.push((shell.session_id, shell.epoch, AT_ONCE));
    }
    leave_shells(&mut conn, gone, &left).await.unwrap();
    let races = (0..4).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let (mut conn, process) =
                (pool.acquire().await.unwrap(), TerminalProcessId::generate());
            let mut all = Vec::new();
            loop {
                let batch = claim_unread_shells(&mut conn, process, LONG, true, 3).await;
                let batch = batch.unwrap();
                assert_eq!(batch.may_be_more, batch.shells.len() == 3);
                let batch = batch.shells;
                assert!(batch.len() <= 3);
                // A batch may be empty because the others' rows are locked, too: they are theirs.
                if batch.is_empty() {
                    return all;
                }
                all.extend(batch.iter().map(|it| it.session_id));
            }
        })
    });
    let mut claimed = Vec::new();
    for race in races.collect::<Vec<_>>() {
        claimed.extend(race.await.unwrap());
    }
    claimed.extend(claim(&mut conn, gone).await.iter().map(|it| it.session_id));
    assert_eq!(claimed.len(), 20);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 20);
}
