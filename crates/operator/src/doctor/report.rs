//! What the checks found.

use std::borrow::Cow;

use serde::Serialize;

use super::args::FailOn;
use super::checks;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Bad,
    /// Worth knowing; nothing is broken.
    Warning,
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    name: &'static str,
    verdict: Verdict,
    /// A stable word for what was found, where a check can find several things.
    code: Option<Cow<'static, str>>,
    detail: String,
    next: Option<String>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            code: None,
            detail: detail.into(),
            next: None,
        }
    }

    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail)
    }

    pub(super) fn bad(
        name: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            next: Some(next.into()),
            ..Self::new(name, Verdict::Bad, detail)
        }
    }

    pub(super) fn warning(
        name: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            next: Some(next.into()),
            ..Self::new(name, Verdict::Warning, detail)
        }
    }

    pub(super) fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// A check that is good when nothing was found.
    pub(super) fn of_findings(
        name: &'static str,
        good: &str,
        findings: &[String],
        next: impl Into<String>,
    ) -> Self {
        if findings.is_empty() {
            Self::ok(name, good)
        } else {
            Self::bad(name, findings.join("; "), next)
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.verdict == Verdict::Ok
    }
}

/// All checks, in the order they were made.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    findings: usize,
    warnings: usize,
    checks: Vec<Check>,
    /// What `migrate up` would apply; null where nobody asked for it.
    fix_sql: Option<Vec<String>>,
    /// The checks that were asked for; empty for all.
    #[serde(skip)]
    only: Vec<String>,
}

impl Report {
    /// A report of these checks alone; of all where none is named.
    pub(super) fn of(only: Vec<String>) -> Self {
        debug_assert!(only.iter().all(|name| checks::names().any(|it| it == name)));
        Self {
            only,
            ..Self::default()
        }
    }

    /// Whether one of these checks was asked for.
    pub(super) fn wants(&self, names: &[&str]) -> bool {
        let is_wanted = |name: &&str| self.only.iter().any(|only| only == name);
        self.only.is_empty() || names.iter().any(is_wanted)
    }

    pub(super) fn add(&mut self, check: Check) {
        if self.wants(&[check.name]) {
            self.insist(check);
        }
    }

    /// Adds what was found although nobody asked: without it, nothing that was asked for could be looked at.
    pub(super) fn insist(&mut self, check: Check) {
        self.findings += usize::from(check.verdict == Verdict::Bad);
        self.warnings += usize::from(check.verdict == Verdict::Warning);
        self.checks.push(check);
    }

    pub(super) fn skip(&mut self, name: &'static str, why: &str) {
        self.add(Check::new(name, Verdict::Skipped, why));
    }

    pub(super) fn is_healthy(&self, fail_on: FailOn) -> bool {
        self.findings == 0 && (fail_on == FailOn::Error || self.warnings == 0)
    }

    pub(super) fn fix_with(&mut self, statements: Vec<String>) {
        self.fix_sql = Some(statements);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.checks.iter().map(|check| {
            let mark = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Bad => "BAD",
                Verdict::Warning => "WARN",
                Verdict::Skipped => "-",
            };
            let next = check
                .next
                .iter()
                .map(|next| format!("\n{:25}next: {next}", ""));
            let next: String = next.collect();
            let code = check.code.iter().map(|code| format!("[{code}] "));
            let code: String = code.collect();
            format!("{mark:<4} {:<18}  {code}{}{next}", check.name, check.detail)
        });
        let fixes = self.fix_sql.iter().flatten().cloned();
        lines.chain(fixes).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finding_makes_the_whole_unhealthy_and_a_warning_or_a_skipped_check_does_not() {
        let mut report = Report::default();
        report.add(Check::of_findings(
            "queues",
            "all served",
            &[],
            "start a worker",
        ));
        report.skip("sweeps", "needs the schema to be current");
        report.add(Check::warning("network_policy", "unknown", "try").code("a.b"));
        assert!(report.is_healthy(FailOn::Error) && !report.is_healthy(FailOn::Warn));
        assert!(
            report
                .text()
                .contains("WARN network_policy      [a.b] unknown\n"),
            "{}",
            report.text()
        );
        report.add(Check::of_findings(
            "leases",
            "all held",
            &["one".to_owned()],
            "wait",
        ));
        assert!(!report.is_healthy(FailOn::Error));
        assert!(
            report.text().contains("BAD  leases              one\n"),
            "{}",
            report.text()
        );
        assert!(report.text().ends_with("next: wait"));
    }

    #[test]
    fn only_what_was_asked_for_is_told_and_what_stands_in_its_way() {
        let mut report = Report::of(vec!["queues".to_owned()]);
        report.add(Check::bad("leases", "one", "wait"));
        assert!(report.is_healthy(FailOn::Warn) && report.text().is_empty());
        report.insist(Check::bad("database", "no answer", "start it"));
        assert!(!report.is_healthy(FailOn::Error));
        assert!(report.wants(&["leases", "queues"]) && !report.wants(&["leases"]));
    }
}
