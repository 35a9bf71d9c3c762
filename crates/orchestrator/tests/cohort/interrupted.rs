//! Whatever stops an extension of many, the same key goes on and nobody gets the time twice.

use std::time::Duration;

use orchestrator::{CohortError, CohortReport, Consent, extend_cohort};
use session_lifecycle::{ErrorClass, lock_session};
use sqlx::{Connection as _, PgPool};

use crate::fixtures::{counts, extend, minutes_more, quarter, running};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn dropped_anywhere_and_begun_again_everybody_has_it_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 120).await;
    let mut dropped = 0;
    let mut patience = Duration::from_millis(3);
    let again = loop {
        let asked = quarter("k");
        let given = extend(&pool, &asked, Consent::Sessions(120));
        match tokio::time::timeout(patience, given).await {
            Ok(given) => break given.unwrap(),
            Err(_) => dropped += 1,
        }
        // A prime factor, so that it is dropped at ever another point of a session's transaction.
        patience = patience * 13 / 11;
    };
    assert!(dropped > 3, "it was dropped only {dropped} times");
    let [granted, already, capped, refused] = counts(&again);
    assert_eq!((granted + already, capped, refused), (120, 0, 0));
    assert!(already > 0, "what was done before counts");
    assert_eq!(minutes_more(&mut conn, &made).await, [15; 120]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_error_of_the_database_stops_with_what_was_done_and_the_same_key_goes_on(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 6).await;
    let impatient = (*pool.connect_options()).clone();
    let impatient = impatient.options([("lock_timeout", "100ms")]);
    let impatient = PgPool::connect_with(impatient).await.unwrap();
    let mut holding = conn.begin().await.unwrap();
    lock_session(&mut holding, made[2].id).await.unwrap();

    let mut report = CohortReport::default();
    let asked = quarter("k");
    let stopped = extend_cohort(&impatient, &asked, Consent::Sessions(6), |visit| {
        report.note(visit);
    });
    let stopped = stopped.await.unwrap_err();
    assert!(matches!(stopped, CohortError::Other(_)), "{stopped}");
    assert_eq!(stopped.class(), ErrorClass::Transient);
    assert_eq!((counts(&report), report.left()), ([3, 0, 0, 0], 3));
    holding.rollback().await.unwrap();
    assert_eq!(
        minutes_more(&mut conn, &made).await,
        [0, 0, 0, 15, 15, 15],
        "the newest are first"
    );

    let rest = extend(&pool, &asked, Consent::Sessions(6)).await.unwrap();
    assert_eq!(counts(&rest), [3, 3, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &made).await, [15; 6]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_operators_with_one_key_give_it_once_and_with_two_keys_twice(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 40).await;
    let (one, two, other) = (quarter("k"), quarter("k"), quarter("k-2"));
    let all = Consent::Sessions(40);
    let (one, two, other) = tokio::join!(
        extend(&pool, &one, all),
        extend(&pool, &two, all),
        extend(&pool, &other, all)
    );
    let (one, two) = (counts(&one.unwrap()), counts(&two.unwrap()));
    assert_eq!((one[0] + two[0], one[1] + two[1]), (40, 40));
    assert_eq!(counts(&other.unwrap()), [40, 0, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &made).await, [30; 40]);
}
