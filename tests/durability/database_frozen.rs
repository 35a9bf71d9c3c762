//! PostgreSQL stands still for longer than the leases last: connections are open, nothing answers.

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{External, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::producer::Producer;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn a_database_that_stands_still_past_the_leases_doubles_nothing() {
    let mut bench = Bench::with_own_postgres(Weight::Light, &[]).await;
    let task = |number: i32| {
        Task::new(format!("over {number}"))
            .lingering(LEASE / 2)
            .stubborn()
    };
    let over: Vec<_> = (0..4).map(|number| External(task(number))).collect();
    bench.put(&over).await;
    let workers = ["one", "two"].map(|name| bench.work(&WorkerPlan::named(name).slots(3)));
    for number in 0..over.len() {
        bench.await_effect(&format!("over {number}")).await;
    }
    let producer = Producer::start(&bench.database.url, "steady");
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.postgres().freeze().await;
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    bench.postgres().thaw().await;
    bench.intents.extend(producer.stop().await);
    bench.judge(SOON).await;
    for worker in workers {
        assert_eq!(bench.drain(worker).await.unanswered, 0);
    }
}
