//! Old and new builds side by side: each claims what it can read.

use std::time::Duration;

use job_queue::{DecodeError, Job, Outcome, Registry, WhyNotRunning, why_not_running};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{Ping, handler, load, ping, put, quick, start, wait_for_state};

/// What the next build makes of a ping: the number has become a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NextPing {
    text: String,
}

impl Job for NextPing {
    const KIND: &'static str = Ping::KIND;
    const VERSION: i32 = 2;
    const OLDEST_VERSION: i32 = 1;
    const QUEUE: &'static str = Ping::QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn decode(version: i32, payload: Value) -> Result<Self, DecodeError> {
        let payload = if version == 1 {
            serde_json::json!({ "text": payload["number"].to_string() })
        } else {
            payload
        };
        serde_json::from_value(payload).map_err(DecodeError::Payload)
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_of_a_later_version_waits_for_a_worker_that_reads_it(pool: PgPool) {
    let registry =
        Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }));
    let old = start(&pool, registry, quick("old"));
    let text = "two".to_owned();
    let next = put(&pool, &NextPing { text }).await;
    let own = put(&pool, &ping(1)).await;
    wait_for_state(&pool, own, "done").await;
    let job = load(&pool, next).await;
    assert_eq!((job.state.as_str(), job.run_token), ("ready", 0));
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, next).await.unwrap();
    assert!(
        matches!(&reasons[..], [WhyNotRunning::NoWorker { version: 2, .. }]),
        "{reasons:?}"
    );
    let registry =
        Registry::new().register::<NextPing, _>(handler(|job: NextPing, _| async move {
            assert_eq!(job.text, "two");
            Outcome::Done
        }));
    let new = start(&pool, registry, quick("new"));
    let job = wait_for_state(&pool, next, "done").await;
    assert_eq!((job.attempt, job.run_token), (1, 1));
    old.drain().await;
    new.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_newer_build_reads_what_older_ones_left(pool: PgPool) {
    let left = put(&pool, &ping(7)).await;
    let registry =
        Registry::new().register::<NextPing, _>(handler(|job: NextPing, _| async move {
            assert_eq!(job.text, "7");
            Outcome::Done
        }));
    let new = start(&pool, registry, quick("new"));
    wait_for_state(&pool, left, "done").await;
    new.drain().await;
}
