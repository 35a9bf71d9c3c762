//! Something is done whose n-th word to the database is lost, and done again by somebody who does
//! not know what became of it: for every n (in a brief run every third), before the database hears it
//! and after.

use std::time::Duration;

use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{Advance, Cause, Expected, Provenance, advance};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use system_tests::fault_proxy::{FaultProxy, Side};
use system_tests::ports::moved;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, crew};

use crate::scene::Scene;

/// A greeting, and a statement that is prepared and carried out.
const FEWEST_WORDS: usize = 3;
/// As long as a process waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does it at every word, each time to a session that `prepare` has made fit for it. It is repeated
/// until it has `happened`, which must be once: a sweep leaves alone what a connection holds that the
/// server does not know to be cut off yet.
pub(crate) async fn at_every_word(
    scene: &Scene,
    prepare: impl AsyncFn(ExamSessionId),
    act: impl AsyncFn(PgPool, ExamSessionId) -> anyhow::Result<()>,
    happened: impl AsyncFn(ExamSessionId) -> usize,
) {
    let step = Intensity::of_this_run().choose(3, 1);
    for side in [Side::Before, Side::After] {
        for at in (0..).step_by(step) {
            let session = crew::request(scene.pool(), &format!("u-{side:?}-{at}")).await;
            prepare(session).await;
            let proxy = FaultProxy::before(scene.database_url()).await;
            let strike = proxy.strike_all(at, side);
            let told = act(by(&proxy, scene), session).await;
            until(&format!("it happens, {side:?} {at}"), SOON, async || {
                act(scene.pool().clone(), session).await.unwrap();
                let times = happened(session).await;
                assert!(times < 2, "{times} times, {side:?} {at}");
                (times == 1).then_some(())
            })
            .await;
            crew::end(scene.pool(), session).await;
            if !strike.has_struck() {
                told.unwrap();
                assert!(at > FEWEST_WORDS, "only {at} words");
                break;
            }
        }
    }
    let _crew = scene.work_on(scene.real());
    scene.assert_invariants().await;
}

fn by(proxy: &FaultProxy, scene: &Scene) -> PgPool {
    let url = moved(scene.database_url(), &proxy.place());
    let options = PgPoolOptions::new().acquire_timeout(PATIENCE);
    options.connect_lazy(&url).unwrap()
}

/// Brings a session there, step by step.
pub(crate) async fn bring(pool: &PgPool, session: ExamSessionId, steps: &[Advance]) {
    let mut conn = pool.acquire().await.unwrap();
    for step in steps {
        let by = Provenance {
            actor: Actor::System("tests"),
            cause: Cause::new("prepared"),
            job_id: None,
            trace: None,
        };
        let moved = advance(&mut conn, session, Expected::AnyVersion, step.clone(), &by);
        moved.await.unwrap();
    }
}

/// Changes rows past Carrel; `$id` is the session.
pub(crate) async fn change(pool: &PgPool, session: ExamSessionId, sql: &str) {
    let sql = sql.replace("$id", &format!("'{session}'"));
    let changed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await;
    assert_ne!(changed.unwrap().rows_affected(), 0, "nothing to change");
}
