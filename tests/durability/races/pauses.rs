//! A pause amid claims: once it is answered and what was under way is over, no run begins.

use std::time::Duration;

use job_queue::{database_now, pause_queue, resume_queue};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use sqlx::types::chrono::{DateTime, Utc};
use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;
use tokio::time::{Instant, sleep};

use super::ring::{Aim, Next, Ring, rounds, say};
use super::{bench_with_workers, dana};
use crate::bench::Bench;

const QUEUE: &str = "durability";
/// Each side of the pause.
const JOBS: usize = 4;
/// Long enough for woken workers to claim, were it not for the pause.
const CLOSED: Duration = Duration::from_millis(5);

/// When every statement is over that may have begun before now: a claim under way still counts.
async fn settled(connection: &mut PgConnection) -> DateTime<Utc> {
    let paused_at = database_now(connection).await.unwrap();
    loop {
        let older = sqlx::query_scalar!(
            r#"SELECT count(*) AS "older!" FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < $1"#,
            paused_at
        );
        if older.fetch_one(&mut *connection).await.unwrap() == 0 {
            return database_now(connection).await.unwrap();
        }
    }
}

async fn put(bench: &mut Bench, round: usize, side: &str) -> Vec<Uuid> {
    let jobs: Vec<_> = (0..JOBS)
        .map(|it| Note(Task::new(format!("{side} {round} {it}"))))
        .collect();
    bench.put(&jobs).await
}

/// How many of these wait.
async fn waiting(connection: &mut PgConnection, ids: &[Uuid]) -> usize {
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "waiting!" FROM jobs WHERE id = ANY($1) AND state = 'ready'"#,
        ids
    );
    usize::try_from(waiting.fetch_one(connection).await.unwrap()).unwrap()
}

#[tokio::test]
async fn no_run_begins_between_the_answer_to_a_pause_and_the_resume() {
    let mut bench = bench_with_workers().await;
    let ring = Ring::beside(&bench);
    let mut connection = ring.pool.acquire().await.unwrap();
    let (begun, mut aim) = (Instant::now(), Aim::default());
    let (mut closed, mut left) = (Vec::new(), 0);
    for round in 0..rounds() {
        let before = put(&mut bench, round, "before").await;
        ring.wake();
        sleep(aim.delay).await;
        pause_queue(&mut connection, QUEUE, None, &dana())
            .await
            .unwrap();
        let answered = settled(&mut connection).await;
        let late = waiting(&mut connection, &before).await;
        left += late;
        aim.correct(if late > 0 { Next::Later } else { Next::Sooner });
        put(&mut bench, round, "meanwhile").await;
        ring.wake();
        sleep(CLOSED).await;
        closed.push((answered, database_now(&mut connection).await.unwrap()));
        resume_queue(&mut connection, QUEUE, &dana()).await.unwrap();
        ring.wake();
    }
    let evidence = bench.judge(SOON).await;
    for run in &evidence.attempts {
        let within = is_within(&closed, run.started_at_ms);
        assert!(!within, "{run:?} began in a pause");
    }
    let counts = [
        ("claimed before the pause", rounds() * JOBS - left),
        ("left by it", left),
    ];
    say(&counts.into(), begun.elapsed());
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}

/// The pauses are in the order of time, so the last that began before decides.
fn is_within(closed: &[(DateTime<Utc>, DateTime<Utc>)], begun: i64) -> bool {
    let before = closed.partition_point(|(from, _)| from.timestamp_millis() < begun);
    before > 0 && begun < closed[before - 1].1.timestamp_millis()
}
