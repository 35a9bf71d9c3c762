//! Which suites take the longest: what a run's length is made of.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use crate::shell::{self, Step};

/// How many are worth naming.
const NAMED: usize = 12;
/// What is over sooner is no reason for a long run.
const WORTH_NAMING: Duration = Duration::from_secs(1);
/// Each package's are a suite of their own to Cargo.
const DOCUMENTATION: &str = "examples in the documentation";

/// The suites of a run, by the names of their programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Asks Cargo for the test programs of a run, which it says on its standard error only. A run
    /// that does not compile has none: it says why itself.
    pub(super) fn of_suites(no_run: &mut Command) -> Self {
        let _step = Step::begin("the suites to be built");
        let output = shell::run_quietly(no_run);
        output.map_or_else(
            |_| Self::default(),
            |output| Self::read(&String::from_utf8_lossy(&output.stderr)),
        )
    }

    /// Cargo names the package of none, but each package's own unit tests come first:
    /// `Executable unittests src/lib.rs (…/job_queue-1f)`.
    fn read(said: &str) -> Self {
        let mut package = String::new();
        let mut named = BTreeMap::new();
        let executables = said
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("Executable "));
        for executable in executables {
            let (source, program) = parts_of(executable);
            let source = match source.strip_prefix("unittests ") {
                Some(source) => {
                    program
                        .split('-')
                        .next()
                        .unwrap_or_default()
                        .clone_into(&mut package);
                    source
                }
                None => source,
            };
            let name = format!("{package} {source}").trim_start().to_owned();
            named.insert(program.to_owned(), name);
        }
        Self(named)
    }

    /// The suite that Cargo begins with this line, if it begins one:
    /// `Running tests/queue/main.rs (…/queue-9e)` or `Doc-tests job_queue`.
    pub(super) fn begun_by(&self, line: &str) -> Option<String> {
        let line = line.trim();
        if line.starts_with("Doc-tests ") {
            return Some(DOCUMENTATION.to_owned());
        }
        let running = line.strip_prefix("Running ");
        let (source, program) = parts_of(running.filter(|it| it.ends_with(')'))?);
        let name = self.0.get(program).map_or(source, String::as_str);
        Some(name.to_owned())
    }
}

/// Splits `source (…/program)`.
fn parts_of(suite: &str) -> (&str, &str) {
    let (source, path) = suite.split_once(" (").unwrap_or((suite, ""));
    let program = path.trim_end_matches(')').rsplit('/').next();
    (source, program.unwrap_or_default())
}

/// How long each suite of a run took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Times(BTreeMap<String, Duration>);

impl Times {
    /// Notes how long a suite took, if this line is where it says so.
    pub(super) fn read_line(&mut self, suite: &str, line: &str) {
        if let Some(took) = took(line) {
            self.note(suite, took);
        }
    }

    /// Notes how long a suite took.
    pub(super) fn note(&mut self, suite: &str, took: Duration) {
        *self.0.entry(suite.to_owned()).or_default() += took;
    }

    /// Adds those of other suites.
    pub(super) fn add(&mut self, other: &Self) {
        for (suite, took) in &other.0 {
            self.note(suite, *took);
        }
    }

    /// The longest ones, the longest first, as the rows of a table.
    pub(super) fn slowest(&self) -> Vec<String> {
        let worth_naming = |it: &(&String, &Duration)| *it.1 >= WORTH_NAMING;
        let mut slow: Vec<_> = self.0.iter().filter(worth_naming).collect();
        slow.sort_by_key(|(_, took)| std::cmp::Reverse(**took));
        let rows = slow.into_iter().take(NAMED);
        rows.map(|(suite, took)| format!("{:>8.1} s in {suite}", took.as_secs_f64()))
            .collect()
    }
}

/// `test result: ok. 3 passed; …; finished in 1.25s`.
fn took(line: &str) -> Option<Duration> {
    let (_, took) = line
        .strip_prefix("test result: ")?
        .rsplit_once("finished in ")?;
    let seconds = took.trim_end().strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
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

    #[test]
    fn a_suite_is_named_with_the_package_whose_unit_tests_came_before() {
        let names = Names::read(SAID);
        let named = |line: &str| names.begun_by(line).unwrap();
        for (line, name) in [
            (
                "     Running unittests src/lib.rs (target/debug/deps/job_queue-72de262d6af6a71a)\n",
                "job_queue src/lib.rs",
            ),
            (
                "     Running failure/main.rs (/cache/target/debug/deps/failure-7e9c901839018c11)\n",
                "system_tests failure/main.rs",
            ),
            (
                "     Running failure/main.rs (target/debug/deps/failure-0)\n",
                "failure/main.rs",
            ),
            ("   Doc-tests job_queue\n", DOCUMENTATION),
        ] {
            assert_eq!(named(line), name);
        }
    }

    #[test]
    fn what_a_test_says_of_running_begins_no_suite() {
        let names = Names::read(SAID);
        for line in [
            "running 3 tests\n",
            "Running as root\n",
            "it is Running (a)\n",
            ")\n",
        ] {
            assert_eq!(names.begun_by(line), None, "{line}");
        }
    }

    #[test]
    fn the_slowest_come_first_and_the_quick_are_left_out() {
        let mut times = Times::default();
        for (suite, line) in [
            (
                "quick",
                "test result: ok. 20 passed; 0 failed; finished in 0.67s\n",
            ),
            (
                "queue",
                "test result: ok. 1 passed; 0 failed; finished in 191.40s\n",
            ),
            ("queue", "test a_sentence ... ok\n"),
            (
                "just",
                "test result: ok. 5 passed; 0 failed; finished in 1.00s\n",
            ),
            (
                "failure",
                "test result: FAILED. 44 passed; 1 failed; finished in 740.58s\n",
            ),
        ] {
            times.read_line(suite, line);
        }
        let expected = [
            "   740.6 s in failure",
            "   191.4 s in queue",
            "     1.0 s in just",
        ];
        assert_eq!(times.slowest(), expected);
    }

    #[test]
    fn what_a_suite_says_several_times_counts_together() {
        let (mut times, mut beside) = (Times::default(), Times::default());
        for times in [&mut times, &mut beside] {
            times.note(DOCUMENTATION, Duration::from_millis(3_250));
        }
        times.add(&beside);
        assert_eq!(
            times.slowest(),
            ["     6.5 s in examples in the documentation"]
        );
    }
}
