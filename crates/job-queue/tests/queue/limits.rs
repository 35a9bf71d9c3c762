//! How many jobs of a queue run at once, over all workers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use job_queue::{
    EnqueueOptions, JobAction, Outcome, Registry, WhyNotRunning, enqueue_many, limit_queue,
    list_queues, why_not_running,
};
use sqlx::PgPool;

use crate::support::{Ping, handler, load, ping, put, quick, start, wait_for, wait_for_state};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    }
}

async fn limit(pool: &PgPool, concurrency: Option<i32>) {
    let mut connection = pool.acquire().await.unwrap();
    limit_queue(&mut connection, "test", concurrency, &dana())
        .await
        .unwrap();
}

/// How many run now and the most that ever did.
#[derive(Clone, Default)]
struct Gauge {
    now: Arc<AtomicI32>,
    most: Arc<AtomicI32>,
}

impl Gauge {
    fn registry(&self, takes: Duration) -> Registry {
        let gauge = self.clone();
        Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
            let Gauge { now, most } = gauge.clone();
            async move {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(running, Ordering::SeqCst);
                tokio::time::sleep(takes).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Outcome::Done
            }
        }))
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn four_workers_together_keep_to_the_limit_of_their_queue_and_make_use_of_it(pool: PgPool) {
    limit(&pool, Some(3)).await;
    let gauge = Gauge::default();
    let workers: Vec<_> = (0..4)
        .map(|number| {
            let registry = gauge.registry(Duration::from_millis(20));
            start(&pool, registry, quick(&format!("w{number}")))
        })
        .collect();
    let jobs: Vec<_> = (0..120).map(ping).collect();
    let mut connection = pool.acquire().await.unwrap();
    let made = enqueue_many(&mut connection, &jobs, &EnqueueOptions::default())
        .await
        .unwrap();
    for job in made {
        wait_for_state(&pool, job.id(), "done").await;
        assert_eq!(load(&pool, job.id()).await.run_token, 1);
    }
    assert_eq!(gauge.most.load(Ordering::SeqCst), 3);
    for worker in workers {
        worker.drain().await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_full_queue_says_so_and_a_lifted_limit_lets_the_rest_go(pool: PgPool) {
    limit(&pool, Some(1)).await;
    let gauge = Gauge::default();
    let worker = start(&pool, gauge.registry(Duration::from_secs(20)), quick("w"));
    let first = put(&pool, &ping(1)).await;
    wait_for_state(&pool, first, "running").await;
    let second = put(&pool, &ping(2)).await;
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, second).await.unwrap();
    let full = WhyNotRunning::QueueFull {
        queue: "test".to_owned(),
        running: 1,
        concurrency: 1,
    };
    assert!(reasons.contains(&full), "{reasons:?}");
    let queues = list_queues(&mut connection).await.unwrap();
    assert_eq!(queues[0].concurrency, Some(1));
    // Long enough for several polls to have taken it, were it not for the limit.
    tokio::time::sleep(quick("w").poll * 3).await;
    assert_eq!(load(&pool, second).await.run_token, 0);
    limit(&pool, None).await;
    wait_for_state(&pool, second, "running").await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_run_whose_lease_ran_out_holds_its_place_until_it_is_taken_over(pool: PgPool) {
    limit(&pool, Some(1)).await;
    let gauge = Gauge::default();
    let lost = start(
        &pool,
        gauge.registry(Duration::from_secs(20)),
        quick("lost"),
    );
    let first = put(&pool, &ping(1)).await;
    wait_for_state(&pool, first, "running").await;
    lost.kill().await;
    let second = put(&pool, &ping(2)).await;
    let quickly = Gauge::default();
    let worker = start(
        &pool,
        quickly.registry(Duration::from_millis(5)),
        quick("w"),
    );
    wait_for(&pool, first, |job| job.state == "done").await;
    wait_for_state(&pool, second, "done").await;
    assert_eq!(load(&pool, first).await.run_token, 2);
    assert_eq!(quickly.most.load(Ordering::SeqCst), 1);
    worker.drain().await;
}
