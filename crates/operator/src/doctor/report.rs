//! What the checks found.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Bad,
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    next: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    pub(super) fn bad(
        name: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            name,
            verdict: Verdict::Bad,
            detail: detail.into(),
            next: Some(next.into()),
        }
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
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn add(&mut self, check: Check) {
        self.findings += usize::from(check.verdict == Verdict::Bad);
        self.checks.push(check);
    }

    pub(super) fn skip(&mut self, names: &[&'static str]) {
        self.checks.extend(names.iter().map(|name| Check {
            name,
            verdict: Verdict::Skipped,
            detail: "needs the schema to be current".to_owned(),
            next: None,
        }));
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.findings == 0
    }

    pub(super) fn text(&self) -> String {
        let lines = self.checks.iter().map(|check| {
            let mark = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Bad => "BAD",
                Verdict::Skipped => "-",
            };
            let next = check
                .next
                .iter()
                .map(|next| format!("\n{:22}next: {next}", ""));
            let next: String = next.collect();
            format!("{mark:<4} {:<15}  {}{next}", check.name, check.detail)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finding_makes_the_whole_unhealthy_and_a_skipped_check_does_not() {
        let mut report = Report::default();
        report.add(Check::of_findings(
            "queues",
            "all served",
            &[],
            "start a worker",
        ));
        report.skip(&["sweeps"]);
        assert!(report.is_healthy());
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
