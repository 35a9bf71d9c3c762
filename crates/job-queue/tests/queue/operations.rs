//! What operators do to many jobs at once.

use std::time::Duration;

use job_queue::{
    BulkOperation, BulkVerb, JobAction, JobFilter, JobState, NewOperation, OperateError,
    OperationCancel, OperationHandler, OperationId, OperationRecord, OperationState, Registry,
    WorkerConfig, cancel_operation, list_dead_groups, load_operation, start_operation,
};
use serde_json::json;
use sqlx::PgPool;
use tokio::time::Instant;

use crate::support::{PATIENCE, Started, ping, put, quick, start, wait_for_state};

const RETRY: BulkVerb = BulkVerb::Retry {
    after: Duration::ZERO,
    spread: Duration::ZERO,
};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("INC-7".to_owned()),
    }
}

/// Made long ago, so that one database clock orders them before every operation.
async fn put_dead(pool: &PgPool, count: i32) {
    let statement = format!(
        "INSERT INTO jobs (id, queue, kind, payload, state, attempt, created_at, finished_at,
                           outcome_class, outcome_reason)
         SELECT lpad(to_hex(n), 32, '0')::uuid, 'test', 'ping', 'null', 'dead', 3,
                now() - interval '1 hour', now(), 'timeout', 'after ' || n || ' s'
         FROM generate_series(1, {count}) n"
    );
    run(pool, &statement).await;
}

async fn run(pool: &PgPool, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(pool)
        .await
        .unwrap();
}

async fn count(pool: &PgPool, condition: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {condition}");
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.as_str()))
        .fetch_one(pool)
        .await
        .unwrap();
    sqlx::Row::get(&row, 0)
}

fn every(state: JobState) -> JobFilter {
    JobFilter {
        state: Some(state),
        ..JobFilter::default()
    }
}

async fn ask(pool: &PgPool, verb: BulkVerb, filter: JobFilter, rate: Option<i32>) -> OperationId {
    let asked = NewOperation {
        verb,
        filter,
        rate,
        expect: None,
    };
    let mut connection = pool.acquire().await.unwrap();
    let started = start_operation(&mut connection, &asked, &dana()).await;
    started.unwrap().expect("something matches").id
}

fn operator(pool: &PgPool, name: &str) -> Started {
    let handler = OperationHandler::new(pool.clone());
    let registry = Registry::new().register::<BulkOperation, _>(handler);
    let config = WorkerConfig {
        lease: Duration::from_secs(3),
        ..quick(name)
    };
    start(pool, registry, config)
}

async fn load(pool: &PgPool, id: OperationId) -> OperationRecord {
    let mut connection = pool.acquire().await.unwrap();
    load_operation(&mut connection, id).await.unwrap().unwrap()
}

