//! From nothing to an exam, by the chart and what its notes say.

use serde_json::Value;
use system_tests::logins::Login;
use system_tests::release::Release;
use system_tests::terminal::Terminal;
use system_tests::wait::SOON;

#[tokio::test]
async fn an_installed_release_has_two_of_each_process_is_healthy_and_prepares_an_exam() {
    let release = Release::install().await;
    release.as_noted("rollout status", "").await;
    assert_two_of_each(&release).await;
    // The migration ran before them, and its job is gone.
    assert_eq!(release.listed("jobs").await, Vec::<Value>::new());
    release.as_noted("carrel doctor", "").await;
    release.apply_exam().await;

    let candidate = release.ready_candidate("u-1").await;
    let mut terminal = Terminal::attach(&release.door(&candidate)).await.unwrap();
    terminal.type_line("echo carrel-$((40+2))").await;
    terminal.expect("carrel-42").await;
    // An environment has proved by now that policies are enforced, so nothing is left to say.
    let report = release.as_noted("carrel doctor", "").await;
    let lines: Vec<_> = report
        .lines()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    // The operator's account may not rehearse an environment, and is not told who signs logins.
    let unasked = ["token_keys", "--rights-of worker"];
    assert!(
        lines.len() == 2
            && unasked
                .iter()
                .zip(&lines)
                .all(|(why, line)| line.contains(why)),
        "{report}"
    );

    let path = format!("/v1/sessions/{}/terminate", candidate.session_id);
    let staff = release.api_as(&Login::operator());
    let reason = serde_json::json!({ "reason": "the story says so" });
    staff.post(&path, &reason).await.assert_status(202);
    release.await_gone(&candidate, SOON).await;
    release.assert_invariants().await;
    assert_nobody_restarted(&release).await;
}

async fn assert_two_of_each(release: &Release) {
    let deployments = release.listed("deployments").await;
    let mut found: Vec<_> = deployments
        .iter()
        .map(|one| {
            let name = one["metadata"]["name"].as_str().unwrap();
            (name, one["status"]["readyReplicas"].as_u64().unwrap())
        })
        .collect();
    found.sort_unstable();
    let expected = [
        ("carrel-api", 2),
        ("carrel-operator", 1),
        ("carrel-terminal", 2),
        ("carrel-worker", 2),
    ];
    assert_eq!(found, expected);
}

async fn assert_nobody_restarted(release: &Release) {
    for pod in release.listed("pods").await {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        assert_eq!(*restarts, 0, "{}", pod["metadata"]["name"]);
    }
}
