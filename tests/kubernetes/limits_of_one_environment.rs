//! A candidate uses more than an environment has.

use system_tests::terminal::Terminal;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem};

#[tokio::test]
async fn a_full_disk_and_spent_memory_end_a_command_and_not_the_exam() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    let candidate = system.ready_candidate("u-1").await;
    let mut terminal = system.attach(&candidate).await;

    // Every place that can be written is of memory and sized: nothing reaches the node's disk.
    let places = "while read -r _ place kind _; do case $kind in \
                  proc|mqueue|devpts|tmpfs|sysfs|cgroup*) ;; \
                  *) [ -w $place ] && echo disk-$place ;; esac; done < /proc/mounts";
    let line = format!("{places}; echo places-$((6*7))");
    ask(&mut terminal, &line, "places-42").await;
    let text = String::from_utf8_lossy(terminal.output()).into_owned();
    assert!(!text.contains("disk-/"), "{text}");

    let fill = "head -c 200M /dev/zero > ~/full; echo rc-$?; rm ~/full; echo kept > ~/file";
    ask(&mut terminal, fill, "No space left on device").await;
    ask(&mut terminal, "cat ~/file; echo disk-$((40+2))", "disk-42").await;
    assert_eq!(system.status(&candidate).await.state, "running");

    // More than the 256 MiB of the exam, in one process that is not the shell. A newer kernel's
    // control groups end the whole container with it; then the session says so.
    let spend = "bash -c 'a=$(head -c 600M /dev/zero | tr \"\\0\" x)'; echo spent-$((40+2))";
    terminal.type_line(spend).await;
    if terminal.finds_before_close("spent-42", SOON * 2).await {
        ask(
            &mut terminal,
            "cat ~/file; echo alive-$((40+2))",
            "alive-42",
        )
        .await;
        assert_eq!(system.status(&candidate).await.state, "running");
    } else {
        let code = system.await_failed(&candidate, STARTUP).await;
        assert_eq!(code, "runtime.memory_exceeded");
    }
    system.assert_invariants().await;
}

async fn ask(terminal: &mut Terminal, line: &str, answer: &str) {
    terminal.type_line(line).await;
    terminal.expect(answer).await;
}
