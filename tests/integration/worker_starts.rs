//! A worker starts, and the operator looks at once.

use std::time::Duration;

use system_tests::TestSystem;
use system_tests::wait::until;

/// Of what is due, of starts, of teardowns, of the runtime, of attaches, of the history.
const SWEEPS: i64 = 6;
/// The sweep of the runtime comes every 15 s: who waited a part of that first, as a worker that
/// dies early always would, never swept.
const AT_ONCE: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_worker_that_is_ready_has_begun_its_sweeps() {
    let system = TestSystem::start().await;
    system.carrel(&["doctor"]).await;
    until("every sweep has begun", AT_ONCE, async || {
        let begun = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM schedules"#);
        let begun = begun.fetch_one(system.pool()).await.unwrap();
        (begun == SWEEPS).then_some(())
    })
    .await;
}
