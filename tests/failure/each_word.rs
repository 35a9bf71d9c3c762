//! Something is done whose n-th word to the database is lost, and done again by somebody who does
//! not know what became of it: for every n (in a brief run every third, or fewer), before the database
//! hears it and after.

use std::time::Duration;

use session_identity::ExamSessionId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::fault_proxy::{FaultProxy, Side};
use system_tests::ports::moved;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, crew};

use crate::scene::Scene;

/// A greeting, and a statement that is prepared and carried out.
const FEWEST_WORDS: usize = 3;
/// Every so many words of what is soon done.
pub(crate) const OFTEN: usize = 3;
/// As long as a process waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does it at every word, each time to a session that `prepare` has made fit for it, until it has
/// `happened`.
pub(crate) async fn at_every_word(
    scene: &Scene,
    what: &str,
    prepare: impl AsyncFn(ExamSessionId),
    act: impl AsyncFn(PgPool, ExamSessionId) -> anyhow::Result<()>,
    happened: impl AsyncFn(ExamSessionId) -> usize,
) {
    at_words(scene, (what, OFTEN), prepare, act, happened).await;
}

/// Does it like that, in a brief run at every `step`-th word.
pub(crate) async fn at_words(
    scene: &Scene,
    (what, step): (&str, usize),
    prepare: impl AsyncFn(ExamSessionId),
    act: impl AsyncFn(PgPool, ExamSessionId) -> anyhow::Result<()>,
    happened: impl AsyncFn(ExamSessionId) -> usize,
) {
    let step = Intensity::of_this_run().choose(step, 1);
    for side in [Side::Before, Side::After] {
        // The second strike tells whether there are as many as there must be.
        for at in std::iter::once(0).chain((FEWEST_WORDS..).step_by(step)) {
            let session = crew::request(scene.pool(), &format!("u-{side:?}-{at}")).await;
            prepare(session).await;
            let proxy = FaultProxy::before(scene.database_url()).await;
            let strike = proxy.strike_all(at, side);
            let told = act(by(&proxy, scene), session).await;
            until_it_has_happened(
                &format!("{what}, {side:?} {at}"),
                async || act(scene.pool().clone(), session).await,
                async || happened(session).await,
            )
            .await;
            crew::end(scene.pool(), session).await;
            if !strike.has_struck() {
                told.unwrap();
                assert!(at > FEWEST_WORDS, "{what}: no more than {at} words");
                break;
            }
        }
    }
    let _crew = scene.work_on(scene.real());
    scene.assert_invariants().await;
}

/// Repeats it undisturbed until it has happened, which must be once: a sweep leaves alone what a
/// connection holds that the server does not know to be cut off yet.
pub(crate) async fn until_it_has_happened(
    what: &str,
    again: impl AsyncFn() -> anyhow::Result<()>,
    happened: impl AsyncFn() -> usize,
) {
    until(what, SOON, async || {
        again().await.unwrap();
        let times = happened().await;
        assert!(times < 2, "{times} times: {what}");
        (times == 1).then_some(())
    })
    .await;
}

fn by(proxy: &FaultProxy, scene: &Scene) -> PgPool {
    let url = moved(scene.database_url(), &proxy.place());
    let options = PgPoolOptions::new().acquire_timeout(PATIENCE);
    options.connect_lazy(&url).unwrap()
}
