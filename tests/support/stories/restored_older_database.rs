//! Somebody restores an older database: it knows nothing of most sessions that are being worked in.

use std::time::Duration;

use serde_json::Value;

use crate::TestSystem;
use crate::wait::until;

/// More than are believable as leaks.
const YOUNGER: usize = 6;
/// What a sweep says that would have to delete more than leaks explain.
const REFUSAL: &str = "nothing was deleted: the plan looks wrong";
/// Three sweeps, and a margin for a busy machine.
const SWEPT: Duration = Duration::from_secs(90);

/// Tells the story on a system with one worker.
pub async fn tell(mut system: TestSystem) {
    let known = system.ready_candidate("u-known").await;
    system.end_processes();
    let older = system.database.copy("older").await;
    system.start_processes().await;
    let mut younger = Vec::new();
    for number in 0..YOUNGER {
        younger.push(system.ready_candidate(&format!("u-{number}")).await);
    }
    let mut terminal = system.attach(&younger[0]).await;
    terminal.type_line("kept=$((6*7)); echo here-$kept").await;
    terminal.expect("here-42").await;
    drop(terminal);
    let before = uids(&system).await;

    system.end_processes();
    let newer = system.database.copy("newer").await;
    system.database.become_copy(&older).await;
    system.start_processes().await;
    await_refusals(&system).await;
    assert_the_plan_refuses(&system).await;
    assert_eq!(uids(&system).await, before, "too many at once to be leaks");
    assert!(system.status(&known).await.can_attach);

    system.end_processes();
    system.database.become_copy(&newer).await;
    system.start_processes().await;
    let mut terminal = system.attach(&younger[0]).await;
    terminal.type_line("echo still-$kept").await;
    terminal.expect("still-42").await;
    system.assert_invariants().await;
    assert_eq!(uids(&system).await, before);
}

async fn uids(system: &TestSystem) -> Vec<String> {
    let there = system.environments().await;
    let mut uids: Vec<String> = there.iter().map(|one| one.uid.to_string()).collect();
    uids.sort();
    uids
}

/// Waits until two sweeps have seen all of them and refused.
async fn await_refusals(system: &TestSystem) {
    let refused = || system.workers[0].log().matches(REFUSAL).count();
    until("two sweeps have refused", SWEPT, async || {
        (refused() >= 2).then_some(())
    })
    .await;
}

/// Whoever asks what the sweeps would do is told why they do nothing.
async fn assert_the_plan_refuses(system: &TestSystem) {
    let plan = ["cleanup", "plan"];
    let told = system.carrel_with_runtime(&plan).await;
    assert_eq!(told.status.code(), Some(9), "{told:?}");
    let document: Value = serde_json::from_slice(&told.stdout).expect("one document");
    let runtime = &document["data"]["runtime"];
    assert_eq!(
        runtime["refusal"]["refusal"], "too_many_orphans",
        "{document:#}"
    );
    assert_eq!(runtime["deletions"], Value::Array(Vec::new()));
}
