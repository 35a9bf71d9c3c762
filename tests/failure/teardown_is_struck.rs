//! A teardown that hangs and is forced, or is blocked before, struck at each statement about it and at
//! each of its calls. One that does not hang is a part of every session's life, which is struck too.

use std::sync::Arc;

use execution_environment::{EnvironmentState, begin_destroy};
use futures_util::future::join_all;
use job_queue::{EnqueueOptions, enqueue};
use orchestrator::DestroyEnvironment;
use session_identity::ExamSessionId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::fault_proxy::{FaultProxy, Side};
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::hanging_runtime::HangingRuntime;
use system_tests::ports::moved;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, Weight, crew, take_places};

use crate::prepared::{bring, change, end, holds, hurry, ready};
use crate::scene::{Scene, work};

/// How many are struck at once: as many environments as a small machine carries.
const AT_ONCE: usize = 6;
/// What one takes at least: it is begun, looked at, forced, and gone.
const FEWEST_STATEMENTS: usize = 8;
/// Evidence, a deletion, a look, a force, a deletion.
const FEWEST_CALLS: usize = 5;
const CONNECTIONS: u32 = 8;

static FAULTS: [RuntimeFault; 4] = [
    RuntimeFault::FailsBefore,
    RuntimeFault::FailsAfter,
    RuntimeFault::DiesBefore,
    RuntimeFault::DiesAfter,
];

const NOT_YET: &str = "UPDATE execution_environments
    SET destroying_at = now() + interval '1 h', version = version + 1 WHERE session_id = $id";
const LONG_AGO: &str = "UPDATE execution_environments
    SET destroying_at = now() - interval '5 min', version = version + 1 WHERE session_id = $id";
const WAS_LEFT: &str = "SELECT max(snoozes) > 0 FROM jobs
    WHERE session_id = $id AND kind = 'destroy_environment'";
const IS_BLOCKED: &str = "SELECT cleanup_blocked = 'node_lost' IS TRUE FROM execution_environments
    WHERE session_id = $id";

/// What a teardown goes through before it is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is left its time.
    Left,
    /// Its node answers nobody.
    Blocked,
}

#[tokio::test]
async fn what_was_left_its_time_goes_by_force_whichever_statement_is_lost() {
    at_every_statement(Way::Left).await;
}

#[tokio::test]
async fn what_was_blocked_goes_by_force_whichever_statement_is_lost() {
    at_every_statement(Way::Blocked).await;
}

#[tokio::test]
async fn what_was_left_its_time_goes_by_force_whichever_call_is_lost() {
    at_every_call(Way::Left).await;
}

#[tokio::test]
async fn what_was_blocked_goes_by_force_whichever_call_is_lost() {
    at_every_call(Way::Blocked).await;
}

async fn at_every_statement(way: Way) {
    let _place = take_places(Weight::Light).await;
    let step = Intensity::of_this_run().choose(5, 1);
    let scene = Scene::set().await;
    for side in [Side::Before, Side::After] {
        for first in (0..).step_by(AT_ONCE) {
            let mut hung = Hung::new(&scene, way);
            let proxy = FaultProxy::before(scene.database_url()).await;
            let mut strikes = Vec::new();
            for at in (first..first + AT_ONCE).map(|number| number * step) {
                let session = hung.begin(&format!("u-{side:?}-{at}")).await;
                strikes.push(proxy.strike(session.as_uuid(), at, side));
            }
            let _crew = work(by(&proxy, &scene), hung.runtime.clone());
            hung.go().await;
            let struck = first + strikes.iter().filter(|it| it.has_struck()).count();
            if struck < first + AT_ONCE {
                // So many at least: the last that was struck, and those before it.
                let statements = struck.saturating_sub(1) * step + 1;
                assert!(
                    statements >= FEWEST_STATEMENTS,
                    "{way:?}: only {statements}"
                );
                break;
            }
        }
    }
    let _crew = scene.work_on(scene.real());
    scene.assert_invariants().await;
}

fn by(proxy: &FaultProxy, scene: &Scene) -> PgPool {
    let url = moved(scene.database_url(), &proxy.place());
    let options = PgPoolOptions::new().max_connections(CONNECTIONS);
    options.connect_lazy(&url).unwrap()
}

