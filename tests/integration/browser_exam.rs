//! The whole exam in a real browser: the page's own story, on this system.

use std::process::Stdio;
use std::time::Duration;

use system_tests::logins::Login;
use system_tests::settings::checkout;
use system_tests::wait::{SOON, in_time};
use system_tests::{Plan, TestSystem, Weight, exams};
use tokio::process::Command;

/// A cold browser on two processors; the story itself takes 20 s.
const STORY: Duration = Duration::from_mins(10);

#[tokio::test]
async fn a_candidate_takes_the_exam_in_a_browser_from_the_link_to_the_cut_off() {
    let system = TestSystem::planned(Plan {
        weight: Weight::Whole,
        ..Plan::default()
    })
    .await;
    let candidate = system.candidate("browser@exam", exams::SAMPLE).await;
    let (page, id, token) = (
        system.api_url(),
        &candidate.session_id,
        &candidate.login.token,
    );
    let story = Command::new("node")
        .args(["--test", "--test-reporter=spec", "e2e/exam.spec.mjs"])
        .current_dir(checkout("frontend"))
        .env("CARREL_E2E_LINK", format!("{page}/exam/{id}#token={token}"))
        .env("CARREL_E2E_API", &page)
        .env("CARREL_E2E_SERVICE_TOKEN", Login::service().token)
        .env("CARREL_E2E_SCREENSHOTS", checkout("target/screenshots"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let told = in_time("the browser's story", STORY, story)
        .await
        .expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        told.status.success(),
        "{}\n{}",
        text(&told.stdout),
        text(&told.stderr)
    );

    system.await_gone(&candidate, SOON).await;
    system.assert_invariants().await;
}
