//! One of two terminal processes is taken away under a command that prints.

use system_tests::helm::{run, succeed};
use system_tests::release::Release;
use system_tests::terminal::Terminal;
use system_tests::wait::{SOON, until};

const LINES: u32 = 600;

#[tokio::test]
async fn a_command_prints_on_at_another_terminal_process_when_its_own_is_deleted() {
    let release = Release::with_exam().await;
    let candidate = release.ready_candidate("u-1").await;
    let door = release.door(&candidate);
    let mut terminal = Terminal::attach(&door).await.unwrap();
    let lines = format!("for i in $(seq 1 {LINES}); do echo line-$i-$((i*i)); sleep 0.02; done");
    terminal
        .type_line(&format!("kept=$((6*7)); {lines}; echo done-$((1+1))"))
        .await;
    terminal.expect("line-20-400").await;
    let [first] = &serving(&release, &candidate.session_id).await[..] else {
        panic!("one process serves it")
    };
    let delete = [
        "delete",
        "pod",
        first,
        "--namespace",
        release.namespace(),
        "--wait=false",
    ];
    succeed("kubectl", &delete, "").await;

    terminal.closed_within(SOON).await;
    let dropped = terminal.drop_connection();
    let mut terminal = until("the terminal goes on", SOON, async || {
        Terminal::resume(&door, dropped.clone()).await.ok()
    })
    .await;
    let replay = terminal.replay.as_ref();
    assert!(!replay.is_some_and(|replay| replay.truncated));
    terminal.expect("done-2").await;
    let printed = terminal.numbered("line-");
    let expected: Vec<String> = (1..=LINES).map(|i| format!("line-{i}-{}", i * i)).collect();
    assert_eq!(printed, expected, "every line once, in order");
    terminal.type_line("echo same-$kept").await;
    terminal.expect("same-42").await;
    let now = serving(&release, &candidate.session_id).await;
    assert!(now.iter().any(|name| name != first), "{now:?}");
    release.assert_invariants().await;
}

/// Names the terminal processes that say they have let this session's candidate in.
async fn serving(release: &Release, session_id: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in release.pod_names().await {
        let logs = ["logs", &name, "--namespace", release.namespace()];
        // One that was deleted may be gone by now.
        let log = run("kubectl", &logs, "").await.stdout;
        let log = String::from_utf8_lossy(&log);
        let is_it = |line: &str| line.contains("terminal attached") && line.contains(session_id);
        if log.lines().any(is_it) {
            found.push(name);
        }
    }
    found
}
