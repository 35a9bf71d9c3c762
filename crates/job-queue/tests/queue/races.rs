//! Two act on one job at the same moment: one wins, and both are told the truth.

use std::time::Duration;

use chrono::{DateTime, Utc};
use job_queue::{
    ActionOutcome, EnqueueOptions, JobAction, OperateError, Outcome, Registry, cancel_job,
    database_now, enqueue, job_actions, pause_queue, resume_queue, retry_job,
};
use session_identity::JobId;
use sqlx::{PgConnection, PgPool};
use tokio::time::sleep;

use crate::support::{Ping, handler, load, ping, put, quick, start, wait_for, wait_for_state};

const ROUNDS: u64 = 30;

fn operator(name: &str) -> JobAction {
    JobAction {
        actor: format!("staff:{name}"),
        reason: None,
    }
}

async fn cancel(pool: &PgPool, id: JobId) -> Result<ActionOutcome, OperateError> {
    let mut connection = pool.acquire().await.unwrap();
    cancel_job(&mut connection, id, &operator("dana")).await
}

/// Puts a job that its last worker died of once too often: whoever claims next parks it.
async fn put_doomed(pool: &PgPool) -> JobId {
    let mut transaction = pool.begin().await.unwrap();
    let enqueued = enqueue(&mut transaction, &ping(1), &EnqueueOptions::default()).await;
    let id = enqueued.unwrap().id();
    sqlx::query!(
        "UPDATE jobs SET state = 'running', attempt = 1, run_token = 3, crash_count = 2,
                         started_at = now(), lease_owner = gen_random_uuid(),
                         lease_until = now() - interval '1 second'
         WHERE id = $1",
        id.as_uuid()
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    id
}

/// Runs that last a few milliseconds, and hear of nothing.
fn brief() -> Registry {
    Registry::new().register::<Ping, _>(handler(|job: Ping, _| async move {
        let lasts = u64::try_from(job.number).unwrap();
        sleep(Duration::from_millis(lasts)).await;
        Outcome::Done
    }))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_a_cancel_and_a_claim_or_an_end_one_wins_and_the_operator_is_told_which(pool: PgPool) {
    let mut worker = None;
    let mut told = [0; 3];
    for round in 0..ROUNDS {
        let id = put(&pool, &ping(5)).await;
        // From before the claim until after the end: a poll comes within 300 ms.
        sleep(Duration::from_millis(round * 600 / ROUNDS)).await;
        if round == ROUNDS - 1 {
            wait_for_state(&pool, id, "done").await;
        }
        let answer = cancel(&pool, id).await;
        // In the first round nobody can have claimed it.
        if worker.is_none() {
            worker = Some(start(&pool, brief(), quick("w")));
        }
        let job = wait_for(&pool, id, |job| job.finished_at.is_some()).await;
        let ended = (job.state.as_str(), job.run_token);
        match answer {
            Ok(ActionOutcome::Cancelled) => {
                assert_eq!(ended, ("cancelled", 0), "it never ran");
                told[0] += 1;
            }
            // Asked too late for a handler that does not listen.
            Ok(ActionOutcome::CancelRequested) => {
                assert_eq!(ended, ("done", 1));
                told[1] += 1;
            }
            Err(OperateError::Refused { state, .. }) => {
                assert_eq!((state.as_str(), ended), ("done", ("done", 1)));
                told[2] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(told[0] > 0 && told[2] > 0, "both have won: {told:?}");
    worker.unwrap().drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_operators_who_retry_one_dead_job_one_does_and_it_runs_once_more(pool: PgPool) {
    let id = put(&pool, &ping(1)).await;
    for round in 1..=ROUNDS {
        cancel(&pool, id).await.unwrap();
        let retries = (0..4).map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut connection = pool.acquire().await.unwrap();
                retry_job(&mut connection, id, &operator(&format!("op{number}"))).await
            })
        });
        let mut winners = 0;
        for retry in retries.collect::<Vec<_>>() {
            match retry.await.unwrap() {
                Ok(ActionOutcome::Requeued) => winners += 1,
                Err(OperateError::Refused { state, .. }) => assert_eq!(state, "ready"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(winners, 1, "in round {round}");
    }
    let mut connection = pool.acquire().await.unwrap();
    let acts = job_actions(&mut connection, id).await.unwrap();
    let retries = acts.iter().filter(|act| act.verb == "job.retry").count();
    assert_eq!(retries as u64, ROUNDS);
    let worker = start(&pool, brief(), quick("w"));
    wait_for_state(&pool, id, "done").await;
    assert_eq!(load(&pool, id).await.run_token, 1);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_a_retry_and_the_parking_of_a_lost_run_the_operator_is_told_which_came_first(
    pool: PgPool,
) {
    let mut worker = None;
    let mut told = [0; 2];
    for round in 0..ROUNDS {
        let id = put_doomed(&pool).await;
        // From before it is parked until after: a poll comes within 300 ms.
        sleep(Duration::from_millis(round * 600 / ROUNDS)).await;
        if round == ROUNDS - 1 {
            wait_for_state(&pool, id, "dead").await;
        }
        let mut connection = pool.acquire().await.unwrap();
        let answer = retry_job(&mut connection, id, &operator("dana")).await;
        drop(connection);
        // In the first round nobody can have parked it.
        if worker.is_none() {
            worker = Some(start(&pool, brief(), quick("w")));
        }
        let job = wait_for(&pool, id, |job| job.finished_at.is_some()).await;
        let ended = (job.state.as_str(), job.run_token);
        match answer {
            Ok(ActionOutcome::Requeued) => {
                assert_eq!(ended, ("done", 4), "it was dead, and ran once more");
                told[0] += 1;
            }
            Err(OperateError::Refused { state, .. }) => {
                assert_eq!((state.as_str(), ended), ("running", ("dead", 3)));
                told[1] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        told.iter().all(|count| *count > 0),
        "both have won: {told:?}"
    );
    worker.unwrap().drain().await;
}

/// When every statement is over that may have begun before now: a claim under way still counts.
async fn settled(connection: &mut PgConnection) -> DateTime<Utc> {
    let paused_at = database_now(connection).await.unwrap();
    loop {
        let older = sqlx::query_scalar!(
            r#"SELECT count(*) AS "older!" FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < $1"#,
            paused_at
        );
        if older.fetch_one(&mut *connection).await.unwrap() == 0 {
            return database_now(connection).await.unwrap();
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_run_begins_between_the_answer_to_a_pause_and_the_resume(pool: PgPool) {
    let worker = start(&pool, brief(), quick("w"));
    let mut connection = pool.acquire().await.unwrap();
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        for _ in 0..8 {
            ids.push(put(&pool, &ping(1)).await);
        }
        // Amid the claims: each takes a few milliseconds.
        sleep(Duration::from_millis(round)).await;
        let paused = pause_queue(&mut connection, "test", None, &operator("dana")).await;
        paused.unwrap();
        let answered = settled(&mut connection).await;
        sleep(Duration::from_millis(50)).await;
        let begun = sqlx::query_scalar!(
            r#"SELECT count(*) AS "begun!" FROM jobs WHERE started_at > $1"#,
            answered
        );
        assert_eq!(begun.fetch_one(&pool).await.unwrap(), 0, "in round {round}");
        let resumed = resume_queue(&mut connection, "test", &operator("dana")).await;
        resumed.unwrap();
    }
    for id in ids {
        wait_for_state(&pool, id, "done").await;
        assert_eq!(load(&pool, id).await.run_token, 1);
    }
    worker.drain().await;
}
