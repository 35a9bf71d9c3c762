//! Fault F11: commits that carry a notification queue behind one lock, so their number is the cost.

use job_queue::{Waker, notify_workers};
use sqlx::PgPool;

use crate::support::{ping, put};
use crate::wake_up::{count_until_mark, listener};

const ENQUEUES: i32 = 20;
const WAKES: u32 = 200;

/// As stock storage has it.
const NOTIFY_EACH_ROW: &str = "
    CREATE FUNCTION notify_each_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('carrel_jobs', NEW.id::text);
        RETURN NULL;
    END $$;
    CREATE TRIGGER notify_each_row AFTER INSERT ON jobs
        FOR EACH ROW EXECUTE FUNCTION notify_each_row();";

pub(super) async fn notifications_of_twenty_enqueues(pool: &PgPool) -> u32 {
    let mut listener = listener(pool).await;
    for number in 0..ENQUEUES {
        put(pool, &ping(number)).await;
    }
    count_until_mark(pool, &mut listener).await
}

/// Wakes, each of which `wake` passes on in its own way, or does not.
pub(super) async fn notifications_of_two_hundred_wakes(pool: &PgPool, wake: impl AsyncFn()) -> u32 {
    let mut listener = listener(pool).await;
    for _ in 0..WAKES {
        wake().await;
    }
    count_until_mark(pool, &mut listener).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_trigger_a_row_is_what_an_enqueue_does_without(pool: PgPool) {
    assert_eq!(notifications_of_twenty_enqueues(&pool).await, 0);
    sqlx::raw_sql(NOTIFY_EACH_ROW).execute(&pool).await.unwrap();
    assert_eq!(notifications_of_twenty_enqueues(&pool).await, 20);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_waker_is_what_makes_one_notification_of_many_wakes(pool: PgPool) {
    let waker = Waker::new(pool.clone());
    // All within one look of the notifier: this test's runtime has one thread and does not yield.
    let debounced = notifications_of_two_hundred_wakes(&pool, async || waker.wake()).await;
    assert!(debounced <= 1, "{debounced}");
    let each = notifications_of_two_hundred_wakes(&pool, async || {
        notify_workers(&mut pool.acquire().await.unwrap())
            .await
            .unwrap();
    });
    assert!(each.await >= WAKES);
}
