//! Which suites take the longest: what a run's length is made of.

use std::collections::{BTreeMap, VecDeque};
use std::process::Command;
use std::time::Duration;

use crate::shell::{self, Step};

/// How many are worth naming.
const NAMED: usize = 12;
/// What is over sooner is no reason for a long run.
const WORTH_NAMING: Duration = Duration::from_secs(1);
/// Cargo runs the examples of the documentation after all test programs.
const DOCUMENTATION: &str = "examples in the documentation";

/// How long each suite of a run took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// The suites that Cargo is still to run, in its order.
    ahead: VecDeque<String>,
    /// The one whose tests run.
    present: String,
    taken: BTreeMap<String, Duration>,
}

impl Times {
    /// Asks Cargo for the test programs of a run, which it says on its standard error only. A run
    /// that does not compile has none: it says why itself.
    pub(super) fn expect_suites_of(&mut self, no_run: &mut Command) {
        let _step = Step::begin("the suites to be built");
        if let Ok(output) = shell::run_quietly(no_run.env("CARGO_TERM_COLOR", "never")) {
            self.ahead = suites(&String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Reads the beginning or the end of a suite of Cargo's off a line, if it is one.
    pub(super) fn read_line(&mut self, line: &str) {
        if begins_a_suite(line) {
            let next = self.ahead.pop_front();
            self.present = next.unwrap_or_else(|| DOCUMENTATION.to_owned());
        } else if let Some(took) = took(line) {
            self.note(&self.present.clone(), took);
        }
    }

    /// Notes how long a suite took.
    pub(super) fn note(&mut self, suite: &str, took: Duration) {
        *self.taken.entry(suite.to_owned()).or_default() += took;
    }

    /// The longest ones, the longest first, as the rows of a table.
    pub(super) fn slowest(&self) -> Vec<String> {
        let mut slow: Vec<_> = self
            .taken
            .iter()
            .filter(|(_, took)| **took >= WORTH_NAMING)
            .collect();
        slow.sort_by_key(|(_, took)| std::cmp::Reverse(**took));
        let rows = slow.into_iter().take(NAMED);
        rows.map(|(suite, took)| format!("{:>8.1} s in {suite}", took.as_secs_f64()))
            .collect()
    }
}

/// `running 3 tests`, as each test program says once.
fn begins_a_suite(line: &str) -> bool {
    let count = line.trim_end().strip_prefix("running ");
    let count = count.and_then(|it| it.strip_suffix(" tests").or(it.strip_suffix(" test")));
    count.is_some_and(|it| it.parse::<u64>().is_ok())
}

/// `test result: ok. 3 passed; …; finished in 1.25s`.
fn took(line: &str) -> Option<Duration> {
    let (_, took) = line
        .strip_prefix("test result: ")?
        .rsplit_once("finished in ")?;
    let seconds = took.trim_end().strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The names of test programs, in the order in which Cargo runs them. It names the package of none,
/// but each package's own unit tests come first: `Executable unittests src/lib.rs (…/job_queue-1f)`.
fn suites(said: &str) -> VecDeque<String> {
    let mut package = String::new();
    let mut named = VecDeque::new();
    let executables = said
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("Executable "));
    for executable in executables {
        let (source, path) = executable.split_once(" (").unwrap_or((executable, ""));
        let source = match source.strip_prefix("unittests ") {
            Some(source) => {
                package = crate_of(path);
                source
            }
            None => source,
        };
        named.push_back(format!("{package} {source}").trim_start().to_owned());
    }
    named
}

/// The name of a program without its folder and the hash of its build.
fn crate_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split('-').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
    Finished `test` profile [unoptimized + debuginfo] target(s) in 1.2s
  Executable unittests src/lib.rs (/cache/target/debug/deps/job_queue-72de262d6af6a71a)
  Executable tests/queue/main.rs (/cache/target/debug/deps/queue-9e826fb68f4c2a71)
  Executable unittests support/lib.rs (/cache/target/debug/deps/system_tests-43e400daad10cc8e)
  Executable failure/main.rs (/cache/target/debug/deps/failure-7e9c901839018c11)
";

    fn of(lines: &[&str]) -> Times {
        let mut times = Times {
            ahead: suites(SAID),
            ..Times::default()
        };
        for line in lines {
            times.read_line(line);
        }
        times
    }

    #[test]
    fn a_suite_is_named_with_the_package_whose_unit_tests_came_before() {
        let named = suites(SAID);
        assert_eq!(
            Vec::from(named),
            [
                "job_queue src/lib.rs",
                "job_queue tests/queue/main.rs",
                "system_tests support/lib.rs",
                "system_tests failure/main.rs",
            ]
        );
        let alone = "  Executable failure/main.rs (/deps/failure-7e9c901839018c11)\n";
        assert_eq!(Vec::from(suites(alone)), ["failure/main.rs"]);
    }

    #[test]
    fn the_slowest_come_first_and_the_quick_are_left_out() {
        let times = of(&[
            "running 20 tests\n",
            "test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.67s\n",
            "running 1 test\n",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 191.40s\n",
            "running 5 tests\n",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
            "running 45 tests\n",
            "test result: FAILED. 44 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 740.58s\n",
        ]);
        assert_eq!(
            times.slowest(),
            [
                "   740.6 s in system_tests failure/main.rs",
                "   191.4 s in job_queue tests/queue/main.rs",
                "     1.0 s in system_tests support/lib.rs",
            ]
        );
    }

    #[test]
    fn what_follows_the_test_programs_is_the_documentation_and_counts_together() {
        let mut times = of(&["running 1 test\n"; 4]);
        for _ in 0..2 {
            times.read_line("running 2 tests\n");
            times.read_line("test result: ok. 2 passed; 0 failed; finished in 3.25s\n");
        }
        assert_eq!(
            times.slowest(),
            ["     6.5 s in examples in the documentation"]
        );
    }

    #[test]
    fn a_suite_that_dies_without_its_result_leaves_the_next_its_own_name() {
        let times = of(&[
            "running 20 tests\n",
            "running 1 test\n",
            "test result: ok. 1 passed; 0 failed; finished in 2.00s\n",
        ]);
        assert_eq!(
            times.slowest(),
            ["     2.0 s in job_queue tests/queue/main.rs"]
        );
    }

    #[test]
    fn what_a_test_says_of_running_begins_no_suite() {
        let times = of(&["running as root\n", "it is running 3 tests\n"]);
        assert_eq!(times, of(&[]));
    }
}
