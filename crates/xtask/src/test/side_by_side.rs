//! Lanes of runners at once.

use std::panic::resume_unwind;

use super::output::Shown;
use super::runners::Step;
use super::watch::{Results, watch};
use crate::stop::Stop;

/// Runs lanes beside each other, and the steps of each one after the other. What fails in one of them
/// ends no other.
pub(super) fn run_at_once(lanes: Vec<Vec<Step>>, stop: &Stop, shown: Shown<'_>) -> Results {
    let run = |steps: Vec<Step>| {
        let mut results = Results::default();
        for (runner, command) in steps {
            results.add(&watch(runner, command, stop, shown));
        }
        results
    };
    std::thread::scope(|scope| {
        let begin = |steps| scope.spawn(move || run(steps));
        let begun: Vec<_> = lanes.into_iter().map(begin).collect();
        let mut results = Results::default();
        for lane in begun {
            let ended = lane.join().unwrap_or_else(|panic| resume_unwind(panic));
            results.add(&ended);
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::test::times::Names;
    use crate::test::totals::Runner;

    fn step(script: &str) -> Step {
        // What hangs is to fail.
        let mut shell = Command::new("timeout");
        shell.args(["60", "sh", "-c", script]);
        (Runner::Cargo, shell)
    }

    fn run(lanes: Vec<Vec<Step>>, stop: &Stop) -> Results {
        run_at_once(lanes, stop, Shown::BySuite(&Names::default()))
    }

    fn passing(count: u32, seconds: u32) -> String {
        format!("echo 'test result: ok. {count} passed; 0 failed; finished in {seconds}.00s'")
    }

    /// Two pipes, which take somebody at their other end to be opened.
    fn pipes(folder: &Path) -> [String; 2] {
        ["one", "other"].map(|name| {
            let path = folder.join(name).display().to_string();
            let made = Command::new("mkfifo").arg(&path).status().unwrap();
            assert!(made.success());
            path
        })
    }

    #[test]
    fn lanes_run_at_once_and_their_counts_are_one_sum() {
        let folder = tempfile::tempdir().unwrap();
        // Neither lane ends without the other.
        let [there, back] = pipes(folder.path());
        let one = format!("echo > {there}; read _ < {back}; {}", passing(3, 3));
        let other = format!("read _ < {there}; echo > {back}; {}", passing(4, 1));
        let named = "echo '     Running a.rs (target/a-1)' >&2";
        let lanes = vec![
            vec![step(&format!("{named}; {one}"))],
            vec![step(&other), step(&passing(5, 1))],
        ];
        let results = run(lanes, &Stop::by_hand());
        assert_eq!(results.totals.closing_line(), "12 passed, 0 failed");
        let expected = ["     3.0 s in a.rs", "     2.0 s in Cargo"];
        assert_eq!(results.times.slowest(), expected);
    }

    #[test]
    fn what_fails_in_a_lane_ends_neither_it_nor_another() {
        let failing = "echo 'test result: FAILED. 1 passed; 2 failed; finished in 1.00s'; exit 101";
        let lanes = vec![
            vec![step(failing), step(&passing(3, 1))],
            vec![step(&passing(4, 1))],
        ];
        let results = run(lanes, &Stop::by_hand());
        assert_eq!(results.totals.closing_line(), "8 passed, 2 failed");
        assert!(!results.totals.is_success());
    }

    #[test]
    fn a_runner_that_cannot_be_started_is_a_failure_and_ends_neither_its_lane_nor_another() {
        let missing = (Runner::Go, Command::new("/no/such/runner"));
        let lanes = vec![
            vec![step(&passing(2, 1)), missing, step(&passing(3, 1))],
            vec![step(&passing(4, 1))],
        ];
        let results = run(lanes, &Stop::by_hand());
        assert_eq!(results.totals.closing_line(), "9 passed, 1 failed");
        assert!(!results.totals.is_success());
    }

    #[test]
    fn what_a_runner_leaves_behind_keeps_no_lane_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let late = folder.path().join("late");
        let left = format!("(sleep 50; echo > {}) &", late.display());
        let lanes = vec![vec![step(&format!("{left} {}", passing(1, 1)))]];
        let results = run(lanes, &Stop::by_hand());
        assert_eq!(results.totals.closing_line(), "1 passed, 0 failed");
        assert!(!late.exists(), "the lane has waited for what was left");
    }

    #[test]
    fn who_asks_for_the_end_ends_every_lane() {
        let folder = tempfile::tempdir().unwrap();
        let begun = pipes(folder.path());
        let endless = |pipe: &String| step(&format!("echo > {pipe}; sleep 100000"));
        let lanes = begun
            .iter()
            .map(|pipe| vec![endless(pipe), step(&passing(1, 1))]);
        let (lanes, stop) = (lanes.collect(), Stop::by_hand());
        let results = std::thread::scope(|scope| {
            let running = scope.spawn(|| run(lanes, &stop));
            for pipe in &begun {
                std::fs::read(pipe).unwrap();
            }
            stop.ask();
            running.join().unwrap()
        });
        assert_eq!(results.totals.closing_line(), "0 passed, 2 failed");
    }
}
