//! From one worker to twenty and back, all twenty restarted at once in between; in full to fifty, in a
//! loop.

use std::time::Duration;

use rustix::process::Signal;
use sqlx::PgPool;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::evidence;
use crate::producer::Producer;
use crate::worker_plan::WorkerPlan;

/// Two loops, the heartbeat, the listener, and the handlers' pool of two.
const EACH: i64 = 2 + 2 + 2;
const NAME: &str = "scaled";
/// What the killed held comes back with their leases.
const LEASES: Duration = Duration::from_mins(1);
const WATCHED: Duration = Duration::from_secs(4);

#[tokio::test]
async fn many_workers_keep_to_their_connections_and_lose_nothing_when_restarted_at_once() {
    let mut bench = Bench::with_own_postgres(Weight::Suite, &["max_connections=400"]).await;
    let url = format!("{}?application_name={NAME}", bench.database.url);
    let plan = usual(&url);
    bench.work(&plan);
    let producer = Producer::start(&bench.database.url, "steady");
    let (workers, rounds) = Intensity::of_this_run().choose((20, 1), (50, 3));
    for _ in 0..rounds {
        out_and_in(&mut bench, &plan, workers).await;
    }
    bench.intents.extend(producer.stop().await);
    bench.judge(LEASES).await;
}

/// From one worker to so many, which are all killed and started again at once, and back to the one.
async fn out_and_in(bench: &mut Bench, plan: &WorkerPlan, workers: usize) {
    let before = seen(bench.pool()).await.unwrap();
    assert!(most_connections(bench.pool()).await <= EACH);
    for worker in &mut bench.workers[1..] {
        worker.start_again();
    }
    for _ in bench.workers.len()..workers {
        bench.work(plan);
    }
    let others = workers - 1;
    // Of the first round's one worker nobody can know whether it was seen yet.
    await_workers(bench.pool(), before.max(1) + others).await;
    let budget = EACH * i64::try_from(workers).unwrap();
    let most = most_connections(bench.pool()).await;
    assert!(most <= budget, "{most} connections");
    for worker in &mut bench.workers {
        worker.kill();
    }
    await_connections(bench.pool(), 0).await;
    for worker in &mut bench.workers {
        worker.start_again();
    }
    let most = most_connections(bench.pool()).await;
    assert!(most <= budget, "{most} connections during the restart");
    await_workers(bench.pool(), before.max(1) + others + workers).await;
    let most = most_connections(bench.pool()).await;
    assert!(most <= budget, "{most} connections after the restart");
    for worker in &bench.workers[1..] {
        worker.signal(Signal::TERM);
    }
    for worker in 1..workers {
        assert!(bench.await_end(worker).await.success());
    }
    await_connections(bench.pool(), EACH).await;
    assert!(most_connections(bench.pool()).await <= EACH);
}

/// The settings of production: with those of the other tests twenty processes on two processors
/// would only be busy with taking each other's leases.
fn usual(url: &str) -> WorkerPlan {
    WorkerPlan {
        pool: 2,
        lease: Duration::from_secs(20),
        heartbeat: Duration::from_secs(5),
        ..WorkerPlan::named("w").through(url)
    }
}

/// Waits until the workers have no more connections than that.
async fn await_connections(pool: &PgPool, at_most: i64) {
    until("connections of the ended are gone", SOON, async || {
        (evidence::connections(pool, NAME).await.ok()? <= at_most).then_some(())
    })
    .await;
}

/// Waits until so many incarnations have ever been seen.
async fn await_workers(pool: &PgPool, count: usize) {
    until("every worker was seen", SOON, async || {
        (seen(pool).await.ok()? == count).then_some(())
    })
    .await;
}

/// How many incarnations have ever been seen.
async fn seen(pool: &PgPool) -> Result<usize, sqlx::Error> {
    let seen = sqlx::query_scalar!(r#"SELECT count(*) AS "seen!" FROM workers"#);
    Ok(usize::try_from(seen.fetch_one(pool).await?).unwrap())
}

/// The most connections that the workers had at once, watched for a while.
async fn most_connections(pool: &PgPool) -> i64 {
    let watched = tokio::time::Instant::now() + WATCHED;
    let mut most = 0;
    while tokio::time::Instant::now() < watched {
        most = most.max(evidence::connections(pool, NAME).await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(most > 0, "somebody works");
    most
}
