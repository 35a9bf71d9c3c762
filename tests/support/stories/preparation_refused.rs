//! An exam names an image or a command that is not there.

use crate::wait::{SOON, STARTUP};
use crate::{Candidate, TestSystem, exams};

/// Tells the story on a system with one worker.
pub async fn tell(system: &TestSystem) {
    let no_image = exams::changed("no-image", |exam| {
        "localhost/carrel-no-such-image:1".clone_into(&mut exam.image);
    });
    let no_shell = exams::changed("no-shell", |exam| {
        exam.shell = vec!["/no/such/shell".to_owned()];
    });
    exams::apply(system.pool(), &no_image).await;
    exams::apply(system.pool(), &no_shell).await;
    let pictured = system.candidate("u-1", "no-image").await;
    let commanded = system.candidate("u-2", "no-shell").await;

    let told = fails(system, &pictured, "init.image_missing").await;
    assert!(told.contains("carrel-no-such-image"), "{told}");
    // Every environment begins with the keeper, which ends where there is no such shell.
    let told = fails(system, &commanded, "init.exited_early").await;
    assert!(told.contains("\"exit_code\":127"), "{told}");
    assert!(told.contains("/no/such/shell"), "{told}");
    assert_eq!(system.environments().await, []);
    system.assert_invariants().await;
}

/// Waits until a session has failed and its environment is gone; returns all that was kept of it.
async fn fails(system: &TestSystem, candidate: &Candidate, expected: &str) -> String {
    let code = system.await_failed(candidate, STARTUP).await;
    assert_eq!(code, expected);
    system.await_gone(candidate, SOON).await;
    let evidence = system.evidence(candidate).await;
    evidence + &system.snapshot(candidate).await
}
