//! How many jobs of a queue run at once, over all workers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use job_queue::{
    EnqueueOptions, Job, Outcome, Registry, WhyNotRunning, enqueue_many, limit_all_queues,
    limit_queue, list_queues, why_not_running,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row as _};
use tokio::time::Instant;

use crate::support::{
    PATIENCE, Ping, dana, handler, load, ping, put, quick, start, wait_for, wait_for_state,
};

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
        self.of::<Ping>(Registry::new(), takes)
    }

    /// Registers a kind, whose runs count with those of the others.
    fn of<J: Job>(&self, registry: Registry, takes: Duration) -> Registry {
        let gauge = self.clone();
        registry.register::<J, _>(handler(move |_: J, _| {
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

async fn limit_all(pool: &PgPool, concurrency: Option<i32>) {
    let mut connection = pool.acquire().await.unwrap();
    limit_all_queues(&mut connection, concurrency, &dana())
        .await
        .unwrap();
}

/// A ping of another queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pong;

impl Job for Pong {
    const KIND: &'static str = "pong";
    const QUEUE: &'static str = "other";
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn workers_of_two_queues_together_keep_to_the_limit_over_all(pool: PgPool) {
    limit_all(&pool, Some(3)).await;
    let gauge = Gauge::default();
    let takes = Duration::from_millis(10);
    let workers: Vec<_> = (0..4)
        .map(|number| {
            let registry = match number {
                0 => gauge.of::<Ping>(Registry::new(), takes),
                1 => gauge.of::<Pong>(Registry::new(), takes),
                _ => gauge.of::<Pong>(gauge.of::<Ping>(Registry::new(), takes), takes),
            };
            start(&pool, registry, quick(&format!("w{number}")))
        })
        .collect();
    let pings: Vec<_> = (0..60).map(ping).collect();
    let options = EnqueueOptions::default();
    let mut connection = pool.acquire().await.unwrap();
    let mut made = enqueue_many(&mut connection, &pings, &options)
        .await
        .unwrap();
    let pongs = vec![Pong; 60];
    made.extend(
        enqueue_many(&mut connection, &pongs, &options)
            .await
            .unwrap(),
    );
    for job in made {
        wait_for_state(&pool, job.id(), "done").await;
        assert_eq!(load(&pool, job.id()).await.run_token, 1);
    }
    let most = gauge.most.load(Ordering::SeqCst);
    assert!(most <= 3, "{most} at once");
    for worker in workers {
        worker.drain().await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_queue_that_is_never_empty_does_not_keep_the_only_place_from_another(pool: PgPool) {
    limit_all(&pool, Some(1)).await;
    let more = pool.clone();
    // Each run puts the next before it ends: the worker finds one in the statement that ends it.
    let endless = Registry::new().register::<Ping, _>(handler(move |job: Ping, _| {
        let more = more.clone();
        async move {
            put(&more, &job).await;
            Outcome::Done
        }
    }));
    for number in 0..4 {
        put(&pool, &ping(number)).await;
    }
    let busy = start(&pool, endless, quick("busy"));
    let gauge = Gauge::default();
    let quickly = gauge.of::<Pong>(Registry::new(), Duration::ZERO);
    let waiting = start(&pool, quickly, quick("waiting"));
    for _ in 0..3 {
        let pong = put(&pool, &Pong).await;
        wait_for_state(&pool, pong, "done").await;
    }
    busy.drain().await;
    waiting.drain().await;
}

/// How many jobs have been claimed so far.
async fn claimed(pool: &PgPool) -> i64 {
    let count = "SELECT count(*) FROM jobs WHERE run_token > 0";
    let row = sqlx::raw_sql(count).fetch_one(pool).await.unwrap();
    row.get(0)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_worker_of_two_queues_leaves_a_place_to_a_third_that_has_waited_longer(pool: PgPool) {
    limit_all(&pool, Some(2)).await;
    // Asked for far ahead, so that it does not lapse however slow this machine is.
    let waits = "INSERT INTO queue_turns VALUES
                 ('third', now() - interval '1 hour', now() + interval '1 hour')";
    sqlx::raw_sql(waits).execute(&pool).await.unwrap();
    let jobs = [put(&pool, &ping(1)).await, put(&pool, &Pong).await];
    let gauge = Gauge::default();
    let takes = Duration::from_secs(20);
    let both = gauge.of::<Pong>(gauge.registry(takes), takes);
    let worker = start(&pool, both, quick("w"));
    let give_up = Instant::now() + PATIENCE;
    let first = loop {
        let claimed = claimed(&pool).await;
        if claimed > 0 {
            break claimed;
        }
        assert!(Instant::now() < give_up, "neither was claimed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // One statement claims from both queues, so that whoever sees one of its claims sees all.
    assert_eq!(first, 1);
    let served = sqlx::raw_sql("DELETE FROM queue_turns WHERE queue = 'third'");
    served.execute(&pool).await.unwrap();
    for id in jobs {
        wait_for(&pool, id, |job| job.run_token > 0).await;
    }
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_turn_that_nobody_takes_keeps_no_place(pool: PgPool) {
    limit_all(&pool, Some(1)).await;
    let gone = "INSERT INTO queue_turns VALUES ('other', now() - interval '1 hour', now())";
    sqlx::raw_sql(gone).execute(&pool).await.unwrap();
    let gauge = Gauge::default();
    let worker = start(&pool, gauge.registry(Duration::ZERO), quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "done").await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_kept_by_the_limit_over_all_queues_says_so(pool: PgPool) {
    limit_all(&pool, Some(1)).await;
    let gauge = Gauge::default();
    let worker = start(&pool, gauge.registry(Duration::from_secs(20)), quick("w"));
    let first = put(&pool, &ping(1)).await;
    wait_for_state(&pool, first, "running").await;
    let second = put(&pool, &Pong).await;
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, second).await.unwrap();
    let full = WhyNotRunning::AllQueuesFull {
        running: 1,
        concurrency: 1,
    };
    assert!(reasons.contains(&full), "{reasons:?}");
    let third = put(&pool, &ping(3)).await;
    assert_eq!(load(&pool, third).await.run_token, 0);
    limit_all(&pool, None).await;
    wait_for_state(&pool, third, "running").await;
    worker.drain().await;
}
