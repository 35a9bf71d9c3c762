//! Two act on one job at the same moment: one wins, and both are told the truth.

use std::time::Duration;

use job_queue::{
    ActionOutcome, JobAction, OperateError, Outcome, Registry, cancel_job, job_actions, retry_job,
};
use session_identity::JobId;
use sqlx::PgPool;
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
    let worker = start(&pool, brief(), quick("w"));
    let mut told = [0; 3];
    for round in 0..ROUNDS {
        let id = put(&pool, &ping(5)).await;
        // From before the claim until after the end: a poll comes within 300 ms.
        sleep(Duration::from_millis(round * 600 / ROUNDS)).await;
        let answer = cancel(&pool, id).await;
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
    worker.drain().await;
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
