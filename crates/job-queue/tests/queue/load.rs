//! How many workers a queue would take.

use job_queue::{
    QueueLoad, Registry, limit_all_queues, limit_queue, limit_queue_rate, pause_queue, queue_load,
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};

use crate::support::{Ping, dana, handler, ping, put, quick, start, wait_for_state};

async fn measure(connection: &mut PgConnection) -> QueueLoad {
    let mut load = queue_load(connection).await.unwrap();
    assert_eq!(load.len(), 1, "{load:?}");
    load.remove(0)
}

async fn insert_due(connection: &mut PgConnection, count: i32) {
    // Of long ago, so that they have not arrived lately.
    sqlx::query!(
        "INSERT INTO jobs (id, queue, kind, payload, created_at, run_at)
         SELECT gen_random_uuid(), 'test', 'ping', '{}', now() - interval '1 day', now()
         FROM generate_series(1, $1)",
        count,
    )
    .execute(connection)
    .await
    .unwrap();
}

/// One run a minute ago that took this long.
async fn insert_run(connection: &mut PgConnection, seconds: f64) {
    sqlx::query!(
        "WITH ran AS (
            INSERT INTO jobs (id, queue, kind, payload, state, created_at, finished_at)
            VALUES (gen_random_uuid(), 'test', 'ping', '{}', 'done',
                    now() - interval '1 day', now() - interval '1 min')
            RETURNING id, finished_at)
         INSERT INTO job_attempts (job_id, run_token, attempt, worker, started_at, finished_at, outcome)
         SELECT id, 1, 1, gen_random_uuid(), finished_at - make_interval(secs => $1), finished_at, 'done'
         FROM ran",
        seconds,
    )
    .execute(connection)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_due_asks_for_workers_unless_it_may_not_run(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    insert_due(connection, 90).await;
    insert_run(connection, 6.0).await;
    let load = measure(connection).await;
    // 90 runs of 6 s within a minute keep 9 slots busy, and 12 at three quarters: one worker.
    assert_eq!((load.ready, load.workers, load.desired_workers), (90, 0, 1));
    assert!((load.mean_run_seconds - 6.0).abs() < 0.1, "{load:?}");
    insert_due(connection, 10).await;
    assert_eq!(measure(connection).await.desired_workers, 2);
    limit_queue(connection, "test", Some(5), &dana())
        .await
        .unwrap();
    assert_eq!(measure(connection).await.desired_workers, 1);
    pause_queue(connection, "test", None, &dana())
        .await
        .unwrap();
    assert_eq!(measure(connection).await.desired_workers, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_arrives_counts_and_what_runs_keeps_its_worker(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let registry = Registry::new().register::<Ping, _>(handler(|_: Ping, context| async move {
        context.cancellation.cancelled().await;
        job_queue::Outcome::Cancelled
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let load = measure(connection).await;
    assert_eq!((load.running, load.workers, load.slots), (1, 1, 4));
    assert!(load.arrivals_per_second > 0.0, "{load:?}");
    assert_eq!(load.desired_workers, 1);
    worker.drain().await;
    // It is ready again: given back, not run. Nobody serves the queue, and work is due.
    let load = measure(connection).await;
    assert_eq!((load.running, load.workers, load.ready), (0, 0, 1));
    assert_eq!(load.desired_workers, 1);
}

/// What a queue of its own looks like, and how many workers that asks for.
struct Case {
    what: &'static str,
    arrived: i32,
    ready: i32,
    scheduled: i32,
    running: i32,
    mean_seconds: f64,
    limit: Option<i32>,
    rate: Option<f64>,
    is_paused: bool,
    slots: i32,
    desired: i64,
}

const NOTHING: Case = Case {
    what: "nothing",
    arrived: 0,
    ready: 0,
    scheduled: 0,
    running: 0,
    mean_seconds: 6.0,
    limit: None,
    rate: None,
    is_paused: false,
    slots: 4,
    desired: 0,
};

/// `ceil((arrivals a second + ready / 60 s, up to the rate) × mean / 0.75 / slots a worker)`, at least what
/// runs takes; nothing for what may not run.
const CASES: [Case; 12] = [
    NOTHING,
    // 30 × 6 s / 60 s = 3 slots busy, 4 at three quarters.
    Case {
        what: "due",
        ready: 30,
        desired: 1,
        ..NOTHING
    },
    Case {
        what: "more due",
        ready: 31,
        desired: 2,
        ..NOTHING
    },
    // 300 in five minutes are one a second: 6 slots busy, 8 at three quarters.
    Case {
        what: "arriving and done",
        arrived: 300,
        desired: 2,
        ..NOTHING
    },
    Case {
        what: "arriving and due",
        arrived: 300,
        ready: 30,
        desired: 3,
        ..NOTHING
    },
    Case {
        what: "later",
        scheduled: 1_000,
        desired: 0,
        ..NOTHING
    },
    Case {
        what: "running",
        running: 9,
        desired: 3,
        ..NOTHING
    },
    Case {
        what: "over its limit",
        ready: 1_000,
        limit: Some(5),
        desired: 2,
        ..NOTHING
    },
    // Half a start a second: 3 slots busy, 4 at three quarters.
    Case {
        what: "over its rate",
        ready: 1_000,
        rate: Some(0.5),
        desired: 1,
        ..NOTHING
    },
    Case {
        what: "within its rate",
        ready: 31,
        rate: Some(100.0),
        desired: 2,
        ..NOTHING
    },
    Case {
        what: "paused",
        ready: 1_000,
        is_paused: true,
        desired: 0,
        ..NOTHING
    },
    Case {
        what: "paused and running",
        ready: 1_000,
        running: 9,
        is_paused: true,
        desired: 3,
        ..NOTHING
    },
];

async fn insert_case(connection: &mut PgConnection, case: &Case) {
    sqlx::query!(
        "WITH numbers AS (SELECT generate_series(1, 1000) AS number),
         served AS (
            INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
            VALUES (gen_random_uuid(), 'w', 'h', 'b', ARRAY[$1], '{ping}', $2)),
         switched AS (
            INSERT INTO queues (name, concurrency, paused_at, rate_per_second, tokens, tokens_at)
            VALUES ($1, $3, CASE WHEN $4 THEN now() END,
                    $10, $10, CASE WHEN $10::float8 IS NOT NULL THEN now() END)),
         waiting AS (
            INSERT INTO jobs (id, queue, kind, payload, created_at, run_at)
            SELECT gen_random_uuid(), $1, 'ping', '{}'::jsonb, now() - interval '1 day', now()
            FROM numbers WHERE number <= $5
            UNION ALL
            SELECT gen_random_uuid(), $1, 'ping', '{}'::jsonb, now() - interval '1 day', now() + interval '1 day'
            FROM numbers WHERE number <= $6),
         held AS (
            INSERT INTO jobs (id, queue, kind, payload, created_at, state, lease_owner, lease_until)
            SELECT gen_random_uuid(), $1, 'ping', '{}', now() - interval '1 day', 'running',
                   gen_random_uuid(), now() + interval '1 hour'
            FROM numbers WHERE number <= $7),
         arrived AS (
            INSERT INTO jobs (id, queue, kind, payload, state, finished_at)
            -- An id says when it was made.
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                    || substr(md5(number::text || $1), 1, 20))::uuid,
                   $1, 'ping', '{}', 'done', now()
            FROM numbers WHERE number <= $8),
         ran AS (
            INSERT INTO jobs (id, queue, kind, payload, state, created_at, finished_at)
            VALUES (gen_random_uuid(), $1, 'ping', '{}', 'done', now() - interval '1 day', now())
            RETURNING id, finished_at)
         INSERT INTO job_attempts (job_id, run_token, attempt, worker, started_at, finished_at, outcome)
         SELECT id, 1, 1, gen_random_uuid(), finished_at - make_interval(secs => $9), finished_at, 'done'
         FROM ran",
        case.what,
        case.slots,
        case.limit,
        case.is_paused,
        case.ready,
        case.scheduled,
        case.running,
        case.arrived,
        case.mean_seconds,
        case.rate,
    )
    .execute(connection)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn workers_are_asked_for_by_what_is_due_arrives_and_runs(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    for case in &CASES {
        insert_case(&mut connection, case).await;
    }
    let load = queue_load(&mut connection).await.unwrap();
    assert_eq!(load.len(), CASES.len());
    for case in &CASES {
        let row = load.iter().find(|row| row.queue == case.what).unwrap();
        assert_eq!(row.desired_workers, case.desired, "{row:?}");
    }
}

/// How many workers each queue asks for, by the queues' names.
async fn desired(connection: &mut PgConnection) -> Vec<i64> {
    let load = queue_load(connection).await.unwrap();
    load.iter().map(|row| row.desired_workers).collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn queues_together_ask_for_no_more_slots_than_the_limit_over_all(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let case = |what, ready, running| Case {
        what,
        ready,
        running,
        slots: 1,
        ..NOTHING
    };
    for case in [case("busy", 0, 3), case("due", 60, 0), case("less", 30, 0)] {
        insert_case(connection, &case).await;
    }
    // However long the machine takes, they live.
    sqlx::raw_sql("UPDATE workers SET seen_at = now() + interval '1 hour'")
        .execute(&mut *connection)
        .await
        .unwrap();
    // 60 and 30 runs of 6 s within a minute keep 6 and 3 slots busy, 8 and 4 at three quarters.
    assert_eq!(desired(connection).await, [3, 8, 4]);
    for (limit, asked) in [
        (Some(100), [3, 8, 4]),
        // Six places beside what runs, for twelve.
        (Some(9), [3, 4, 2]),
        // None is left, and each keeps whoever asks for its turn.
        (Some(2), [3, 1, 1]),
        // Two of five: a share that is not whole but for the last bit.
        (Some(5), [3, 2, 1]),
        (None, [3, 8, 4]),
    ] {
        limit_all_queues(connection, limit, &dana()).await.unwrap();
        assert_eq!(desired(connection).await, asked, "{limit:?}");
    }
    limit_all_queues(connection, Some(9), &dana())
        .await
        .unwrap();
    pause_queue(connection, "less", None, &dana())
        .await
        .unwrap();
    assert_eq!(desired(connection).await, [3, 6, 0], "its share is free");
}

/// What the chart's autoscaler is told, for workers of four slots.
async fn asked_by_chart(connection: &mut PgConnection) -> i64 {
    let query = include_str!("../../../../deploy/chart/files/desired.sql");
    let query = query.replace("{slots}", "4");
    let query = AssertSqlSafe(query.replace("{drain_seconds}", "60"));
    let asked = sqlx::raw_sql(query).fetch_one(connection).await;
    asked.unwrap().get("desired")
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_chart_asks_for_no_more_slots_than_any_limit(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let due = Case {
        what: "environments",
        ready: 1_000,
        ..NOTHING
    };
    let elsewhere = Case {
        what: "elsewhere",
        running: 3,
        ..NOTHING
    };
    insert_case(connection, &due).await;
    insert_case(connection, &elsewhere).await;
    // 1,000 runs of 1 s within a minute keep 17 slots busy, 23 at three quarters.
    for (own, rate, common, workers) in [
        (None, None, None, 6),
        (Some(5), None, None, 2),
        (Some(100), Some(100.0), Some(100), 6),
        // Six runs of 1 s at once, 8 at three quarters.
        (None, Some(6.0), None, 2),
        // Of the common places three are taken.
        (None, None, Some(9), 2),
        (Some(5), None, Some(7), 1),
        // None is left; somebody has to ask for the next.
        (None, None, Some(2), 1),
    ] {
        limit_queue(connection, "environments", own, &dana())
            .await
            .unwrap();
        limit_queue_rate(connection, "environments", rate, &dana())
            .await
            .unwrap();
        limit_all_queues(connection, common, &dana()).await.unwrap();
        let asked = asked_by_chart(connection).await;
        assert_eq!(asked, workers, "{own:?}, {rate:?} and {common:?}");
    }
}
