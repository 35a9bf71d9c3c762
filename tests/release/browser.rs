//! The whole exam in a real browser, on the page and the terminals of an installation.

use system_tests::browser::take_exam;
use system_tests::release::Release;
use system_tests::wait::SOON;

#[tokio::test]
async fn a_candidate_takes_the_exam_in_a_browser_on_an_installed_release() {
    let release = Release::with_exam().await;
    let candidate = release.candidate("browser@exam").await;
    take_exam(release.page(), &candidate).await;
    release.await_gone(&candidate, SOON).await;
    release.assert_invariants().await;
}
