//! How waiting raises a job. Since when each has waited is written down, so that no time that a test
//! takes changes it.

use std::{collections::BTreeSet, time::Duration};

use job_queue::{
    EnqueueOptions, Enqueued, WhyNotRunning, age_queue, limit_all_queues, limit_queue,
    limit_queue_rate, pause_queue, resume_queue, why_not_running,
};
use session_identity::JobId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    Cut, EXCHANGE, ROW_LOCKS, SKIP_LOCKED, assert_held_by, claim, claiming, exchange, plans,
};
use crate::support::{dana, ping, put, put_with};

/// What orders by priority alone.
pub(super) const AGE: &[Cut] = &[(
    "first_by_age(o.name, o.priority_age,",
    1,
    "first_by_age(o.name, NULL::interval,",
)];
/// What takes nothing but the first.
pub(super) const THE_REST: &[Cut] = &[(
    "AND j.id <> ALL(ARRAY(SELECT a.id FROM aged a WHERE a.queue = o.name))",
    1,
    "AND o.priority_age IS NULL",
)];
/// What gives the same job twice.
pub(super) const TWICE: &[Cut] = &[(
    "AND j.id <> ALL(ARRAY(SELECT a.id FROM aged a WHERE a.queue = o.name))",
    1,
    "AND true",
)];
/// What lets the planner find a job by walking the index of those that wait.
pub(super) const BY_ID: &[Cut] = &[(
    "j.state IS NOT DISTINCT FROM 'ready'",
    1,
    "j.state = 'ready'",
)];
/// What looks at no more than it takes and a few.
pub(super) const AS_MANY_AGAIN: &[Cut] = &[("2 * LEAST(o.free,", 1, "LEAST(o.free,")];

/// Ten minutes.
async fn set_age(pool: &PgPool) {
    write_age(pool, Some(Duration::from_mins(10))).await;
}

async fn write_age(pool: &PgPool, age: Option<Duration>) {
    let mut connection = pool.acquire().await.unwrap();
    age_queue(&mut connection, "test", age, &dana())
        .await
        .unwrap();
}

/// Enqueues a job of that priority that has waited so many minutes longer than one of none.
async fn put_waiting(pool: &PgPool, priority: i16, minutes: i32) -> JobId {
    let options = EnqueueOptions {
        priority,
        ..EnqueueOptions::default()
    };
    let Enqueued::New(job) = put_with(pool, &ping(minutes), &options).await else {
        panic!("jobs without a key are never the same");
    };
    sqlx::query!(
        "UPDATE jobs SET run_at = timestamptz '2026-01-01' - make_interval(mins => $2)
         WHERE id = $1",
        job.as_uuid(),
        minutes,
    )
    .execute(pool)
    .await
    .unwrap();
    job
}

/// Priorities and minutes in the order of `minutes + 10 * priority`, higher priorities first of two.
const IN_ORDER: [(i16, i32); 6] = [(0, 30), (1, 15), (0, 25), (2, 4), (-1, 31), (2, 0)];

/// Enqueues them the other way round.
async fn put_in_order(pool: &PgPool) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for (priority, minutes) in IN_ORDER.into_iter().rev() {
        jobs.push(put_waiting(pool, priority, minutes).await);
    }
    jobs.reverse();
    jobs
}

async fn claim_all(pool: &PgPool, statement: &str) -> Vec<JobId> {
    let mut jobs = Vec::new();
    while let Some((job, _)) = claim(pool, statement, Uuid::now_v7()).await {
        jobs.push(job);
    }
    jobs
}

pub(super) async fn waiting_raises_a_job(pool: &PgPool, statement: &str) -> bool {
    let jobs = put_in_order(pool).await;
    set_age(pool).await;
    claim_all(pool, statement).await == jobs
}

/// More than a claim of one looks at are locked, as by an operation on many jobs, for longer than a
/// claim may take.
pub(super) async fn what_is_held_stops_no_queue(pool: &PgPool, statement: &str) -> bool {
    set_age(pool).await;
    let rest = put_waiting(pool, 0, 0).await;
    let mut other = pool.begin().await.unwrap();
    for minutes in 1..=25 {
        let held = put_waiting(pool, 0, minutes).await;
        claiming::lock(&mut other, held).await;
    }
    let claimed = claim(pool, statement, Uuid::now_v7()).await;
    other.rollback().await.unwrap();
    claimed == Some((rest, 1))
}

/// Three are claimed where all but the second of what is looked at are locked, and two more are free.
pub(super) async fn a_claim_is_filled(pool: &PgPool, statement: &str) -> bool {
    set_age(pool).await;
    for minutes in 1..=2 {
        put_waiting(pool, 0, minutes).await;
    }
    let mut other = pool.begin().await.unwrap();
    for minutes in 3..=28 {
        let job = put_waiting(pool, 0, minutes).await;
        if minutes != 27 {
            claiming::lock(&mut other, job).await;
        }
    }
    let mut connection = pool.acquire().await.unwrap();
    let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 3).await;
    other.rollback().await.unwrap();
    answer.unwrap().claimed.len() == 3
}

