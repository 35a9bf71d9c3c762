//! Each thing that the queue needs of its database and workers is caused to lack, and told.

use std::time::{Duration, Instant};

use job_queue::{clock_skew_seconds, count_dead_jobs, database_health, find_unhandled_kinds};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::support::{PATIENCE, ping, put};

async fn execute(connection: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_holds_dead_rows_and_how_much_room_is_left_is_told(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let well = database_health(&mut connection).await.unwrap();
    assert!(well.connections >= 1 && well.connections < well.connections_max);
    assert!((0.0..1.0).contains(&well.notification_queue_ratio));
    assert_eq!(well.history_days_ahead, 7);
    let mut holder = pool.acquire().await.unwrap();
    execute(
        &mut holder,
        "SET application_name = 'the holder';
         BEGIN ISOLATION LEVEL REPEATABLE READ;
         SELECT count(*) FROM jobs",
    )
    .await;
    let held = database_health(&mut connection).await.unwrap();
    let name = held.xmin_holder.unwrap();
    assert!(name.starts_with("the holder, "), "{name}");
    let later = database_health(&mut connection).await.unwrap();
    assert!(later.xmin_age_seconds > 0.0, "{later:?}");
    assert!(later.xmin_age_seconds > held.xmin_age_seconds, "{later:?}");
    execute(&mut holder, "ROLLBACK").await;
    let free = database_health(&mut connection).await.unwrap();
    // An autovacuum may hold it by now.
    assert_ne!(free.xmin_holder, Some(name));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_written_and_who_waits_for_whom_is_told(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let empty = database_health(&mut connection).await.unwrap();
    assert_eq!(empty.lock_waits, 0);
    put(&pool, &ping(1)).await;
    let full = database_health(&mut connection).await.unwrap();
    assert!(full.jobs_bytes > empty.jobs_bytes, "{full:?}");
    assert!(full.jobs_index_bytes > empty.jobs_index_bytes, "{full:?}");
    assert!(
        full.wal_position_bytes > empty.wal_position_bytes,
        "{full:?}"
    );
    let mut holder = pool.acquire().await.unwrap();
    execute(&mut holder, "BEGIN; UPDATE jobs SET priority = 1").await;
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut waiter = pool.acquire().await.unwrap();
            execute(&mut waiter, "UPDATE jobs SET priority = 2").await;
        }
    });
    let give_up = Instant::now() + PATIENCE;
    while database_health(&mut connection).await.unwrap().lock_waits == 0 {
        assert!(Instant::now() < give_up, "nobody waits");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    execute(&mut holder, "COMMIT").await;
    waiting.await.unwrap();
    let free = database_health(&mut connection).await.unwrap();
    assert_eq!(free.lock_waits, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn leases_that_ran_out_and_leases_of_nobody_are_counted(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    for number in 0..3 {
        put(&pool, &ping(number)).await;
    }
    execute(
        &mut connection,
        "UPDATE jobs SET state = 'running', lease_owner = gen_random_uuid(), run_token = 1,
                started_at = now() - interval '1 minute',
                lease_until = now() + (CASE payload->>'number' WHEN '0' THEN -1 ELSE 60 END) * interval '1 minute'",
    )
    .await;
    execute(
        &mut connection,
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
         SELECT lease_owner, 'w', 'h', 'b', '{test}', '{ping}', 1
         FROM jobs WHERE payload->>'number' = '1'",
    )
    .await;
    let health = database_health(&mut connection).await.unwrap();
    assert_eq!((health.without_lease, health.unknown_leases), (1, 1));
    execute(&mut connection, "UPDATE workers SET stopped_at = now()").await;
    let health = database_health(&mut connection).await.unwrap();
    assert_eq!((health.without_lease, health.unknown_leases), (1, 2));
    for (until, without_lease) in [("NULL", 0), ("now() - interval '1 second'", 1)] {
        let paused = format!(
            "INSERT INTO queues (name, paused_at, paused_until) VALUES ('test', now(), {until})
             ON CONFLICT (name) DO UPDATE SET paused_until = EXCLUDED.paused_until"
        );
        sqlx::raw_sql(AssertSqlSafe(paused))
            .execute(&mut *connection)
            .await
            .unwrap();
        let health = database_health(&mut connection).await.unwrap();
        assert_eq!(health.without_lease, without_lease, "paused until {until}");
    }
    for (tokens, without_lease) in [(0, 0), (1, 1)] {
        let held = format!(
            "UPDATE queues SET rate_per_second = 0.0001, tokens = {tokens}, tokens_at = now()"
        );
        sqlx::raw_sql(AssertSqlSafe(held))
            .execute(&mut *connection)
            .await
            .unwrap();
        let health = database_health(&mut connection).await.unwrap();
        assert_eq!(health.without_lease, without_lease, "{tokens} tokens");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn kinds_and_versions_that_no_live_worker_reads_are_listed(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    put(&pool, &ping(1)).await;
    let is_read = async |connection: &mut PgConnection| {
        let unhandled = find_unhandled_kinds(connection).await.unwrap();
        let rows = unhandled.iter();
        let rows: Vec<_> = rows
            .map(|row| (&*row.queue, &*row.kind, row.jobs))
            .collect();
        assert!(rows.is_empty() || rows == [("test", "ping", 1)], "{rows:?}");
        rows.is_empty()
    };
    assert!(!is_read(&mut connection).await, "nobody lives");
    let reads = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
                 VALUES (gen_random_uuid(), 'w', 'h', 'b', '{test}', '{other,ping}', 1)";
    execute(&mut connection, reads).await;
    assert!(
        is_read(&mut connection).await,
        "of before versions were told"
    );
    for (change, expected) in [
        (
            "UPDATE workers SET oldest_versions = '{1,1}', newest_versions = '{9,1}'",
            true,
        ),
        ("UPDATE jobs SET kind_version = 2", false),
        ("UPDATE workers SET newest_versions = '{9,2}'", true),
        ("UPDATE workers SET queues = '{elsewhere}'", false),
        ("UPDATE workers SET queues = '{test}'", true),
        (
            "UPDATE workers SET seen_at = now() - interval '1 minute'",
            false,
        ),
        ("UPDATE jobs SET run_at = now() + interval '1 hour'", true),
    ] {
        execute(&mut connection, change).await;
        assert_eq!(is_read(&mut connection).await, expected, "{change}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_dead_are_counted_and_clocks_of_one_machine_agree(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    assert!(count_dead_jobs(&mut connection).await.unwrap().is_empty());
    put(&pool, &ping(1)).await;
    execute(
        &mut connection,
        "UPDATE jobs SET state = 'dead', finished_at = now()",
    )
    .await;
    let dead = count_dead_jobs(&mut connection).await.unwrap();
    assert_eq!((&*dead[0].queue, dead[0].jobs, dead.len()), ("test", 1, 1));
    // Half of what asking took is the error; no machine takes a minute.
    let skew = clock_skew_seconds(&mut connection).await.unwrap();
    assert!(skew.abs() < 30.0, "{skew}");
}
