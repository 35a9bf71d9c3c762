//! What operators take from a worker stays taken, whatever its handlers still answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job_queue::{
    ActionOutcome, AfterKill, JobAction, OperateError, Outcome, Registry, Waker, WhyNotRunning,
    WorkerConfig, drain_worker, evict_worker, find_worker, kill_job, snooze_job, undrain_worker,
    why_not_running,
};
use session_identity::{JobId, WorkerIncarnation};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Notify, watch};

use crate::support::{
    PATIENCE, Ping, handler, load, outcomes, ping, put, quick, start, wait_for_state,
};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("hung ssh".to_owned()),
    }
}

/// Its first run ends when the gate opens, every other at once.
fn first_hangs(gate: &Arc<Notify>) -> Registry {
    let (gate, runs) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        let gate = gate.clone();
        let is_first = runs.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                gate.notified().await;
            }
            Outcome::Done
        }
    }))
}

/// The row comes with the first heartbeat, which may be later than the first claim.
async fn found(connection: &mut PgConnection, name: &str) -> WorkerIncarnation {
    let found = async {
        loop {
            match find_worker(connection, name).await {
                Ok(worker) => break worker,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.expect("the worker's row in time")
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_killed_job_is_dead_at_once_and_its_late_answer_refused(pool: PgPool) {
    let gate = Arc::new(Notify::new());
    let worker = start(&pool, first_hangs(&gate), quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let mut connection = pool.acquire().await.unwrap();
    let killed = kill_job(&mut connection, id, AfterKill::Park, &dana()).await;
    assert_eq!(killed.unwrap(), ActionOutcome::Killed);
    let job = load(&pool, id).await;
    assert_eq!(
        (job.state.as_str(), job.outcome_class.as_deref()),
        ("dead", Some("killed"))
    );
    gate.notify_one();
    assert_eq!(worker.drain().await.stale, 1);
    assert_eq!(load(&pool, id).await.state, "dead");
    assert_eq!(outcomes(&pool, id).await, ["killed"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_killed_to_be_requeued_runs_anew_even_if_that_was_its_last_attempt(pool: PgPool) {
    let gate = Arc::new(Notify::new());
    let worker = start(&pool, first_hangs(&gate), quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let last = "UPDATE jobs SET max_attempts = 1";
    sqlx::raw_sql(last).execute(&pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let killed = kill_job(&mut connection, id, AfterKill::Requeue, &dana()).await;
    assert_eq!(killed.unwrap(), ActionOutcome::Requeued);
    wait_for_state(&pool, id, "done").await;
    gate.notify_one();
    assert_eq!(worker.drain().await.stale, 1);
    assert_eq!(outcomes(&pool, id).await, ["killed", "done"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_what_runs_can_be_killed_and_only_what_waits_put_off(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let id = put(&pool, &ping(1)).await;
    let refused = kill_job(&mut connection, id, AfterKill::Park, &dana()).await;
    assert!(matches!(refused, Err(OperateError::Refused { .. })));
    let hour = Duration::from_hours(1);
    let snoozed = snooze_job(&mut connection, id, hour, &dana()).await;
    assert_eq!(snoozed.unwrap(), ActionOutcome::Snoozed);
    let reasons = why_not_running(&mut connection, id).await.unwrap();
    assert!(
        matches!(reasons[0], WhyNotRunning::NotDue { in_seconds, .. } if in_seconds > 3_590.0),
        "{reasons:?}"
    );
    job_queue::cancel_job(&mut connection, id, &dana())
        .await
        .unwrap();
    let refused = snooze_job(&mut connection, id, hour, &dana()).await;
    assert!(matches!(refused, Err(OperateError::Refused { .. })));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_drained_worker_claims_nothing_from_that_moment_on_until_it_may_again(pool: PgPool) {
    // A heartbeat as seldom as it may be: the claim itself must know.
    let config = WorkerConfig {
        heartbeat: Duration::from_secs(5),
        lease: Duration::from_secs(20),
        ..quick("w")
    };
    let gate = Arc::new(Notify::new());
    let worker = start(&pool, first_hangs(&gate), config);
    let running = put(&pool, &ping(1)).await;
    wait_for_state(&pool, running, "running").await;
    let mut connection = pool.acquire().await.unwrap();
    let named = found(&mut connection, "w").await;
    drain_worker(&mut connection, named, &dana()).await.unwrap();
    let waiting = put(&pool, &ping(2)).await;
    gate.notify_one();
    wait_for_state(&pool, running, "done").await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(load(&pool, waiting).await.state, "ready");
    let reasons = why_not_running(&mut connection, waiting).await.unwrap();
    let [WhyNotRunning::WorkersHold { reason }] = &reasons[..] else {
        panic!("unexpected reasons: {reasons:?}");
    };
    assert!(reason.starts_with("drained by staff:dana"), "{reason}");
    undrain_worker(&mut connection, named, &dana())
        .await
        .unwrap();
    wait_for_state(&pool, waiting, "done").await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_jobs_of_an_evicted_worker_go_to_others_uncharged(pool: PgPool) {
    let gate = Arc::new(Notify::new());
    let evicted = start(&pool, first_hangs(&gate), quick("old"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let mut connection = pool.acquire().await.unwrap();
    let named = found(&mut connection, "old").await;
    let jobs = evict_worker(&mut connection, named, &dana()).await.unwrap();
    assert_eq!(jobs, [id]);
    // Three polls of the evicted one.
    tokio::time::sleep(Duration::from_millis(900)).await;
    let job = load(&pool, id).await;
    assert_eq!(
        (job.state.as_str(), job.attempt, job.crash_count),
        ("ready", 0, 0)
    );
    let other = start(&pool, first_hangs(&Arc::default()), quick("new"));
    wait_for_state(&pool, id, "running").await;
    gate.notify_one();
    assert_eq!(evicted.drain().await.stale, 1);
    assert_eq!(
        load(&pool, id).await.state,
        "running",
        "the new worker's run goes on"
    );
    assert_eq!(outcomes(&pool, id).await, ["evicted"]);
    other.kill().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_name_that_several_bear_is_refused_and_an_unknown_one_not_found(pool: PgPool) {
    let first = start(&pool, first_hangs(&Arc::default()), quick("twin"));
    let second = start(&pool, first_hangs(&Arc::default()), quick("twin"));
    let mut connection = pool.acquire().await.unwrap();
    let both = async {
        loop {
            match find_worker(&mut connection, "twin").await {
                Err(OperateError::WorkerAmbiguous { incarnations, .. }) => break incarnations,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let both = tokio::time::timeout(PATIENCE, both).await;
    let incarnations = both.expect("both rows in time");
    let one = incarnations[0];
    let found = find_worker(&mut connection, &one.to_string()).await;
    assert_eq!(found.unwrap(), one);
    let unknown = find_worker(&mut connection, "nobody").await;
    assert!(matches!(unknown, Err(OperateError::WorkerNotFound { .. })));
    first.drain().await;
    second.drain().await;
}

/// Runs that each end when they are let, killed at about that time.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_a_kill_and_an_end_at_the_same_time_one_wins_and_both_are_told_so(pool: PgPool) {
    let (ends, ended) = watch::channel(-1);
    let registry = Registry::new().register::<Ping, _>(handler(move |job: Ping, _| {
        let mut ended = ended.clone();
        async move {
            ended.wait_for(|last| *last >= job.number).await.unwrap();
            Outcome::Done
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let mut killed = 0;
    for number in 0..RACES {
        let (id, won) = race(&pool, &ends, number).await;
        let expected = if won { "dead" } else { "done" };
        assert_eq!(load(&pool, id).await.state, expected, "race {number}");
        assert_eq!(outcomes(&pool, id).await.len(), 1, "race {number}");
        killed += u64::from(won);
    }
    let report = worker.drain().await;
    assert_eq!((report.stale, report.recorded), (killed, RACES - killed));
    assert!(
        (1..RACES).contains(&killed),
        "both happened: {killed} of {RACES}"
    );
}

/// Three for each millisecond of the delay.
const RACES: u64 = 48;

/// Lets a run end and kills it; tells whether the kill came before the end. However fast or slow the
/// machine is, the first of sixteen kills comes before it and the last one after it.
async fn race(pool: &PgPool, ends: &watch::Sender<i32>, number: u64) -> (JobId, bool) {
    let last = i32::try_from(number).unwrap();
    let id = put(pool, &ping(last)).await;
    Waker::new(pool.clone()).wake();
    let mut connection = pool.acquire().await.unwrap();
    wait_for_state(pool, id, "running").await;
    let end = async {
        tokio::time::sleep(Duration::from_millis(8)).await;
        ends.send_replace(last);
    };
    let kill = async {
        tokio::time::sleep(Duration::from_millis(number % 16)).await;
        kill_job(&mut connection, id, AfterKill::Park, &dana()).await
    };
    let killed = match number % 16 {
        0 => {
            let killed = kill.await;
            end.await;
            killed
        }
        15 => {
            end.await;
            wait_for_state(pool, id, "done").await;
            kill.await
        }
        _ => tokio::join!(end, kill).1,
    };
    match killed {
        Ok(_) => (id, true),
        Err(OperateError::Refused { .. }) => {
            wait_for_state(pool, id, "done").await;
            (id, false)
        }
        Err(error) => panic!("{error}"),
    }
}
