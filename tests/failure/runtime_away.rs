//! The runtime does not answer for a minute.

use std::time::Duration;

use system_tests::faulty_runtime::FaultyRuntime;
use system_tests::{Weight, crew, take_places};

use crate::scene::Scene;

/// Four passes of the sweep that compares the runtime with the rows.
const AWAY: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nothing_is_concluded_from_its_silence_and_everything_goes_on_when_it_is_back() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let runtime = FaultyRuntime::that_goes_away(scene.real());
    let _crew = scene.work_on(runtime.clone());
    let working = crew::request(scene.pool(), "u-working").await;
    let ending = crew::request(scene.pool(), "u-ending").await;
    for session in [working, ending] {
        scene.await_state(session, "ready").await;
    }

    runtime.be_away(true);
    let starting = crew::request(scene.pool(), "u-starting").await;
    crew::end(scene.pool(), ending).await;
    scene.await_state(ending, "terminated").await;
    tokio::time::sleep(AWAY).await;
    assert_eq!(scene.state(working).await, "ready", "silence is no loss");
    assert_eq!(scene.state(starting).await, "initializing");

    runtime.be_away(false);
    scene.await_state(starting, "ready").await;
    scene.await_gone(ending).await;
    assert_eq!(scene.state(working).await, "ready");
    for session in [working, starting] {
        crew::end(scene.pool(), session).await;
        scene.await_gone(session).await;
    }
    scene.assert_invariants().await;
}