/// Another claim of as many has not ended.
pub(super) async fn a_claim_beside_another_goes_by_age(pool: &PgPool, statement: &str) -> bool {
    set_age(pool).await;
    let mut old = BTreeSet::new();
    for _ in 0..60 {
        old.insert(put_waiting(pool, 0, 30).await);
    }
    for _ in 0..30 {
        put_waiting(pool, 2, 0).await;
    }
    let mut other = pool.begin().await.unwrap();
    let mut claimed = BTreeSet::new();
    let mut connection = pool.acquire().await.unwrap();
    for it in [&mut *other, &mut *connection] {
        let answer = exchange(it, statement, Uuid::now_v7(), &[], 30).await;
        claimed.extend(answer.unwrap().claimed.iter().map(|(job, _)| *job));
    }
    other.rollback().await.unwrap();
    claimed == old
}

/// The planner was last told when nothing waited.
pub(super) async fn what_it_takes_is_found_by_id(pool: &PgPool, statement: &str) -> bool {
    set_age(pool).await;
    sqlx::raw_sql("ALTER TABLE jobs SET (autovacuum_enabled = off)")
        .execute(pool)
        .await
        .unwrap();
    plans::fill(pool, "done", 1_000).await;
    plans::insert(pool, "ready", 50_000).await;
    plans::blocks_met(pool, statement).await <= 1_000
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_age_is_what_has_an_older_job_go_first(pool: PgPool) {
    assert_held_by(AGE, &pool, waiting_raises_a_job).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn looking_past_the_first_is_what_keeps_such_a_queue_going(pool: PgPool) {
    assert_held_by(THE_REST, &pool, what_is_held_stops_no_queue).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn leaving_out_what_it_has_is_what_fills_a_claim(pool: PgPool) {
    assert_held_by(TWICE, &pool, a_claim_is_filled).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn looking_at_as_many_again_is_what_keeps_the_order_beside_another_claim(pool: PgPool) {
    assert_held_by(AS_MANY_AGAIN, &pool, a_claim_beside_another_goes_by_age).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keeping_the_planner_off_the_index_is_what_finds_each_by_its_id(pool: PgPool) {
    assert_held_by(BY_ID, &pool, what_it_takes_is_found_by_id).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn such_a_queue_also_passes_over_what_is_locked_and_gives_no_job_twice(pool: PgPool) {
    assert_held_by(SKIP_LOCKED, &pool, async |pool, statement| {
        set_age(pool).await;
        claiming::a_locked_job_is_passed_over(pool, statement).await
    })
    .await;
    sqlx::raw_sql("TRUNCATE jobs, queues")
        .execute(&pool)
        .await
        .unwrap();
    assert_held_by(ROW_LOCKS, &pool, async |pool, statement| {
        set_age(pool).await;
        claiming::two_claimers_share_nothing(pool, statement).await
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_comes_later_starves_an_old_job_until_an_age_is_set(pool: PgPool) {
    let old = put_waiting(&pool, 0, 25).await;
    let next = async || claim(&pool, EXCHANGE, Uuid::now_v7()).await.unwrap().0;
    for _ in 0..5 {
        let urgent = put_waiting(&pool, 2, 0).await;
        assert_eq!(next().await, urgent);
    }
    put_waiting(&pool, 2, 0).await;
    set_age(&pool).await;
    assert_eq!(next().await, old);
    let old = put_waiting(&pool, 0, 25).await;
    write_age(&pool, None).await;
    assert_ne!(next().await, old);
}

async fn claimed_of_five(connection: &mut PgConnection) -> usize {
    let answer = exchange(connection, EXCHANGE, Uuid::now_v7(), &[], 5).await;
    answer.unwrap().claimed.len()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_pause_and_each_limit_hold_in_such_a_queue_too(pool: PgPool) {
    set_age(&pool).await;
    for number in 0..9 {
        put(&pool, &ping(number)).await;
    }
    let mut connection = pool.acquire().await.unwrap();
    let it = &mut *connection;
    pause_queue(it, "test", None, &dana()).await.unwrap();
    assert_eq!(claimed_of_five(it).await, 0);
    resume_queue(it, "test", &dana()).await.unwrap();
    limit_queue(it, "test", Some(2), &dana()).await.unwrap();
    assert_eq!(claimed_of_five(it).await, 2);
    assert_eq!(claimed_of_five(it).await, 0);
    limit_queue(it, "test", None, &dana()).await.unwrap();
    limit_all_queues(it, Some(3), &dana()).await.unwrap();
    assert_eq!(claimed_of_five(it).await, 1);
    assert_eq!(claimed_of_five(it).await, 0);
    limit_all_queues(it, None, &dana()).await.unwrap();
    // One start in three hours.
    limit_queue_rate(it, "test", Some(0.0001), &dana())
        .await
        .unwrap();
    assert_eq!(claimed_of_five(it).await, 1);
    assert_eq!(claimed_of_five(it).await, 0);
    limit_queue_rate(it, "test", None, &dana()).await.unwrap();
    assert_eq!(claimed_of_five(it).await, 5);
}

async fn behind(connection: &mut PgConnection, job: JobId) -> i64 {
    let reasons = why_not_running(connection, job).await.unwrap();
    let behind = reasons.iter().find_map(|reason| match reason {
        WhyNotRunning::Behind { jobs } => Some(*jobs),
        _ => None,
    });
    behind.unwrap_or(0)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn as_many_go_first_as_a_job_is_told(pool: PgPool) {
    let jobs = put_in_order(&pool).await;
    let mut connection = pool.acquire().await.unwrap();
    for age in [Some(Duration::from_mins(10)), None] {
        write_age(&pool, age).await;
        let mut told = Vec::new();
        for job in &jobs {
            told.push(behind(&mut connection, *job).await);
        }
        let expected = if age.is_some() {
            [0, 1, 2, 3, 4, 5]
        } else {
            [3, 2, 4, 0, 5, 1]
        };
        assert_eq!(told, expected, "{age:?}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_least_priority_and_the_highest_are_told_too(pool: PgPool) {
    let jobs = [
        put_waiting(&pool, i16::MAX, 0).await,
        put_waiting(&pool, 0, 0).await,
        put_waiting(&pool, i16::MIN, 0).await,
    ];
    let mut connection = pool.acquire().await.unwrap();
    for age in [None, Some(Duration::from_hours(24 * 366))] {
        write_age(&pool, age).await;
        for (first, job) in (0..).zip(jobs) {
            assert_eq!(behind(&mut connection, job).await, first, "{age:?}");
        }
    }
    assert_eq!(claim_all(&pool, EXCHANGE).await, jobs);
}

/// Enqueues so many of so many priorities, and tells the planner.
async fn spread(pool: &PgPool, jobs: i32, priorities: i32) {
    plans::insert(pool, "ready", jobs).await;
    sqlx::query!(
        "UPDATE jobs SET priority = abs(hashtext(id::text)) % $1::integer,
                         run_at = now() - abs(hashtext(id::text)) % 3000 * interval '1 second'",
        priorities,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM ANALYZE jobs")
        .execute(pool)
        .await
        .unwrap();
}

/// Claims ten, which must be the first by age, and says how many rows were read for it.
async fn read_to_claim_the_first(pool: &PgPool) -> i64 {
    let first = sqlx::query_scalar!(
        "SELECT id FROM jobs
         ORDER BY aged_run_at(run_at, priority, interval '10 min'), priority DESC, run_at, id
         LIMIT 10"
    );
    let first = BTreeSet::from_iter(first.fetch_all(pool).await.unwrap());
    let (read, claimed) = plans::read_to_claim(pool).await;
    let claimed: BTreeSet<_> = claimed.iter().map(|(job, _)| job.as_uuid()).collect();
    assert_eq!(claimed, first);
    read
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_index_also_spares_a_claim_the_backlog_of_such_a_queue(pool: PgPool) {
    spread(&pool, 50_000, 5).await;
    set_age(&pool).await;
    let read = read_to_claim_the_first(&pool).await;
    // Forty of each priority are looked at, and ten taken, each by a few parts of the statement.
    assert!(read <= 400, "{read} rows were read to claim ten");
    sqlx::raw_sql("DROP INDEX jobs_claimable")
        .execute(&pool)
        .await
        .unwrap();
    let (read, _) = plans::read_to_claim(&pool).await;
    assert!(read >= 50_000, "{read}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_many_priorities_a_claim_reads_little_more_than_the_first(pool: PgPool) {
    spread(&pool, 20_000, 500).await;
    set_age(&pool).await;
    let read = read_to_claim_the_first(&pool).await;
    // Two of each priority, and forty of each of the forty whose first go first.
    assert!(read <= 4_000, "{read} rows were read to claim ten");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_nobody_reads_is_met_once_by_a_claim_of_such_a_queue(pool: PgPool) {
    spread(&pool, 20_000, 5).await;
    sqlx::raw_sql("UPDATE jobs SET kind_version = 2; ANALYZE jobs")
        .execute(&pool)
        .await
        .unwrap();
    set_age(&pool).await;
    for priority in 0..5 {
        let options = EnqueueOptions {
            priority,
            ..EnqueueOptions::default()
        };
        put_with(&pool, &ping(1), &options).await;
    }
    let (read, claimed) = plans::read_to_claim(&pool).await;
    assert_eq!(claimed.len(), 5);
    assert!(read <= 21_000, "{read} rows were read to claim five");
}
