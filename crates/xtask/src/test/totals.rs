//! Counting along with the runners' own summaries.

/// A test runner, by the shape of its summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `test result: ok. 3 passed; 0 failed; 0 ignored; …`, once a test binary.
    Cargo,
    /// `Tests  1 failed | 3 passed (4)`, once.
    Vitest,
}

/// Tests counted over all runners.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// A runner ended with a failure, named in its counts or not.
    broken: bool,
}

impl Totals {
    /// Adds another runner's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.broken |= other.broken;
    }

    /// Counts a line of a runner's output, if it is a summary.
    pub(crate) fn read_line(&mut self, runner: Runner, line: &str) {
        let line = without_colours(line);
        let summary = match runner {
            Runner::Cargo => line.strip_prefix("test result: "),
            Runner::Vitest => line.trim_start().strip_prefix("Tests "),
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
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
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
