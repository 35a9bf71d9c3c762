//! What the checks found.

use std::borrow::Cow;

use serde::Serialize;

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
}

impl Report {
    pub(super) fn add(&mut self, check: Check) {
        self.findings += usize::from(check.verdict == Verdict::Bad);
        self.warnings += usize::from(check.verdict == Verdict::Warning);
        self.checks.push(check);
    }

    pub(super) fn skip(&mut self, name: &'static str, why: &str) {
        self.add(Check::new(name, Verdict::Skipped, why));
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.findings == 0
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
                .map(|next| format!("\n{:22}next: {next}", ""));
            let next: String = next.collect();
            let code = check.code.iter().map(|code| format!("[{code}] "));
            let code: String = code.collect();
            format!("{mark:<4} {:<15}  {code}{}{next}", check.name, check.detail)
        });
        lines.collect::<Vec<_>>().join("\n")
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
        assert!(report.is_healthy());
        assert!(
            report
                .text()
                .contains("WARN network_policy   [a.b] unknown\n"),
            "{}",
            report.text()
        );
        report.add(Check::of_findings(
            "leases",
            "all held",
            &["one".to_owned()],
            "wait",
        ));
        assert!(!report.is_healthy());
        assert!(
            report.text().contains("BAD  leases           one\n"),
            "{}",
            report.text()
        );
        assert!(report.text().ends_with("next: wait"));
    }
}
