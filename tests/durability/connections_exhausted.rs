//! There is no connection to be had: handlers hold all of their pool's, or strangers all of the
//! server's. Leases are kept all the same.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use system_tests::Weight;
use system_tests::ledger::{External, Note, Task};
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn handlers_that_hold_every_connection_of_the_pool_lose_no_lease() {
    let mut bench = Bench::start(Weight::Light).await;
    let past_the_lease = LEASE + Duration::from_secs(1);
    let task = |number: i32| Task::new(format!("held {number}")).working(past_the_lease);
    let jobs = (0..4).map(|number| External(task(number).holding_a_connection()));
    let ids = bench.put(&jobs.collect::<Vec<_>>()).await;
    // Two at a time: the others wait for a connection, under leases of their own.
    let plan = WorkerPlan {
        pool: 2,
        ..WorkerPlan::named("w")
    };
    let worker = bench.work(&plan);
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(
            (evidence.job(id).run_token, evidence.job(id).crash_count),
            (1, 0)
        );
    }
    assert_eq!(bench.drain(worker).await.stale, 0);
}

#[tokio::test]
async fn a_server_full_of_idle_clients_costs_no_lease_and_is_awaited() {
    let mut bench = Bench::with_own_postgres(Weight::Light, &["max_connections=120"]).await;
    let long = Task::new("long").working(LEASE * 3).stubborn();
    let long = bench.put_one(Note(long)).await;
    bench.work(&WorkerPlan::named("before").slots(1));
    bench.await_run(long, "running", 1).await;
    let waiting = bench.put_one(Note(Task::new("waiting"))).await;
    let mut idle = Vec::new();
    while let Ok(connection) = PgConnection::connect(&bench.database.url).await {
        idle.push(connection);
    }
    assert!(idle.len() >= 100, "only {} idle clients", idle.len());
    let late = bench.work(&WorkerPlan::named("late"));
    until("the late worker is refused", SOON, async || {
        bench.workers[late]
            .log()
            .contains("too many clients")
            .then_some(())
    })
    .await;
    // The whole lease of the long job passes under these conditions.
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    drop(idle);
    bench.await_run(waiting, "done", 1).await;
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(long), ["done"]);
    bench.workers[late].assert_running();
}
