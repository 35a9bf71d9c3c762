//! A pooler in transaction mode lies between the workers and the database.

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::pooler::Pooler;
use system_tests::settings::setting;
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::evidence;
use crate::listen_blocked::starts_by_the_poll;
use crate::worker_plan::WorkerPlan;

/// To the database, for all processes together: two loops, a heartbeat and four of the pool each
/// would be 21 without a pooler.
const CONNECTIONS: u32 = 4;
const NAME: &str = "pooled";
const JOBS: usize = 3_000;
/// Of which so many are left when one worker dies.
const LEFT: i64 = 2_000;
const LEASES: Duration = Duration::from_mins(5);

#[tokio::test]
async fn workers_behind_a_pooler_lose_nothing_and_share_few_connections() {
    let mut bench = Bench::start(Weight::Suite).await;
    let pooler = Pooler::before(&setting("DATABASE_URL"), CONNECTIONS).await;
    let url = pooler.url(&bench.database.url);
    for name in ["one", "two", "three"] {
        let plan = WorkerPlan::named(name).through(format!("{url}?application_name={NAME}"));
        bench.work(&WorkerPlan {
            listen_url: Some(bench.database.url.clone()),
            ..plan
        });
    }
    let jobs: Vec<_> = (0..JOBS)
        .map(|it| Note(Task::new(format!("effect {it}"))))
        .collect();
    bench.put(&jobs).await;
    until("a third is done", SOON, async || {
        (evidence::live_jobs(bench.pool()).await.ok()? < LEFT).then_some(())
    })
    .await;
    bench.workers[0].kill();
    let shared = evidence::connections(bench.pool(), NAME).await.unwrap();
    assert!((1..=i64::from(CONNECTIONS)).contains(&shared), "{shared}");
    bench.workers[0].start_again();
    bench.judge(LEASES).await;

    for worker in 0..bench.workers.len() {
        assert_eq!(bench.drain(worker).await.unanswered, 0);
    }
}

#[tokio::test]
async fn workers_that_listen_through_a_pooler_start_by_the_poll() {
    let bench = Bench::start(Weight::Light).await;
    let pooler = Pooler::before(&setting("DATABASE_URL"), CONNECTIONS).await;
    let url = pooler.url(&bench.database.url);
    let plan = WorkerPlan::named("deaf").through(url);
    starts_by_the_poll(bench, &plan).await;
}
