//! Workers that die (fault F2 of stock storage), hang, or lose their database amid an answer (F7).

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

use job_queue::{EnqueueOptions, Outcome, Registry, load_job};
use session_identity::JobId;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::support::{
    PATIENCE, Ping, handler, load, outcomes, ping, put, quick, start, wait_for, wait_for_state,
};

fn hanging() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, _| std::future::pending()))
}

fn finishing() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_killed_workers_job_is_taken_over_by_its_restart_under_the_same_name(pool: PgPool) {
    let id = put(&pool, &ping(1)).await;
    let first = start(&pool, hanging(), quick("same-name"));
    wait_for_state(&pool, id, "running").await;
    first.kill().await;
    let second = start(&pool, finishing(), quick("same-name"));
    let job = wait_for_state(&pool, id, "done").await;
    assert_eq!((job.run_token, job.attempt, job.crash_count), (2, 1, 1));
    assert_eq!(outcomes(&pool, id).await, ["lease_expired", "done"]);
    second.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_that_kills_its_worker_three_times_is_parked_and_others_run(pool: PgPool) {
    let poison = put(&pool, &ping(13)).await;
    for crash in 1..=3 {
        let worker = start(&pool, hanging(), quick("victim"));
        wait_for(&pool, poison, |job| {
            job.run_token == crash && job.state == "running"
        })
        .await;
        worker.kill().await;
        // What 20 s of silence do.
        sqlx::query!(
            "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = $1",
            poison.as_uuid(),
        )
        .execute(&pool)
        .await
        .unwrap();
    }
    let healthy = put(&pool, &ping(1)).await;
    let worker = start(&pool, finishing(), quick("survivor"));
    wait_for_state(&pool, healthy, "done").await;
    let job = wait_for_state(&pool, poison, "dead").await;
    assert_eq!((job.crash_count, job.attempt, job.run_token), (3, 1, 3));
    assert_eq!(job.outcome_class.as_deref(), Some("crashed_worker"));
    assert_eq!(outcomes(&pool, poison).await, ["lease_expired"; 3]);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn handlers_that_block_every_thread_do_not_starve_the_heartbeat(pool: PgPool) {
    // The test's runtime has one thread, and the handler sits on it until the lease was renewed
    // three times from outside of it.
    let options = pool.connect_options();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, context| {
        let options = options.clone();
        async move {
            let watcher = std::thread::spawn(move || await_renewals(&options, context.job_id, 3));
            watcher.join().unwrap();
            Outcome::Done
        }
    }));
    let id = put(&pool, &ping(1)).await;
    let worker = start(&pool, registry, quick("w"));
    let job = wait_for_state(&pool, id, "done").await;
    assert_eq!((job.run_token, job.crash_count), (1, 0));
    worker.drain().await;
}

/// Looks at the lease from outside the blocked runtime, until it was moved so many times.
fn await_renewals(options: &PgConnectOptions, id: JobId, wanted: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(options).await.unwrap();
        let give_up = Instant::now() + PATIENCE;
        let mut leases = HashSet::new();
        while leases.len() <= wanted {
            assert!(Instant::now() < give_up, "only these: {leases:?}");
            let job = load_job(&mut connection, id).await.unwrap().unwrap();
            leases.insert(job.lease_until.unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_handler_that_ends_during_an_outage_longer_than_its_lease_is_still_acknowledged(
    pool: PgPool,
) {
    let runs = Arc::new(AtomicI32::new(0));
    let counted = runs.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Outcome::Done
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    outage(&pool, quick("w").lease + Duration::from_millis(500)).await;
    let job = wait_for_state(&pool, id, "done").await;
    assert_eq!((job.run_token, runs.load(Ordering::SeqCst)), (1, 1));
    // And the worker has survived it.
    let next = put(&pool, &ping(2)).await;
    wait_for_state(&pool, next, "done").await;
    let report = worker.drain().await;
    assert_eq!((report.recorded, report.stale), (2, 0));
}

/// Shuts everyone out of the test's database for a while and cuts every connection to it.
async fn outage(pool: &PgPool, lasts: Duration) {
    let options = PgConnectOptions::clone(&pool.connect_options());
    let name = options.get_database().expect("a test database").to_owned();
    let mut outside = PgConnection::connect_with(&options.database("postgres"))
        .await
        .unwrap();
    allow_connections(&mut outside, &name, false).await;
    let cut = sqlx::query!(
        "SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity WHERE datname = $1",
        name,
    );
    cut.fetch_all(&mut outside).await.unwrap();
    tokio::time::sleep(lasts).await;
    allow_connections(&mut outside, &name, true).await;
    // The test's own pool finds its connections dead; later acquires make new ones.
    pool.acquire().await.unwrap();
}

async fn allow_connections(connection: &mut PgConnection, database: &str, open: bool) {
    sqlx::query!(
        "UPDATE pg_database SET datallowconn = $2 WHERE datname = $1",
        database,
        open,
    )
    .execute(connection)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn three_workers_run_each_of_300_jobs_exactly_once(pool: PgPool) {
    let runs = Arc::new(AtomicI32::new(0));
    let workers: Vec<_> = (0..3)
        .map(|number| {
            let runs = runs.clone();
            let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
                runs.fetch_add(1, Ordering::SeqCst);
                async { Outcome::Done }
            }));
            start(&pool, registry, quick(&format!("w{number}")))
        })
        .collect();
    let jobs: Vec<_> = (0..300).map(ping).collect();
    let mut connection = pool.acquire().await.unwrap();
    let ids = job_queue::enqueue_many(&mut connection, &jobs, &EnqueueOptions::default())
        .await
        .unwrap();
    for id in ids {
        wait_for_state(&pool, id.id(), "done").await;
        assert_eq!(load(&pool, id.id()).await.run_token, 1);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 300);
    for worker in workers {
        worker.drain().await;
    }
}
