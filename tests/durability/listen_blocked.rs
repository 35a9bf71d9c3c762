//! Notifications never arrive: what listens is refused, or hears nothing for ever (fault F8 of stock
//! storage, whose looks became ever more seldom).

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::ports::free_port;
use tokio::net::TcpListener;

use crate::bench::Bench;
use crate::worker_plan::{POLL, WorkerPlan};

const JOBS: i32 = 8;
/// Before the last job nothing happens for this long: a worker whose pauses grow while it is idle
/// would be late by seconds.
const IDLE: Duration = Duration::from_secs(15);
/// What a busy machine with two processors may add to one look.
const MARGIN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn jobs_start_within_the_poll_where_listening_is_refused() {
    let port = free_port();
    deaf(port).await;
}

#[tokio::test]
async fn jobs_start_within_the_poll_where_listening_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    deaf(port).await;
}

async fn deaf(port: u16) {
    let plan = WorkerPlan {
        listen_url: Some(format!("postgres://nobody@127.0.0.1:{port}/none")),
        ..WorkerPlan::named("deaf")
    };
    starts_within_the_poll(Bench::start(Weight::Light).await, &plan).await;
}

/// A worker without notifications starts each job by its poll, however long it was idle.
pub(crate) async fn starts_within_the_poll(mut bench: Bench, plan: &WorkerPlan) {
    bench.work(plan);
    let mut ids = Vec::new();
    for number in 0..JOBS {
        if number == JOBS - 1 {
            tokio::time::sleep(IDLE).await;
        }
        let id = bench
            .put_one(Note(Task::new(format!("heard of {number}"))))
            .await;
        bench.await_run(id, "done", 1).await;
        ids.push(id);
    }
    let evidence = bench.judge(MARGIN).await;
    // The first may have had to wait for the process.
    for id in &ids[1..] {
        let run = evidence
            .attempts
            .iter()
            .find(|run| run.job_id == *id)
            .unwrap();
        let waited = run.started_at_ms - evidence.job(*id).run_at_ms;
        let bound = i64::try_from((POLL + MARGIN).as_millis()).unwrap();
        assert!(waited <= bound, "waited {waited} ms");
    }
}
