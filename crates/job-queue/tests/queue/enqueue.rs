//! Enqueuing is part of the caller's transaction, and a duplicate is an answer.

use std::collections::HashSet;

use job_queue::{EnqueueOptions, Enqueued, enqueue, enqueue_many};
use sqlx::{Acquire as _, PgPool};

use crate::support::{keyed, load, ping, put};

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM jobs"#)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_of_a_rolled_back_transaction_was_never_there(pool: PgPool) {
    let mut transaction = pool.begin().await.unwrap();
    enqueue(&mut transaction, &ping(1), &EnqueueOptions::default())
        .await
        .unwrap();
    assert_eq!(
        count(&pool).await,
        0,
        "nobody else sees it before the commit"
    );
    transaction.rollback().await.unwrap();
    assert_eq!(count(&pool).await, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_duplicate_leaves_the_callers_transaction_usable(pool: PgPool) {
    let first = put(&pool, &keyed("k")).await;
    let mut transaction = pool.begin().await.unwrap();
    let again = enqueue(&mut transaction, &keyed("k"), &EnqueueOptions::default())
        .await
        .unwrap();
    assert_eq!(again, Enqueued::AlreadyPresent(first));
    let other = enqueue(&mut transaction, &ping(2), &EnqueueOptions::default())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(load(&pool, other.id()).await.state, "ready");
    assert_eq!(count(&pool).await, 2);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_32_racing_enqueuers_one_makes_the_job_and_all_learn_its_id(pool: PgPool) {
    let racers = (0..32).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            let options = EnqueueOptions::default();
            let answer = enqueue(&mut transaction, &keyed("race"), &options)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
            answer
        })
    });
    let mut answers = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        answers.push(racer.await.unwrap());
    }
    let made = answers
        .iter()
        .filter(|answer| matches!(answer, Enqueued::New(_)))
        .count();
    let ids: HashSet<_> = answers.iter().map(|answer| answer.id()).collect();
    assert_eq!((made, ids.len(), count(&pool).await), (1, 1, 1));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_key_is_free_again_once_its_job_has_ended(pool: PgPool) {
    let first = put(&pool, &keyed("k")).await;
    sqlx::query!(
        "UPDATE jobs SET state = 'done', finished_at = now() WHERE id = $1",
        first.as_uuid(),
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_ne!(put(&pool, &keyed("k")).await, first);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_batch_answers_in_order_with_duplicates_inside_and_outside_of_it(pool: PgPool) {
    let there = put(&pool, &keyed("there")).await;
    let batch = [keyed("a"), keyed("there"), keyed("a"), ping(4)];
    let mut connection = pool.acquire().await.unwrap();
    let answers = enqueue_many(&mut connection, &batch, &EnqueueOptions::default())
        .await
        .unwrap();
    let [Enqueued::New(a), second, third, Enqueued::New(_)] = answers[..] else {
        panic!("unexpected answers: {answers:?}");
    };
    assert_eq!(second, Enqueued::AlreadyPresent(there));
    assert_eq!(third, Enqueued::AlreadyPresent(a));
    assert_eq!(count(&pool).await, 3);
}