async fn at_every_call(way: Way) {
    let _place = take_places(Weight::Light).await;
    for first in (0..).step_by(AT_ONCE) {
        let at_once = (first..first + AT_ONCE).map(|call| Box::pin(at_call(way, call)));
        let done = join_all(at_once).await;
        let struck = first + done.iter().filter(|(has_struck, _)| *has_struck).count();
        if struck < first + AT_ONCE {
            assert!(struck >= FEWEST_CALLS, "{way:?}: only {struck} calls");
            break;
        }
    }
}

/// Tells whether there are so many calls. In a brief run every other one fails, the rest are answered
/// in vain. The scenes are for who waited for all: clearing one away holds up all that run beside it.
async fn at_call(way: Way, call: usize) -> (bool, Vec<Scene>) {
    let brief = &FAULTS[call % 2..][..1];
    let (mut has_struck, mut scenes) = (true, Vec::new());
    for fault in Intensity::of_this_run().choose(brief, &FAULTS[..]) {
        let scene = Scene::set().await;
        let mut hung = Hung::new(&scene, way);
        hung.begin("u-1").await;
        let faulty = FaultyRuntime::new(hung.runtime.clone(), *fault, call..call + 1);
        let _crew = scene.work_through(faulty.clone(), *fault);
        hung.go().await;
        scene.assert_invariants().await;
        has_struck &= faulty.has_struck();
        drop(hung);
        scenes.push(scene);
    }
    (has_struck, scenes)
}

/// Environments of ended sessions that do not go until they are forced.
struct Hung<'a> {
    scene: &'a Scene,
    way: Way,
    runtime: Arc<HangingRuntime>,
    sessions: Vec<ExamSessionId>,
}

impl<'a> Hung<'a> {
    fn new(scene: &'a Scene, way: Way) -> Self {
        let runtime = HangingRuntime::new(scene.real());
        runtime.lose_place(way == Way::Blocked);
        Self {
            scene,
            way,
            runtime,
            sessions: Vec::new(),
        }
    }

    /// Ends a session whose environment is there, and has it destroyed by whoever comes to work.
    async fn begin(&mut self, user: &str) -> ExamSessionId {
        let pool = self.scene.pool();
        let session_id = crew::request(pool, user).await;
        ready(self.scene, session_id).await;
        bring(pool, session_id, &[end()]).await;
        let mut conn = pool.acquire().await.unwrap();
        begin_destroy(&mut conn, session_id).await.unwrap();
        let since = match self.way {
            Way::Left => NOT_YET,
            Way::Blocked => LONG_AGO,
        };
        change(pool, session_id, since).await;
        let options = EnqueueOptions {
            enqueued_by: "tests".to_owned(),
            ..EnqueueOptions::default()
        };
        let job = DestroyEnvironment { session_id };
        enqueue(&mut conn, &job, &options).await.unwrap();
        self.sessions.push(session_id);
        session_id
    }

    /// Sees all of them through to their end, which is that of one that nothing struck.
    async fn go(&self) {
        for session in &self.sessions {
            self.hang(*session).await;
        }
        self.runtime.lose_place(false);
        for session in &self.sessions {
            self.end(*session).await;
        }
        assert!(
            self.runtime.forced() >= self.sessions.len(),
            "each by force"
        );
    }

    async fn hang(&self, session: ExamSessionId) {
        let pool = self.scene.pool();
        let hangs = match self.way {
            Way::Left => WAS_LEFT,
            Way::Blocked => IS_BLOCKED,
        };
        until(&format!("{session} is {:?}", self.way), SOON, async || {
            hurry(pool, session).await;
            holds(pool, session, hangs).await.then_some(())
        })
        .await;
        if self.way == Way::Left {
            change(pool, session, LONG_AGO).await;
        }
    }

    async fn end(&self, session: ExamSessionId) {
        let what = format!("{session} is gone");
        let row = until(&what, SOON, async || {
            hurry(self.scene.pool(), session).await;
            let row = self.scene.environment(session).await;
            (row.state == EnvironmentState::Gone).then_some(row)
        });
        let row = row.await;
        assert!(row.snapshot.is_some(), "{row:?}");
        let blocked = (row.cleanup_blocked, row.cleanup_blocked_at);
        assert_eq!(blocked, (None, None));
        assert_eq!(self.scene.state(session).await, "terminated");
    }
}
