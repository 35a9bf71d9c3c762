//! Many producers want the same job at once, while it waits, runs, fails, and when it has ended.

use std::time::{Duration, Instant};

use job_queue::{EnqueueOptions, Enqueued, enqueue};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use sqlx::types::Uuid;
use system_tests::Weight;
use system_tests::ledger::{External, Task};
use system_tests::wait::SOON;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::checker::Intent;
use crate::worker_plan::WorkerPlan;

const PRODUCERS: usize = 64;
/// How many jobs have the key, one after the other.
const LIVES: usize = 4;

#[tokio::test]
async fn of_racing_producers_one_makes_the_job_and_all_are_told_which_lives() {
    let mut bench = Bench::start(Weight::Light).await;
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect_lazy(&bench.database.url)
        .unwrap();
    // Before there is a worker: one job, and everybody is told the same.
    let told = race(&pool).await;
    let made: Vec<Uuid> = told.iter().filter_map(|it| new(*it)).collect();
    assert_eq!(made.len(), 1);
    assert!(told.iter().all(|it| it.id().as_uuid() == made[0]));
    note(&mut bench, &made);
    // While workers claim, fail, back off, run and finish it.
    for worker in ["one", "two"] {
        bench.work(&WorkerPlan::named(worker));
    }
    let begun = Instant::now();
    while bench.intents.len() < LIVES {
        assert!(begun.elapsed() < SOON, "the key was not free again");
        let told = race(&pool).await;
        let made: Vec<Uuid> = told.iter().filter_map(|it| new(*it)).collect();
        note(&mut bench, &made);
        for it in told {
            let known = bench
                .intents
                .iter()
                .any(|intent| intent.job_id == it.id().as_uuid());
            assert!(known, "{it:?} is nobody's job");
        }
    }
    // The diary shows that no two of them lived at once.
    let evidence = bench.judge(SOON).await;
    assert!(
        evidence
            .jobs
            .iter()
            .all(|job| job.attempt == 2 && job.state == "done")
    );
}

/// Every producer asks for the same, spread over about the time that a job lives.
async fn race(pool: &PgPool) -> Vec<Enqueued> {
    let mut producers = JoinSet::new();
    for number in 0..PRODUCERS {
        let pool = pool.clone();
        producers.spawn(async move {
            let spread = Duration::from_millis(10 * u64::try_from(number % 8).unwrap());
            tokio::time::sleep(spread).await;
            let mut connection = pool.acquire().await.unwrap();
            let job = External(Task::new("shared").keyed("shared").failing(1));
            let options = EnqueueOptions::default();
            enqueue(&mut connection, &job, &options).await.unwrap()
        });
    }
    producers.join_all().await
}

fn new(told: Enqueued) -> Option<Uuid> {
    match told {
        Enqueued::New(id) => Some(id.as_uuid()),
        Enqueued::AlreadyPresent(_) => None,
    }
}

/// All have the same effect, which passes its gate once.
fn note(bench: &mut Bench, made: &[Uuid]) {
    let intents = made
        .iter()
        .map(|id| Intent::acknowledged(*id, Some("shared")));
    bench.intents.extend(intents);
}
