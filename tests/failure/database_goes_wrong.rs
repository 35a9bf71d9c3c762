//! The database fails, or the worker dies, at each statement that a session's life takes.

use std::sync::Arc;
use std::time::Duration;

use session_identity::ExamSessionId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::fault_proxy::{FaultProxy, Side, Strike};
use system_tests::ports::moved;
use system_tests::{Intensity, Weight, crew, take_places};
use tokio_util::task::AbortOnDropHandle;

use crate::scene::{Scene, work};

/// How many lives are struck at once: as many environments as a small machine carries.
const AT_ONCE: usize = 8;
/// What a life takes at least: each of its five jobs reads, locks, changes and commits.
const FEWEST_STATEMENTS: usize = 24;
const CONNECTIONS: u32 = 8;

#[tokio::test]
async fn a_session_comes_and_goes_whichever_statement_never_arrives() {
    at_every_statement(Side::Before).await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_answer_is_lost() {
    at_every_statement(Side::After).await;
}

async fn at_every_statement(side: Side) {
    let _place = take_places(Weight::Light).await;
    let stage = Stage::set().await;
    let _crew = stage.work();
    for first in (0..).step_by(AT_ONCE) {
        let mut lives = Vec::new();
        for at in first..first + AT_ONCE {
            lives.push(stage.begin(at, side).await);
        }
        for (session, _) in &lives {
            stage.live(*session).await;
        }
        if lives.iter().any(|(_, strike)| !strike.has_struck()) {
            assert!(
                first + AT_ONCE > FEWEST_STATEMENTS,
                "only {first} statements"
            );
            break;
        }
    }
    stage.scene.assert_invariants().await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_statement_is_the_last_of_its_worker() {
    at_every_death(Side::After, 1).await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_statement_its_worker_did_not_live_to_say() {
    // Between two statements the worker asks the runtime at most, and its deaths around those calls
    // have a story of their own.
    at_every_death(Side::Before, Intensity::of_this_run().choose(6, 1)).await;
}

async fn at_every_death(side: Side, step: usize) {
    let _place = take_places(Weight::Light).await;
    let stage = Stage::set().await;
    for at in (0..).step_by(step) {
        let (session, strike) = stage.begin(at, side).await;
        let struck = Arc::clone(&strike);
        let doomed = stage.work();
        let _successor = AbortOnDropHandle::new(tokio::spawn(stage.succeed(doomed, struck)));
        stage.live(session).await;
        if !strike.has_struck() {
            assert!(at > FEWEST_STATEMENTS, "only {at} statements");
            break;
        }
    }
    stage.scene.assert_invariants().await;
}

/// A scene whose worker speaks to the database by a proxy.
struct Stage {
    scene: Scene,
    proxy: FaultProxy,
    url: String,
}

impl Stage {
    async fn set() -> Self {
        let scene = Scene::set().await;
        let proxy = FaultProxy::before(scene.database_url()).await;
        let url = moved(scene.database_url(), &proxy.place());
        Self { scene, proxy, url }
    }

    /// Requests a session whose worker is struck at a statement about it.
    async fn begin(&self, at: usize, side: Side) -> (ExamSessionId, Arc<Strike>) {
        // Nothing is asked until it is known where to strike.
        self.proxy.hold();
        let session = crew::request(self.scene.pool(), &format!("u-{at}")).await;
        let strike = self.proxy.strike(session.as_uuid(), at, side);
        self.proxy.pass();
        (session, strike)
    }

    fn work(&self) -> AbortOnDropHandle<()> {
        work(self.pool(), self.scene.real())
    }

    fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy(&self.url)
            .unwrap()
    }

    /// Once a worker is struck it is dead, and another works on.
    fn succeed(
        &self,
        doomed: AbortOnDropHandle<()>,
        strike: Arc<Strike>,
    ) -> impl Future<Output = ()> + use<> {
        let (tests, pool) = (self.scene.pool().clone(), self.pool());
        let real = self.scene.real();
        async move {
            strike.struck().await;
            drop(doomed);
            crew::expire_leases(&tests).await;
            crew::work(pool, real).await;
        }
    }

    /// From its preparation to its end.
    async fn live(&self, session: ExamSessionId) {
        let pool = self.scene.pool();
        self.scene.await_state(session, "ready").await;
        crew::activate(pool, session).await;
        self.scene.await_state(session, "running").await;
        crew::end(pool, session).await;
        self.scene.await_gone(session).await;
        assert_eq!(self.scene.state(session).await, "terminated");
    }
}
