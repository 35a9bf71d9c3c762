//! What runners print, shown so that it can be read although several print at once.

use super::times::Names;
use super::totals::Runner;

/// What Cargo's test programs say of a test that takes long.
const LONG: &str = " has been running for over 60 seconds";

/// How a runner's lines are shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'a> {
    /// Each when it comes: nobody else prints.
    AtOnce,
    /// A suite's together when it has ended, since other lanes print too. That a test takes long is said
    /// at once: one that hangs would be seen only when its suite has ended.
    BySuite(&'a Names),
}

/// The lines of one runner.
#[derive(Debug)]
pub(super) struct Output<'a> {
    runner: Runner,
    shown: Shown<'a>,
    /// The suite that prints.
    suite: String,
    /// What it has printed and nobody has seen.
    kept: String,
}

impl<'a> Output<'a> {
    /// Nothing was printed yet.
    pub(super) fn of(runner: Runner, shown: Shown<'a>) -> Self {
        let suite = match runner {
            Runner::Cargo => "Cargo",
            Runner::Vitest => "the page",
            Runner::Go => "the cluster's enforcer of policies",
        };
        Self {
            runner,
            shown,
            suite: suite.to_owned(),
            kept: String::new(),
        }
    }

    /// The suite whose lines these are.
    pub(super) fn suite(&self) -> &str {
        &self.suite
    }

    /// Takes the next line; returns what is to be shown now.
    pub(super) fn take(&mut self, line: &str) -> Option<String> {
        let Shown::BySuite(names) = self.shown else {
            return Some(line.trim_end_matches('\n').to_owned());
        };
        if line.trim_end().ends_with(LONG) {
            return Some(format!("  … {}: {}", self.suite, line.trim_end()));
        }
        let begun = names
            .begun_by(line)
            .filter(|_| self.runner == Runner::Cargo);
        let shown = begun.map(|next| {
            let ended = self.rest().map(|text| text + "\n").unwrap_or_default();
            let said = format!("{ended}  … {next} begins");
            self.suite = next;
            said
        });
        self.kept.push_str(line);
        shown
    }

    /// What was kept, as one piece.
    pub(super) fn rest(&mut self) -> Option<String> {
        let kept = std::mem::take(&mut self.kept);
        (!kept.is_empty()).then(|| kept.trim_end_matches('\n').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[&str] = &[
        "     Running a.rs (target/a-1)\n",
        "running 1 test\n",
        "     Running b.rs (target/b-1)\n",
        "running 2 tests\n",
    ];

    fn shown(runner: Runner, shown: Shown<'_>) -> Vec<String> {
        let mut output = Output::of(runner, shown);
        let mut said: Vec<_> = LINES.iter().filter_map(|line| output.take(line)).collect();
        said.extend(output.rest());
        said
    }

    #[test]
    fn the_lines_of_a_suite_are_shown_together() {
        assert_eq!(
            shown(Runner::Cargo, Shown::BySuite(&Names::default())),
            [
                "  … a.rs begins",
                "     Running a.rs (target/a-1)\nrunning 1 test\n  … b.rs begins",
                "     Running b.rs (target/b-1)\nrunning 2 tests",
            ]
        );
    }

    #[test]
    fn a_test_that_takes_long_is_told_of_at_once() {
        let names = Names::default();
        let mut output = Output::of(Runner::Cargo, Shown::BySuite(&names));
        output.take(LINES[0]);
        let said = output.take("test it::hangs has been running for over 60 seconds\n");
        let expected = "  … a.rs: test it::hangs has been running for over 60 seconds";
        assert_eq!(said.as_deref(), Some(expected));
        assert_eq!(output.take("test it::hangs ... ok\n"), None);
    }

    #[test]
    fn another_runner_is_one_suite() {
        let said = shown(Runner::Vitest, Shown::BySuite(&Names::default()));
        assert_eq!(said, [LINES.concat().trim_end()]);
    }

    #[test]
    fn who_prints_alone_is_shown_line_by_line() {
        let said = shown(Runner::Cargo, Shown::AtOnce);
        assert_eq!(said.len(), LINES.len());
    }
}
