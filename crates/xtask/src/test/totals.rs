//! Counting along with the runners' own summaries.

/// A test runner, by the shape of its summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `test result: ok. 3 passed; 0 failed; 0 ignored; …`, once a test binary.
    Cargo,
    /// `Tests  1 failed | 3 passed (4)`, once.
    Vitest,
    /// `--- PASS: TestName (0.00s)`, once a test.
    Go,
}

/// Tests counted over all runners.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Whole suites that were not run.
    left_out: u64,
    /// A runner ended with a failure, named in its counts or not.
    broken: bool,
}

impl Totals {
    /// Adds another runner's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.left_out += other.left_out;
        self.broken |= other.broken;
    }

    /// Counts a line of a runner's output, if it is a summary.
    pub(crate) fn read_line(&mut self, runner: Runner, line: &str) {
        let line = without_colours(line);
        let summary = match runner {
            Runner::Cargo => line.strip_prefix("test result: "),
            Runner::Vitest => line.trim_start().strip_prefix("Tests "),
            Runner::Go => return self.read_verdict(&line),
        };
        let separators: &[char] = &[' ', ';', '|', '.', ',', '(', ')', '\n'];
        let words: Vec<&str> = summary
            .into_iter()
            .flat_map(|it| it.split(separators))
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" | "skipped" | "todo" => self.skipped += count,
                _ => {}
            }
        }
    }

    fn read_verdict(&mut self, line: &str) {
        let verdict = line
            .strip_prefix("--- ")
            .and_then(|it| it.split(':').next());
        match verdict {
            Some("PASS") => self.passed += 1,
            Some("FAIL") => self.failed += 1,
            Some("SKIP") => self.skipped += 1,
            _ => {}
        }
    }

    /// Counts suites that were not run at all.
    pub(crate) fn leave_out(&mut self, suites: u64) {
        self.left_out += suites;
    }

    /// Notes that the runner ended with a failure: what does not compile, or what kills its own
    /// test process, fails without being counted. It counts as one.
    pub(crate) fn mark_failed(&mut self) {
        self.broken = true;
        self.failed = self.failed.max(1);
    }

    /// Whether everything that ran passed.
    pub(crate) fn is_success(&self) -> bool {
        !self.broken && self.failed == 0
    }

    /// The last line of a run.
    pub(crate) fn closing_line(&self) -> String {
        let skipped = if self.skipped > 0 {
            format!(", {} skipped", self.skipped)
        } else {
            String::new()
        };
        let left_out = match self.left_out {
            0 => String::new(),
            1 => ", 1 suite skipped".to_owned(),
            suites => format!(", {suites} suites skipped"),
        };
        format!(
            "{} passed, {} failed{skipped}{left_out}",
            self.passed, self.failed
        )
    }
}

/// Runners colour their output even into a pipe when told to.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(runner: Runner, lines: &[&str]) -> Totals {
        let mut totals = Totals::default();
        for line in lines {
            totals.read_line(runner, line);
        }
        totals
    }

    #[test]
    fn every_test_binary_of_cargo_adds_to_the_totals() {
        let totals = count(
            Runner::Cargo,
            &[
                "running 3 tests\n",
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n",
                "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n",
            ],
        );
        assert_eq!(totals.closing_line(), "4 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn coloured_vitest_summaries_are_read() {
        let line = "\x1b[2m      Tests \x1b[22m \x1b[31m1 failed\x1b[39m | \x1b[32m12 passed\x1b[39m (13)\n";
        assert_eq!(
            count(Runner::Vitest, &[line]).closing_line(),
            "12 passed, 1 failed"
        );
        let files = " Test Files  2 passed (2)\n";
        assert_eq!(
            count(Runner::Vitest, &[files]).closing_line(),
            "0 passed, 0 failed"
        );
    }

    #[test]
    fn each_test_of_go_is_counted_by_its_verdict() {
        let lines = [
            "=== RUN   TestA\n",
            "--- PASS: TestA (0.00s)\n",
            "--- FAIL: TestB (0.00s)\n",
            "PASS\n",
        ];
        assert_eq!(
            count(Runner::Go, &lines).closing_line(),
            "1 passed, 1 failed"
        );
    }

    #[test]
    fn suites_that_were_not_run_are_counted_apart() {
        let mut totals = count(Runner::Cargo, &["test result: ok. 3 passed; 0 failed\n"]);
        totals.leave_out(2);
        assert_eq!(
            totals.closing_line(),
            "3 passed, 0 failed, 2 suites skipped"
        );
    }

    #[test]
    fn a_test_that_talks_like_a_summary_is_not_counted() {
        let totals = count(Runner::Cargo, &["it said: test result: 5 passed\n"]);
        assert_eq!(totals, Totals::default());
    }

    #[test]
    fn a_runner_that_breaks_without_counting_is_a_failure() {
        let mut totals = count(Runner::Cargo, &[]);
        totals.mark_failed();
        assert!(!totals.is_success());
        assert_eq!(totals.closing_line(), "0 passed, 1 failed");
    }
}
