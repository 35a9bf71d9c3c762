//! Notifications never arrive: what listens is refused, or hears nothing for ever (fault F8 of stock
//! storage, whose looks became ever more seldom).

use std::collections::{HashMap, HashSet};

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::ports::free_port;
use system_tests::wait::{SOON, until};
use tokio::net::TcpListener;

use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::WorkerPlan;

const JOBS: usize = 4;
/// Each on a connection of its own.
const LOOPS: usize = 2;
/// Before the last job each loop of a worker looks so often, and finds nothing. It does within fifteen
/// seconds; where pauses grow to more than two while it is idle, it does not come to that in [`SOON`].
const LOOKS: usize = 40;

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
            await_looks(&bench, plan).await;
        }
        let id = bench
            .put_one(Note(Task::new(format!("heard of {number}"))))
            .await;
        bench.await_run(id, "done", 1).await;
    }
    bench.judge(SOON).await;
}

/// Waits until every loop has looked for work so often that it would rarely do, if it ever did. Where
/// connections are a pooler's, nobody knows whose look it was: they count together.
async fn await_looks(bench: &Bench, plan: &WorkerPlan) {
    let is_pooled = plan.url.is_some();
    let mut seen: HashMap<i32, HashSet<i64>> = HashMap::new();
    until("it looks as often as ever", SOON, async || {
        for (connection, began) in evidence::looks(bench.pool()).await.ok()? {
            seen.entry(connection).or_default().insert(began);
        }
        let counts = || seen.values().map(HashSet::len);
        let have_looked = if is_pooled {
            counts().sum::<usize>() >= LOOKS * LOOPS
        } else {
            counts().filter(|looks| *looks >= LOOKS).count() >= LOOPS
        };
        have_looked.then_some(())
    })
    .await;
}
