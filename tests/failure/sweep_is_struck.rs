//! Each sweep, struck at each word that it says to the database and at each call to the runtime; the
//! next worker's pass settles what it found.

use std::sync::Arc;
use std::time::Duration;

use cleanup_ttl::{ExpiryPolicy, PseudonymArgs};
use execution_environment::EnvironmentRuntime;
use futures_util::future::join_all;
use job_queue::Waker;
use orchestrator::{Sweep, SweepLoop, Sweeps, Workshop};
use session_identity::WorkerIncarnation;
use sqlx::PgPool;
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::{Weight, crew, take_places};

use crate::each_word::{at_words, until_it_has_happened};
use crate::findings::Finding;
use crate::scene::Scene;

/// Always due, and always old.
const EACH_TIME: Duration = Duration::from_millis(1);

#[tokio::test]
async fn what_a_sweep_finds_is_settled_once_whichever_word_or_call_is_lost() {
    let all = Sweep::ALL.into_iter().flat_map(|sweep| {
        let found = Finding::of(sweep).iter();
        found.map(move |finding| Box::pin(strike(sweep, *finding)))
    });
    // Who clears a scene away holds up all that run beside it, so that each stays until the last is done.
    let scenes: Vec<Scene> = join_all(all).await;
    drop(scenes);
}

async fn strike(sweep: Sweep, finding: Finding) -> Scene {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    finding.set(scene.pool()).await;
    at_words(
        &scene,
        (&format!("{finding:?}"), finding.step()),
        async |session| finding.make(&scene, session).await,
        async |pool, _| pass(pool, scene.real(), sweep, finding.passes()).await,
        async |session| finding.settled(&scene, session).await,
    )
    .await;
    for fault in [RuntimeFault::FailsBefore, RuntimeFault::FailsAfter] {
        at_every_call(&scene, sweep, finding, fault).await;
    }
    scene
}

async fn at_every_call(scene: &Scene, sweep: Sweep, finding: Finding, fault: RuntimeFault) {
    for call in 0.. {
        let session = crew::request(scene.pool(), &format!("u-{fault:?}-{call}")).await;
        finding.make(scene, session).await;
        let faulty = FaultyRuntime::under_a_sweep(scene.real(), fault, call..call + 1);
        let pool = scene.pool().clone();
        // What cannot be looked at or deleted keeps it from nothing else, so it may well succeed.
        pass(pool, faulty.clone(), sweep, finding.passes())
            .await
            .ok();
        until_it_has_happened(
            &format!("{finding:?}, {fault:?} {call}"),
            async || pass(scene.pool().clone(), scene.real(), sweep, 1).await,
            async || finding.settled(scene, session).await,
        )
        .await;
        crew::end(scene.pool(), session).await;
        if !faulty.has_struck() {
            assert!(call >= finding.calls(), "{finding:?}: only {call} calls");
            assert_eq!(call == 0, finding.calls() == 0, "{finding:?}: {call} calls");
            break;
        }
    }
    let _crew = scene.work_on(scene.real());
    scene.assert_invariants().await;
}

/// Runs some passes, as a worker that dies with the pool.
async fn pass(
    pool: PgPool,
    runtime: Arc<dyn EnvironmentRuntime>,
    sweep: Sweep,
    times: usize,
) -> anyhow::Result<()> {
    let workshop = Workshop {
        waker: Waker::new(pool.clone()),
        runtime,
        pool,
    };
    let sweeper = SweepLoop::new(workshop, at_once(), WorkerIncarnation::generate());
    for _ in 0..times {
        sweeper.once(sweep).await?;
    }
    Ok(())
}

/// Whatever is found is settled at once, but for what the first sighting of an orphan is for.
fn at_once() -> Sweeps {
    let names = PseudonymArgs {
        pseudonymise_days: 400,
        pseudonym_secret: Some("a secret of more than 32 characters".into()),
    };
    Sweeps {
        expired: EACH_TIME,
        stuck: EACH_TIME,
        teardowns: EACH_TIME,
        runtime: EACH_TIME,
        attachments: EACH_TIME,
        history: EACH_TIME,
        policy: ExpiryPolicy {
            orphan_age: EACH_TIME,
            ..ExpiryPolicy::default()
        },
        pseudonyms: names.policy().unwrap(),
        ..Sweeps::default()
    }
}
