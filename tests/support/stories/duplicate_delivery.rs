//! Every job is delivered again, several times at once, after it was done.

use crate::logins::Login;
use crate::wait::SOON;
use crate::{Candidate, TestSystem};

/// Tells the story on a system with several workers.
pub async fn tell(system: &TestSystem) {
    let candidate = system.ready_candidate("u-1").await;
    assert_unmoved_by_repetition(system, &candidate).await;

    let mut terminal = system.attach(&candidate).await;
    system.await_state(&candidate, "running", SOON).await;
    terminal.type_line("kept=$((6*7))").await;
    assert_unmoved_by_repetition(system, &candidate).await;
    terminal.type_line("echo still-$kept").await;
    terminal.expect("still-42").await;

    system
        .terminate(&candidate, &Login::operator())
        .await
        .assert_status(202);
    system.await_gone(&candidate, SOON).await;
    assert_unmoved_by_repetition(system, &candidate).await;
    let kinds = sqlx::query_scalar!(r#"SELECT count(DISTINCT kind) AS "n!" FROM jobs"#);
    assert_eq!(
        kinds
            .fetch_one(system.pool())
            .await
            .expect("the database answers"),
        5,
        "every kind was repeated"
    );
}

/// Delivers every finished job three more times and compares all that can be seen.
async fn assert_unmoved_by_repetition(system: &TestSystem, candidate: &Candidate) {
    system.await_no_jobs(SOON).await;
    let before = seen(system, candidate).await;
    deliver_again(system).await;
    system.await_no_jobs(SOON).await;
    assert_eq!(seen(system, candidate).await, before);
    let spoilt = sqlx::query_scalar!(
        r#"SELECT format('%s %s %s', kind, state, outcome_reason) AS "job!" FROM jobs
           WHERE state <> 'done'"#
    );
    assert_eq!(
        spoilt
            .fetch_all(system.pool())
            .await
            .expect("the database answers"),
        Vec::<String>::new()
    );
    system.assert_invariants().await;
}

/// Enqueues every job that was ever enqueued three more times, past deduplication.
pub async fn deliver_again(system: &TestSystem) {
    sqlx::query!(
        "INSERT INTO jobs (id, queue, kind, kind_version, payload, max_attempts, session_id,
                           enqueued_by)
         SELECT gen_random_uuid(), queue, kind, kind_version, payload, max_attempts, session_id,
                'duplicate'
         FROM jobs, generate_series(1, 3) WHERE enqueued_by <> 'duplicate'"
    )
    .execute(system.pool())
    .await
    .expect("the database answers");
}

/// All that a repetition could move: the session, its history, its environment and what is there.
async fn seen(system: &TestSystem, candidate: &Candidate) -> Vec<String> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT line AS "line!" FROM (
            SELECT 1 AS part, 0::bigint AS number, s::text AS line
            FROM exam_sessions s WHERE id = $1::text::uuid
            UNION ALL
            SELECT 2, id, t::text FROM session_transitions t WHERE session_id = $1::text::uuid
            UNION ALL
            SELECT 3, 0, e::text FROM execution_environments e WHERE session_id = $1::text::uuid
        ) AS lines ORDER BY part, number
        "#,
        candidate.session_id
    );
    let mut seen = rows
        .fetch_all(system.pool())
        .await
        .expect("the database answers");
    let there = system.environments().await;
    seen.extend(
        there
            .iter()
            .map(|listed| format!("{} {}", listed.name, listed.uid)),
    );
    seen
}
