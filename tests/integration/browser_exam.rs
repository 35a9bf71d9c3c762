//! The whole exam in a real browser: the page's own story, on this system.

use system_tests::wait::SOON;
use system_tests::{Plan, TestSystem, Weight, browser, exams};

#[tokio::test]
async fn a_candidate_takes_the_exam_in_a_browser_from_the_link_to_the_cut_off() {
    let system = TestSystem::planned(Plan {
        weight: Weight::Machine,
        ..Plan::default()
    })
    .await;
    let candidate = system.candidate("browser@exam", exams::SAMPLE).await;
    browser::take_exam(&system.api_url(), &candidate).await;

    system.await_gone(&candidate, SOON).await;
    system.assert_invariants().await;
}

#[tokio::test]
async fn the_time_runs_out_in_a_browser_under_a_candidate_who_types() {
    let system = TestSystem::planned(Plan {
        weight: Weight::Machine,
        ..Plan::default()
    })
    .await;
    // A last minute to be told, and a browser's time to get there.
    exams::apply(system.pool(), &exams::lasting("short", 75)).await;
    let candidate = system.candidate("browser@short", "short").await;
    browser::run_out_of_time(&system.api_url(), &candidate).await;

    system.await_gone(&candidate, SOON).await;
    system.assert_invariants().await;
}
