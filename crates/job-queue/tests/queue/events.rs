//! What was committed is counted once, whoever did it.

use std::time::Duration;

use job_queue::{EnqueueOptions, EventReader, QueueEvents, enqueue};
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;

use crate::support::{PATIENCE, ping, put};

const BOUNDS: [f64; 3] = [1.0, 10.0, 60.0];

/// Everything a reader has said so far.
#[derive(Default)]
struct Counted {
    reader: EventReader,
    said: Vec<QueueEvents>,
}

impl Counted {
    async fn begin(connection: &mut PgConnection) -> Self {
        let mut counted = Self::default();
        counted.read(connection).await;
        assert_eq!(counted.said, [QueueEvents::default()]);
        counted
    }

    async fn read(&mut self, connection: &mut PgConnection) {
        let said = self.reader.read(connection, &BOUNDS).await;
        self.said.push(said.unwrap());
    }

    /// Reads until the count is as large, and returns it.
    async fn reach(
        &mut self,
        connection: &mut PgConnection,
        expected: i64,
        count: impl Fn(&QueueEvents) -> i64,
    ) -> i64 {
        let give_up = Instant::now() + PATIENCE * 2;
        loop {
            self.read(connection).await;
            let sum = self.said.iter().map(&count).sum();
            if sum >= expected || Instant::now() > give_up {
                return sum;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn enqueued(events: &QueueEvents) -> i64 {
    events.enqueued.iter().map(|row| row.jobs).sum()
}

/// Waits until the database's clock shows so much more.
async fn let_pass(connection: &mut PgConnection, seconds: f64) {
    sqlx::query!("SELECT pg_sleep($1)", seconds)
        .execute(connection)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_enqueue_counts_once_when_it_is_committed_and_never_when_it_is_not(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let mut counted = Counted::begin(&mut connection).await;
    let options = EnqueueOptions::default();
    let mut rolled_back = pool.begin().await.unwrap();
    enqueue(&mut rolled_back, &ping(1), &options).await.unwrap();
    rolled_back.rollback().await.unwrap();
    // Enqueued before the others and committed after them, when readers have long been past.
    let mut late = pool.begin().await.unwrap();
    enqueue(&mut late, &ping(2), &options).await.unwrap();
    put(&pool, &ping(3)).await;
    let_pass(&mut connection, 2.5).await;
    counted.read(&mut connection).await;
    late.commit().await.unwrap();
    put(&pool, &ping(4)).await;
    assert_eq!(counted.reach(&mut connection, 3, enqueued).await, 3);
    put(&pool, &ping(5)).await;
    assert_eq!(counted.reach(&mut connection, 4, enqueued).await, 4);
    let rows = counted.said.iter().flat_map(|said| &said.enqueued);
    for row in rows {
        assert_eq!((&*row.queue, &*row.kind), ("test", "ping"));
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn rescues_ends_and_acts_are_told_apart(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let mut counted = Counted::begin(&mut connection).await;
    // One transaction and one moment, so that one answer has all of it.
    let happened = "
        INSERT INTO job_attempts (job_id, run_token, attempt, worker, started_at, finished_at, outcome,
                                  error_class)
        SELECT gen_random_uuid(), 1, 1, gen_random_uuid(), now(), now(), outcome, class
        FROM (VALUES ('lease_expired', 'crashed_worker'), ('evicted', 'evicted'),
                     ('retry', 'deadline_exceeded'), ('dead', 'deadline_exceeded'),
                     ('retry', 'told_to'), ('done', NULL), ('released', NULL)) AS ran (outcome, class);
        INSERT INTO jobs (id, queue, kind, payload, state, created_at, finished_at)
        SELECT gen_random_uuid(), 'test', 'ping', '{}', state,
               now() - took * interval '1 second', now()
        FROM (VALUES ('done', 2), ('dead', 4), ('cancelled', 20)) AS ended (state, took);
        INSERT INTO job_actions (verb, actor, at)
        SELECT verb, actor, now()
        FROM (VALUES ('job.retry', 'dana'), ('job.retry', 'dana'), ('queue.pause', 'dana'),
                     ('job.retry', 'system:sweep')) AS acted (verb, actor)";
    sqlx::raw_sql(happened).execute(&pool).await.unwrap();
    let acts = |said: &QueueEvents| said.actions.iter().map(|row| row.acts).sum();
    assert_eq!(counted.reach(&mut connection, 3, acts).await, 3);
    let last = counted.said.pop().unwrap();
    let rescued = last.rescued.iter().map(|row| (&*row.reason, row.runs));
    let rescued: Vec<_> = rescued.collect();
    assert_eq!(rescued, [("deadline", 2), ("evict", 1), ("lease", 1)]);
    let [short, long] = &last.ended[..] else {
        panic!("{:?}", last.ended)
    };
    assert_eq!((short.jobs, long.jobs), (2, 1));
    assert!((short.mean_seconds - 3.0).abs() < 0.5, "{short:?}");
    assert!((long.mean_seconds - 20.0).abs() < 0.5, "{long:?}");
    let acts = last.actions.iter().map(|row| (&*row.verb, row.acts));
    let acts: Vec<_> = acts.collect();
    assert_eq!(acts, [("job.retry", 2), ("queue.pause", 1)]);
}
