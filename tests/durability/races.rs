//! A run and an operator race for one job, each time aimed at the moment in which the other may still
//! win: one of them does, and the operator is told which.

mod pauses;
mod ring;

use std::time::Duration;

use job_queue::{
    ActionOutcome, AfterKill, JobAction, OperateError, cancel_job, kill_job, retry_job,
};
use session_identity::JobId;
use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;
use tokio::time::sleep;

use crate::bench::Bench;
use crate::worker_plan::WorkerPlan;
use ring::{LANES, Next, Ring, Told, intent};

/// Long enough for an operator to come between.
const WORK: Duration = Duration::from_millis(10);
/// Of 10,000 races.
const ALL_RACES: Duration = Duration::from_mins(20);

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    }
}

async fn bench_with_workers() -> Bench {
    let mut bench = Bench::start(Weight::Suite).await;
    for name in ["one", "two"] {
        bench.work(&WorkerPlan::named(name).slots(LANES));
    }
    bench
}

fn note(of: &str, number: usize) -> Note {
    Note(Task::new(format!("{of} {number}")).working(WORK))
}

/// Even races look for the begin of the run, odd ones for its end.
fn amid(number: usize) -> Next {
    if number.is_multiple_of(2) {
        Next::Sooner
    } else {
        Next::Later
    }
}

#[tokio::test]
async fn of_a_cancel_and_a_run_one_wins_and_the_operator_is_told_which() {
    let mut bench = bench_with_workers().await;
    let ring = Ring::beside(&bench);
    let stories = [
        "cancelled before it began",
        "asked while it ran",
        "done before",
    ];
    let race = async |number, delay| {
        let asked = note("cancel", number);
        let id = ring.put(&asked).await;
        sleep(delay).await;
        let answer = cancel_job(&mut ring.pool.acquire().await.unwrap(), id, &dana()).await;
        let job = ring.end_of(id).await;
        let ended = (job.state.as_str(), job.run_token);
        let (story, next) = match answer {
            Ok(ActionOutcome::Cancelled) => {
                assert_eq!(ended, ("cancelled", 0), "it never ran");
                (stories[0], Next::Later)
            }
            // The handler hears of it within a heartbeat, or ends before that.
            Ok(ActionOutcome::CancelRequested) => {
                assert!(
                    ended == ("done", 1) || ended == ("cancelled", 1),
                    "{ended:?}"
                );
                (stories[1], amid(number))
            }
            Err(OperateError::Refused { state, .. }) => {
                assert_eq!((state.as_str(), ended), ("done", ("done", 1)));
                (stories[2], Next::Sooner)
            }
            other => panic!("{other:?}"),
        };
        let intent = intent(&job, &asked);
        Told {
            story,
            next,
            intent,
        }
    };
    bench.intents = ring.race(&stories, race).await;
    bench.judge(SOON).await;
}

#[tokio::test]
async fn of_a_kill_and_a_run_one_wins_and_the_operator_is_told_which() {
    let mut bench = bench_with_workers().await;
    let ring = Ring::beside(&bench);
    let stories = ["not begun", "killed", "done before"];
    let race = async |number, delay| {
        let asked = note("kill", number);
        let id = ring.put(&asked).await;
        sleep(delay).await;
        let mut connection = ring.pool.acquire().await.unwrap();
        let answer = kill_job(&mut connection, id, AfterKill::Park, &dana()).await;
        drop(connection);
        let job = ring.end_of(id).await;
        let ended = (job.state.as_str(), job.run_token);
        let (story, next) = match answer {
            Ok(ActionOutcome::Killed) => {
                assert_eq!(ended, ("dead", 2), "its answer was refused");
                (stories[1], amid(number))
            }
            Err(OperateError::Refused { state, .. }) => {
                assert_eq!(ended, ("done", 1));
                match state.as_str() {
                    "ready" => (stories[0], Next::Later),
                    "done" => (stories[2], Next::Sooner),
                    other => panic!("refused because it is {other}"),
                }
            }
            other => panic!("{other:?}"),
        };
        let intent = intent(&job, &asked);
        Told {
            story,
            next,
            intent,
        }
    };
    bench.intents = ring.race(&stories, race).await;
    bench.judge(SOON).await;
}

/// Makes of a job one that its last worker died of once too often: whoever claims next parks it.
async fn put_doomed(ring: &Ring, asked: &Note) -> JobId {
    let mut transaction = ring.pool.begin().await.unwrap();
    let options = job_queue::EnqueueOptions::default();
    let put = job_queue::enqueue(&mut transaction, asked, &options).await;
    let id = put.unwrap().id();
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
    ring.wake();
    id
}

#[tokio::test]
async fn of_a_retry_and_the_parking_of_a_lost_run_the_operator_is_told_which_came_first() {
    let mut bench = bench_with_workers().await;
    let ring = Ring::beside(&bench);
    let stories = ["not parked yet", "parked, and run once more"];
    let race = async |number, delay| {
        let asked = note("retry", number);
        let id = put_doomed(&ring, &asked).await;
        sleep(delay).await;
        let answer = retry_job(&mut ring.pool.acquire().await.unwrap(), id, &dana()).await;
        ring.wake();
        let job = ring.end_of(id).await;
        let ended = (job.state.as_str(), job.run_token);
        let (story, next) = match answer {
            Ok(ActionOutcome::Requeued) => {
                assert_eq!(ended, ("done", 4));
                (stories[1], Next::Sooner)
            }
            Err(OperateError::Refused { state, .. }) => {
                assert_eq!((state.as_str(), ended), ("running", ("dead", 3)));
                (stories[0], Next::Later)
            }
            other => panic!("{other:?}"),
        };
        let intent = intent(&job, &asked);
        Told {
            story,
            next,
            intent,
        }
    };
    bench.intents = ring.race(&stories, race).await;
    bench.judge(ALL_RACES).await;
}
