//! What must hold after every fault, whatever it was: eleven statements, each with its proof.

use std::collections::HashMap;
use std::time::Duration;

use execution_environment::{Listed, Phase, count_not_gone};
use session_identity::InstallId;
use sqlx::PgPool;

use crate::database::TestDatabase;
use crate::runtime::TestRuntime;
use crate::wait::{SOON, until};

/// Lists every invariant that is broken, with the row or environment that breaks it; empty is good.
///
/// To be asked when nothing is under way any more: with jobs running, rows and environments differ
/// for moments.
pub async fn broken(database: &TestDatabase, runtime: &TestRuntime) -> Vec<String> {
    broken_in(&database.pool, database.install_id, runtime).await
}

/// Waits until no job is left.
pub(crate) async fn await_no_jobs(pool: &PgPool, within: Duration) {
    until("every job is finished", within, async || {
        let left = sqlx::query_scalar!(
            r#"SELECT count(*) AS "left!" FROM jobs WHERE state IN ('ready', 'running')"#
        )
        .fetch_one(pool)
        .await
        .expect("the database answers");
        (left == 0).then_some(())
    })
    .await;
}

/// Waits until no job is left, and asserts that nothing is where it should not be.
pub async fn assert_none_broken(pool: &PgPool, install_id: InstallId, runtime: &TestRuntime) {
    await_no_jobs(pool, SOON).await;
    let broken = broken_in(pool, install_id, runtime).await;
    assert!(
        broken.is_empty(),
        "broken invariants:\n{}",
        broken.join("\n")
    );
}

async fn broken_in(pool: &PgPool, install_id: InstallId, runtime: &TestRuntime) -> Vec<String> {
    let listed = runtime.environments(install_id).await;
    let mut found = environments(pool, &listed).await;
    found.extend(rows(pool).await);
    for anchor in runtime.anchors(install_id).await {
        if !listed.iter().any(|one| one.name.as_str() == anchor) {
            found.push(format!("3: anchor {anchor} has no environment"));
        }
    }
    found
}

/// One environment as its row has it.
struct Row {
    session_id: String,
    live: bool,
    attachable: bool,
    has_job: bool,
    state: String,
    uid: Option<String>,
}

async fn environments(pool: &PgPool, listed: &[Listed]) -> Vec<String> {
    let mut broken = Vec::new();
    let rows = load(pool).await;
    let mut by_session: HashMap<String, Vec<&Listed>> = HashMap::new();
    for one in listed {
        by_session
            .entry(one.labels.session_id.to_string())
            .or_default()
            .push(one);
    }
    for (session, found) in &by_session {
        if found.len() > 1 {
            broken.push(format!(
                "1: session {session} has {} environments",
                found.len()
            ));
        }
        if !rows.iter().any(|row| row.session_id == *session) {
            broken.push(format!("3: environment of {session} has no row"));
        }
    }
    for row in &rows {
        let found = by_session
            .get(&row.session_id)
            .and_then(|found| found.first());
        broken.extend(row.judge(found.copied()));
    }
    let mut conn = pool.acquire().await.expect("the database answers");
    let counted = count_not_gone(&mut conn)
        .await
        .expect("the database counts");
    if usize::try_from(counted) != Ok(listed.len()) {
        let there = listed.len();
        broken.push(format!(
            "9: {counted} environments count as capacity, {there} are there"
        ));
    }
    broken
}

impl Row {
    fn judge(&self, found: Option<&Listed>) -> Option<String> {
        let session = &self.session_id;
        let fits = found.is_some_and(|found| Some(found.uid.as_str()) == self.uid.as_deref());
        let runs = found.is_some_and(|found| found.phase == Phase::Running);
        if self.live && !self.has_job && !fits {
            return Some(format!(
                "2: live session {session} has neither environment nor job"
            ));
        }
        if self.attachable && !(fits && runs) {
            return Some(format!(
                "2: session {session} may be attached to and has no environment"
            ));
        }
        if self.state == "gone" && found.is_some() {
            return Some(format!(
                "7: the environment of {session} is there and said to be gone"
            ));
        }
        if !self.live && !self.has_job && !["gone", "absent"].contains(&self.state.as_str()) {
            let state = &self.state;
            return Some(format!(
                "9: nobody destroys the environment of {session} ({state})"
            ));
        }
        None
    }
}

