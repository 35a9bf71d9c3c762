//! The page's own stories, told by a real browser.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::logins::Login;
use crate::settings::checkout;
use crate::system::Candidate;
use crate::wait::in_time;

/// A cold browser on two processors; the stories themselves take 40 s and 90 s.
const STORY: Duration = Duration::from_mins(10);

/// Lets a candidate take the exam from the link to the operator's cut-off, on the page at this
/// origin.
pub async fn take_exam(page: &str, candidate: &Candidate) {
    tell("e2e/exam.spec.mjs", page, candidate).await;
}

/// Lets the time of a session that nobody has started run out under a candidate who types.
pub async fn run_out_of_time(page: &str, candidate: &Candidate) {
    tell("e2e/expiry.spec.mjs", page, candidate).await;
}

async fn tell(story: &str, page: &str, candidate: &Candidate) {
    let (id, token) = (&candidate.session_id, &candidate.login.token);
    let told = Command::new("node")
        .args(["--test", "--test-reporter=spec", story])
        .current_dir(checkout("frontend"))
        .env("CARREL_E2E_LINK", format!("{page}/exam/{id}#token={token}"))
        .env("CARREL_E2E_API", page)
        .env("CARREL_E2E_SERVICE_TOKEN", Login::service().token)
        .env("CARREL_E2E_SCREENSHOTS", checkout("target/screenshots"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let told = in_time("the browser's story", STORY, told)
        .await
        .expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        told.status.success(),
        "{}\n{}",
        text(&told.stdout),
        text(&told.stderr)
    );
}
