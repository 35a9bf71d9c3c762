//! Notifications never arrive: what listens is refused, or hears nothing for ever (fault F8 of stock
//! storage, whose looks became ever more seldom).

use std::collections::HashSet;

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::ports::free_port;
use system_tests::wait::{SOON, until};
use tokio::net::TcpListener;

use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::WorkerPlan;

const JOBS: usize = 4;
/// Before the last job a worker looks so often, and finds nothing. Its two loops do within ten seconds;
/// where pauses grow to some seconds while it is idle, they do not come to that in [`SOON`].
const LOOKS: usize = 60;

#[tokio::test]
async fn jobs_start_by_the_poll_where_listening_is_refused() {
    let port = free_port();
    deaf(port).await;
}

#[tokio::test]
async fn jobs_start_by_the_poll_where_listening_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    deaf(port).await;
}

async fn deaf(port: u16) {
    let plan = WorkerPlan {
        listen_url: Some(format!("postgres://nobody@127.0.0.1:{port}/none")),
        ..WorkerPlan::named("deaf")
    };
    starts_by_the_poll(Bench::start(Weight::Light).await, &plan).await;
}

/// A worker without notifications finds each job by its poll, and looks as often however long it was
/// idle.
pub(crate) async fn starts_by_the_poll(mut bench: Bench, plan: &WorkerPlan) {
    bench.work(plan);
    for number in 0..JOBS {
        if number == JOBS - 1 {
            await_looks(&bench).await;
        }
        let id = bench
            .put_one(Note(Task::new(format!("heard of {number}"))))
            .await;
        bench.await_run(id, "done", 1).await;
    }
    bench.judge(SOON).await;
}

/// Waits until workers have looked for work so often that they would rarely do, if they ever did.
async fn await_looks(bench: &Bench) {
    let mut seen = HashSet::new();
    until("it looks as often as ever", SOON, async || {
        seen.extend(evidence::looks(bench.pool()).await.ok()?);
        (seen.len() >= LOOKS).then_some(())
    })
    .await;
}