async fn wait_until(
    pool: &PgPool,
    id: OperationId,
    wanted: impl Fn(&OperationRecord) -> bool,
) -> OperationRecord {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let operation = load(pool, id).await;
        if wanted(&operation) {
            return operation;
        }
        assert!(
            Instant::now() < give_up,
            "waited too long for {operation:#?}"
        );
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Waits until a statement of this database waits for a row's lock.
async fn wait_for_a_blocked_chunk(pool: &PgPool) {
    let give_up = Instant::now() + PATIENCE;
    let blocked =
        "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while count(pool, blocked).await == 0 {
        assert!(Instant::now() < give_up, "no chunk came to wait");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Every job changed once, and just as often as the operations say.
async fn audit_rows_agree(pool: &PgPool, changed: i64) {
    let rows = "job_actions WHERE verb = 'job.retry'";
    assert_eq!(count(pool, rows).await, changed);
    let twice = "(SELECT 1 FROM job_actions WHERE verb = 'job.retry'
                  GROUP BY job_id HAVING count(*) > 1) t";
    assert_eq!(count(pool, twice).await, 0, "acted on twice");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_operation_whose_worker_is_killed_three_times_acts_on_every_job_once(pool: PgPool) {
    put_dead(&pool, 2_000).await;
    // Ten share a key with a live job.
    run(
        &pool,
        "UPDATE jobs SET idempotency_key = 'k' WHERE id <= lpad('a', 32, '0')::uuid",
    )
    .await;
    put(&pool, &crate::support::keyed("k")).await;
    let id = ask(&pool, RETRY, every(JobState::Dead), Some(400)).await;

    let between = operator(&pool, "between-chunks");
    wait_until(&pool, id, |operation| operation.changed > 0).await;
    between.kill().await;

    let mut blocker = pool.begin().await.unwrap();
    sqlx::raw_sql(
        "SELECT 1 FROM jobs WHERE state = 'dead' ORDER BY id OFFSET 300 LIMIT 1 FOR UPDATE",
    )
    .execute(&mut *blocker)
    .await
    .unwrap();
    let mid_chunk = operator(&pool, "mid-chunk");
    wait_for_a_blocked_chunk(&pool).await;
    let before = load(&pool, id).await.changed;
    mid_chunk.kill().await;
    blocker.rollback().await.unwrap();
    assert_eq!(
        load(&pool, id).await.changed,
        before,
        "half a chunk is none"
    );

    let again = operator(&pool, "between-chunks-again");
    wait_until(&pool, id, |operation| operation.changed > before).await;
    again.kill().await;

    let last = operator(&pool, "last");
    let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
    assert_eq!(ended.state(), OperationState::Done);
    assert_eq!((ended.matched, ended.changed), (2_000, 1_990));
    assert_eq!(ended.skipped, json!({ "key_taken": 10 }));
    audit_rows_agree(&pool, 1_990).await;
    let ready = "jobs WHERE kind = 'ping' AND state = 'ready' AND attempt = 0";
    assert_eq!(count(&pool, ready).await, 1_991);
    let job = session_identity::JobId::from_uuid(ended.job_id.unwrap());
    let job = wait_for_state(&pool, job, "done").await;
    assert_eq!(job.crash_count, 0, "a run that moved on is no crash loop");
    last.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_workers_and_two_operations_on_the_same_jobs_act_on_each_once(pool: PgPool) {
    put_dead(&pool, 2_000).await;
    let workers = [operator(&pool, "one"), operator(&pool, "two")];
    let ids = [
        ask(&pool, RETRY, every(JobState::Dead), Some(5_000)).await,
        ask(&pool, RETRY, JobFilter::default(), Some(5_000)).await,
    ];
    let mut changed = 0;
    for id in ids {
        let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
        assert_eq!(ended.state(), OperationState::Done);
        changed += ended.changed;
    }
    assert_eq!(changed, 2_000);
    audit_rows_agree(&pool, 2_000).await;
    for worker in workers {
        worker.drain().await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_cancelled_operation_stops_and_keeps_what_it_has_done(pool: PgPool) {
    put_dead(&pool, 300).await;
    let id = ask(&pool, RETRY, every(JobState::Dead), Some(50)).await;
    let worker = operator(&pool, "w");
    wait_until(&pool, id, |operation| operation.changed > 0).await;
    let mut connection = pool.acquire().await.unwrap();
    let cancelled = cancel_operation(&mut connection, id, &dana())
        .await
        .unwrap();
    assert_eq!(cancelled, OperationCancel::Cancelled);
    let ended = load(&pool, id).await;
    assert_eq!(ended.state(), OperationState::Cancelled);
    let job = session_identity::JobId::from_uuid(ended.job_id.unwrap());
    wait_for_state(&pool, job, "done").await;
    let after = load(&pool, id).await;
    assert_eq!(after.changed, ended.changed);
    assert!((1..300).contains(&after.changed), "{after:?}");
    audit_rows_agree(&pool, after.changed).await;
    let again = cancel_operation(&mut connection, id, &dana())
        .await
        .unwrap();
    assert_eq!(again, OperationCancel::Unchanged);
    let unknown = cancel_operation(&mut connection, OperationId(99), &dana()).await;
    assert!(matches!(
        unknown,
        Err(OperateError::OperationNotFound { .. })
    ));
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_drained_worker_hands_the_operation_to_the_next_without_an_attempt(pool: PgPool) {
    put_dead(&pool, 400).await;
    let id = ask(&pool, RETRY, every(JobState::Dead), Some(100)).await;
    let first = operator(&pool, "first");
    wait_until(&pool, id, |operation| operation.changed > 0).await;
    first.drain().await;
    let left = load(&pool, id).await;
    assert!(!left.has_ended(), "{left:?}");
    let second = operator(&pool, "second");
    let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
    assert_eq!(ended.changed, 400);
    audit_rows_agree(&pool, 400).await;
    let job = session_identity::JobId::from_uuid(ended.job_id.unwrap());
    assert_eq!(wait_for_state(&pool, job, "done").await.attempt, 1);
    second.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_is_made_where_nothing_matches_and_nothing_if_the_set_has_grown(pool: PgPool) {
    put_dead(&pool, 3).await;
    let mut connection = pool.acquire().await.unwrap();
    let mut asked = NewOperation {
        verb: RETRY,
        filter: every(JobState::Cancelled),
        rate: None,
        expect: None,
    };
    let none = start_operation(&mut connection, &asked, &dana())
        .await
        .unwrap();
    assert!(none.is_none());
    asked.filter = every(JobState::Dead);
    asked.expect = Some(2);
    let grown = start_operation(&mut connection, &asked, &dana()).await;
    assert!(matches!(
        grown,
        Err(OperateError::SetHasGrown {
            expected: 2,
            found: 3
        })
    ));
    assert_eq!(count(&pool, "job_operations").await, 0);
    assert_eq!(count(&pool, "job_actions").await, 0);
    assert_eq!(count(&pool, "jobs WHERE kind = 'bulk_operation'").await, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_verb_changes_the_jobs_it_fits_and_counts_the_others_by_why(pool: PgPool) {
    let worker = operator(&pool, "w");
    let one_of_each = "TRUNCATE jobs, job_attempts;
        INSERT INTO jobs (id, queue, kind, payload, state, created_at, finished_at, lease_until,
                          lease_owner)
        SELECT gen_random_uuid(), 'test', 'ping', 'null', state, now() - interval '1 hour',
               CASE WHEN state IN ('done', 'dead', 'cancelled') THEN now() END,
               CASE WHEN state = 'running' THEN now() + interval '1 hour' END,
               CASE WHEN state = 'running' THEN gen_random_uuid() END
        FROM unnest('{ready,running,done,dead,cancelled}'::text[]) state";
    let pings = JobFilter {
        kind: Some("ping".to_owned()),
        ..JobFilter::default()
    };
    let lasts = Duration::from_hours(1);
    let to = "other".to_owned();
    let cases = [
        (
            RETRY,
            2,
            json!({ "is_ready": 1, "is_running": 1, "is_done": 1 }),
        ),
        (
            BulkVerb::Cancel,
            2,
            json!({ "is_done": 1, "is_dead": 1, "is_cancelled": 1 }),
        ),
        (
            BulkVerb::Snooze { lasts },
            1,
            json!({ "is_running": 1, "is_done": 1, "is_dead": 1, "is_cancelled": 1 }),
        ),
        (
            BulkVerb::Move { to },
            1,
            json!({ "is_running": 1, "is_done": 1, "is_dead": 1, "is_cancelled": 1 }),
        ),
        (
            BulkVerb::Purge,
            3,
            json!({ "is_ready": 1, "is_running": 1 }),
        ),
    ];
    let effects = [
        ("state = 'ready'", 3),
        ("state IN ('ready', 'dead', 'done')", 2),
        ("run_at > now() + interval '59 minutes'", 1),
        ("queue = 'other' AND state = 'ready'", 1),
        ("true", 2),
    ];
    for ((verb, changed, skipped), (effect, rows)) in cases.into_iter().zip(effects) {
        run(&pool, one_of_each).await;
        let word = verb.as_str().to_owned();
        let id = ask(&pool, verb, pings.clone(), None).await;
        let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
        assert_eq!((ended.changed, ended.skipped), (changed, skipped), "{word}");
        let effect = format!("jobs WHERE kind = 'ping' AND {effect}");
        assert_eq!(count(&pool, &effect).await, rows, "{word}: {effect}");
        let noted = format!("job_actions WHERE verb = 'job.{word}' AND reason = 'INC-7'");
        assert_eq!(count(&pool, &noted).await, changed, "{word}");
        // The next round truncates: no run of this one may be under way.
        let job = session_identity::JobId::from_uuid(ended.job_id.unwrap());
        wait_for_state(&pool, job, "done").await;
    }
    assert_eq!(
        count(&pool, "job_actions WHERE verb = 'operation.end'").await,
        5
    );
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_spread_retry_uses_the_whole_of_its_time(pool: PgPool) {
    put_dead(&pool, 400).await;
    let worker = operator(&pool, "w");
    let spread = Duration::from_hours(2);
    let id = ask(
        &pool,
        BulkVerb::Retry {
            after: Duration::ZERO,
            spread,
        },
        every(JobState::Dead),
        None,
    )
    .await;
    wait_until(&pool, id, OperationRecord::has_ended).await;
    let halves = ["<", ">="].map(|side| {
        format!("jobs WHERE kind = 'ping' AND run_at {side} now() + interval '1 hour'")
    });
    for half in halves {
        let jobs = count(&pool, &half).await;
        assert!((100..300).contains(&jobs), "{jobs} of {half}");
    }
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn dead_jobs_that_failed_alike_are_one_group_and_are_redriven_alone(pool: PgPool) {
    put_dead(&pool, 5).await;
    let reasons = "UPDATE jobs SET outcome_reason = (ARRAY[
            'pod \"a-1\" at 10.0.0.1:22 gone after 3 s', 'pod \"b\" at 10.20.0.1:2222 gone after 14 s',
            'job 01931f4e-0000-7000-8000-000000000001 is no more',
            'job 01931f4e-0000-7000-8000-00000000000f is no more', 'something else'
        ])[right(id::text, 1)::int]";
    run(&pool, reasons).await;
    let mut connection = pool.acquire().await.unwrap();
    let all = JobFilter::default();
    let groups = list_dead_groups(&mut connection, &all, 10).await.unwrap();
    let counts: Vec<_> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [2, 2, 1], "{groups:#?}");
    let pods = groups
        .iter()
        .find(|group| group.pattern.as_deref() == Some("pod ? at ? gone after ? s"));
    let group = pods.expect("the pods' group").group.clone();
    assert!(group.len() == 8 && group.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let filter = JobFilter {
        error_group: Some(group),
        ..every(JobState::Dead)
    };
    let worker = operator(&pool, "w");
    let id = ask(&pool, RETRY, filter, None).await;
    let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
    assert_eq!(ended.changed, 2);
    assert_eq!(
        count(
            &pool,
            "jobs WHERE state = 'ready' AND outcome_reason LIKE 'pod%'"
        )
        .await,
        2
    );
    assert_eq!(count(&pool, "jobs WHERE state = 'dead'").await, 3);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_made_after_the_operation_is_not_touched(pool: PgPool) {
    put_dead(&pool, 1).await;
    let id = ask(&pool, RETRY, every(JobState::Dead), None).await;
    let late = put(&pool, &ping(1)).await;
    run(
        &pool,
        "UPDATE jobs SET state = 'dead', finished_at = now() WHERE kind = 'ping'",
    )
    .await;
    let worker = operator(&pool, "w");
    let ended = wait_until(&pool, id, OperationRecord::has_ended).await;
    assert_eq!(ended.changed, 1);
    assert_eq!(crate::support::load(&pool, late).await.state, "dead");
    worker.drain().await;
}