async fn load(pool: &PgPool) -> Vec<Row> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT s.id::text AS "session_id!",
               s.state NOT IN ('terminated', 'failed') AS "live!",
               s.state IN ('ready', 'running') AS "attachable!",
               EXISTS (SELECT FROM jobs j
                       WHERE j.session_id = s.id AND j.state IN ('ready', 'running')) AS "has_job!",
               coalesce(e.state, 'no row') AS "state!",
               e.runtime_uid AS uid
        FROM exam_sessions s LEFT JOIN execution_environments e ON e.session_id = s.id
        "#
    );
    rows.fetch_all(pool).await.expect("the database answers")
}

/// What rows alone can prove.
async fn rows(pool: &PgPool) -> Vec<String> {
    let lines = sqlx::query_scalar!(
        r#"
        WITH steps AS (
            SELECT t.*, lag(to_state) OVER w AS before, lead(to_state) OVER w AS after,
                   s.state AS now
            FROM session_transitions t JOIN exam_sessions s ON s.id = t.session_id
            WINDOW w AS (PARTITION BY t.session_id ORDER BY t.version)
        ), admitted AS (
            SELECT session_id, count(*) AS attaches, count(DISTINCT epoch) AS epochs,
                   max(epoch) AS newest
            FROM access_log WHERE action = 'attach' AND allowed GROUP BY session_id
        )
        SELECT line AS "line!" FROM (
            SELECT format('4: session %s went from %s to %s', session_id, from_state, to_state) AS line
            FROM steps
            WHERE from_state IS DISTINCT FROM before
               OR (from_state IS NULL AND to_state <> 'created')
               OR (from_state IS NOT NULL AND NOT session_transition_allowed(from_state, to_state))
            UNION ALL
            SELECT format('4: session %s is %s, its history ends with %s', session_id, now, to_state)
            FROM steps WHERE after IS NULL AND now <> to_state
            UNION ALL
            SELECT format('5: session %s ended at %s, its terminal was alive at %s', s.id, s.ended_at, a.seen_at)
            FROM exam_sessions s JOIN terminal_attachments a ON a.session_id = s.id
            WHERE a.seen_at > s.ended_at + interval '5 seconds'
            UNION ALL
            -- A process closes its own attaches at once. What it could not is closed by a sweep that comes
            -- every 10 s, after 45 s of silence; a busy machine has 15 s more.
            SELECT format('5: session %s ended at %s, its attach %s is still open', s.id, s.ended_at, a.epoch)
            FROM exam_sessions s JOIN terminal_attachments a ON a.session_id = s.id
            WHERE a.detached_at IS NULL
              AND greatest(s.ended_at, a.seen_at) < clock_timestamp() - interval '70 seconds'
              AND s.ended_at IS NOT NULL
            UNION ALL
            SELECT format('6: job %s %s is %s, its lease ended %s', id, kind, state, lease_until)
            FROM jobs
            WHERE (state = 'running' AND lease_until < clock_timestamp() - interval '2 seconds')
               OR (state = 'ready' AND run_at < clock_timestamp() - interval '10 seconds')
            UNION ALL
            SELECT format('8: session %s has %s attaches in %s epochs, the newest %s, its terminal is at %s',
                          a.session_id, a.attaches, a.epochs, a.newest, t.epoch)
            FROM admitted a LEFT JOIN terminals t ON t.session_id = a.session_id
            WHERE a.attaches <> a.epochs OR a.newest IS DISTINCT FROM t.epoch
            UNION ALL
            SELECT format('10: session %s failed without class, code or evidence', id)
            FROM exam_sessions
            WHERE state = 'failed'
              AND (failure_class IS NULL OR failure_code IS NULL
                   OR failure_evidence IS NULL OR failure_evidence = 'null')
            UNION ALL
            -- The sweep of those that are stuck comes every 5 s; a busy machine has three of its periods.
            SELECT format('11: session %s is %s, it had to be ready by %s', id, state, ready_by)
            FROM exam_sessions
            WHERE state IN ('created', 'initializing')
              AND ready_by < clock_timestamp() - interval '15 seconds'
        ) AS lines
        "#
    );
    lines.fetch_all(pool).await.expect("the database answers")
}
