//! How many runs of a queue are started a second. Rates here are so low that no time that a test takes
//! lets another run start.

use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::{
    Cut, EXCHANGE, End, assert_held_by, bound, claim, exchange, finish, let_leases_run_out,
};
use crate::support::{ping, put, set_rate};

pub(super) const RATE: &[Cut] = &[(
    "LEAST($12, o.free, o.starts - (",
    1,
    "LEAST($12, o.free, $12 - (",
)];
pub(super) const SPENT: &[Cut] = &[("l.counted_at) - c.claimed", 1, "l.counted_at)")];
pub(super) const PARKED: &[Cut] = &[(
    "e.queue = o.name AND e.crash_count + 1 < $14 AND e.cancel_requested_at IS NULL",
    1,
    "e.queue = o.name",
)];
pub(super) const CLOCK_BACK: &[Cut] = &[(" OR l.tokens_at > l.counted_at", 1, "")];
pub(super) const TAKEN_OVER: &[Cut] = &[("ELSE LEAST($12, o.starts) END", 1, "ELSE $12 END")];
pub(super) const COUNTED_BY_ONE: &[Cut] = &[
    (
        "AND c.name IS NULL) AS is_contended",
        1,
        "AND false) AS is_contended",
    ),
    ("AND c.name IS NULL THEN 0", 1, "AND false THEN 0"),
];

/// One start in three hours.
const RARELY: f64 = 0.0001;

async fn put_three(pool: &PgPool) {
    for number in 1..=3 {
        put(pool, &ping(number)).await;
    }
}

/// What time does.
async fn let_pass(pool: &PgPool, hours: i32) {
    sqlx::query!(
        "UPDATE queues SET tokens_at = tokens_at - make_interval(hours => $1)",
        hours
    )
    .execute(pool)
    .await
    .unwrap();
}

pub(super) async fn a_rate_counts(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    set_rate(pool, Some(RARELY)).await;
    let mut connection = pool.acquire().await.unwrap();
    let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 3).await;
    answer.unwrap().claimed.len() == 1
}

/// Given back or not.
pub(super) async fn a_start_is_spent(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    set_rate(pool, Some(RARELY)).await;
    let worker = Uuid::now_v7();
    let first = claim(pool, statement, worker).await.unwrap();
    assert!(finish(pool, statement, worker, End::new(first, "released")).await);
    let again = claim(pool, statement, worker).await;
    // Four hours later, and the next ten save up one start only.
    let_pass(pool, 4).await;
    let later = claim(pool, statement, worker).await;
    let_pass(pool, 10).await;
    let much_later = claim(pool, statement, worker).await;
    let at_once = claim(pool, statement, worker).await;
    again.is_none() && later.is_some() && much_later.is_some() && at_once.is_none()
}

pub(super) async fn a_run_taken_over_counts(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    set_rate(pool, Some(RARELY)).await;
    claim(pool, statement, Uuid::now_v7()).await.unwrap();
    let_leases_run_out(pool).await;
    let held = claim(pool, statement, Uuid::now_v7()).await;
    let_pass(pool, 4).await;
    let taken_over = claim(pool, statement, Uuid::now_v7()).await;
    held.is_none() && taken_over.is_some_and(|(_, run_token)| run_token == 2)
}

/// Two runs have crashed once too often, and the rate lets two others start.
pub(super) async fn what_is_parked_is_no_start(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    put_three(pool).await;
    let mut connection = pool.acquire().await.unwrap();
    for _ in 0..3 {
        let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 2).await;
        assert_eq!(answer.unwrap().claimed.len(), 2);
        let_leases_run_out(pool).await;
    }
    // No more than two are saved up, however long this takes.
    set_rate(pool, Some(2.0)).await;
    let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 12).await;
    let answer = answer.unwrap();
    assert_eq!(answer.parked.len(), 2);
    answer.claimed.len() == 2
}

pub(super) async fn a_clock_may_go_back(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    set_rate(pool, Some(RARELY)).await;
    let worker = Uuid::now_v7();
    claim(pool, statement, worker).await.unwrap();
    // Four hours back, and forth again: by the clock that then counts four hours have passed.
    let_pass(pool, -4).await;
    let at_once = claim(pool, statement, worker).await;
    let_pass(pool, 4).await;
    let later = claim(pool, statement, worker).await;
    at_once.is_none() && later.is_some()
}

/// The second claim begins before the first has committed.
pub(super) async fn one_counts_at_a_time(pool: &PgPool, statement: &str) -> bool {
    put_three(pool).await;
    set_rate(pool, Some(RARELY)).await;
    let mut first = pool.begin().await.unwrap();
    let taken = exchange(&mut first, statement, Uuid::now_v7(), &[], 1).await;
    assert_eq!(taken.unwrap().claimed.len(), 1);
    let mut connection = pool.acquire().await.unwrap();
    let second = exchange(&mut connection, statement, Uuid::now_v7(), &[], 1).await;
    first.rollback().await.unwrap();
    second.unwrap().claimed.is_empty()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_keeps_a_rate(pool: PgPool) {
    assert_held_by(RATE, &pool, a_rate_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn taking_a_token_is_what_spends_a_start(pool: PgPool) {
    assert_held_by(SPENT, &pool, a_start_is_spent).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_take_over_is_a_start_since_its_claim_counts_it(pool: PgPool) {
    assert_held_by(TAKEN_OVER, &pool, a_run_taken_over_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn telling_what_is_parked_from_what_is_taken_over_is_what_leaves_starts_to_others(
    pool: PgPool,
) {
    assert_held_by(PARKED, &pool, what_is_parked_is_no_start).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_time_of_a_claim_without_a_start_is_what_survives_a_clock_that_goes_back(pool: PgPool) {
    assert_held_by(CLOCK_BACK, &pool, a_clock_may_go_back).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_lock_of_the_queues_row_is_what_makes_a_rate_exact(pool: PgPool) {
    assert_held_by(COUNTED_BY_ONE, &pool, one_counts_at_a_time).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn setting_a_rate_again_lets_no_more_start_and_lifting_it_all(pool: PgPool) {
    put_three(&pool).await;
    let worker = Uuid::now_v7();
    set_rate(&pool, Some(RARELY)).await;
    assert!(claim(&pool, EXCHANGE, worker).await.is_some());
    set_rate(&pool, Some(RARELY / 2.0)).await;
    assert!(claim(&pool, EXCHANGE, worker).await.is_none());
    set_rate(&pool, None).await;
    for _ in 0..2 {
        assert!(claim(&pool, EXCHANGE, worker).await.is_some());
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_claim_that_is_held_learns_when_the_next_run_may_start(pool: PgPool) {
    put_three(&pool).await;
    set_rate(&pool, Some(RARELY)).await;
    let mut connection = pool.acquire().await.unwrap();
    let statement = || bound(EXCHANGE.to_owned(), "test", Uuid::now_v7(), &[], 3);
    for starts in [1, 0] {
        let rows = statement().fetch_all(&mut *connection).await.unwrap();
        assert_eq!(rows.len(), starts + 1);
        let held = rows.last().unwrap();
        assert_eq!(held.get::<&str, _>("part!"), "held");
        let seconds = held.get::<f64, _>("waited_seconds");
        assert!(seconds > 0.0 && seconds <= 1.0 / RARELY, "{seconds}");
    }
}
