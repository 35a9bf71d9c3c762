//! Whether the runtime can be used, asked again and again while a process lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::{EnvironmentRuntime, ExamDefinition, Purpose, RuntimeFinding};

/// An outage is short more often than not, and whoever mends it wants to see it mended.
const WHILE_BAD: Duration = Duration::from_secs(5);
/// What was well stays well for a while; a check is about a dozen small requests.
const WHILE_WELL: Duration = Duration::from_mins(1);
/// A runtime that takes longer than this to answer is a finding of its own.
const LIMIT: Duration = Duration::from_secs(30);

/// Keeps what the last check of a runtime found, for the probes of a process.
#[derive(Clone, Debug, Default)]
pub struct RuntimeHealth {
    /// `None` until the first check has ended.
    latest: watch::Sender<Option<Vec<RuntimeFinding>>>,
    was_well: Arc<AtomicBool>,
}

impl RuntimeHealth {
    /// Returns what the last check found: nothing when all was well, `None` before the first.
    pub fn findings(&self) -> Option<Vec<RuntimeFinding>> {
        self.latest.borrow().clone()
    }

    /// Returns whether any check so far found nothing wrong.
    pub fn was_well(&self) -> bool {
        self.was_well.load(Ordering::Relaxed)
    }

    /// Asks until it is dropped. What is found is logged when it changes, with how to mend it; it
    /// never ends the process, since the work is retried anyhow.
    /// `exams` tells which definitions the runtime should be able to run, as they are at the time.
    pub async fn watch(
        &self,
        runtime: &dyn EnvironmentRuntime,
        purpose: Purpose,
        exams: impl AsyncFn() -> Vec<ExamDefinition>,
    ) {
        loop {
            let exams = exams().await;
            let found = look(runtime, purpose, &exams).await;
            let pause = if found.is_empty() {
                WHILE_WELL
            } else {
                WHILE_BAD
            };
            self.keep(found);
            tokio::time::sleep(pause).await;
        }
    }

    fn keep(&self, found: Vec<RuntimeFinding>) {
        let codes = |findings: &[RuntimeFinding]| -> Vec<&'static str> {
            findings.iter().map(|finding| finding.code).collect()
        };
        let before = self.latest.borrow().as_deref().map(codes);
        if before.as_deref() != Some(&codes(&found)) {
            report(&found, before.is_some());
        }
        self.was_well.fetch_or(found.is_empty(), Ordering::Relaxed);
        self.latest.send_replace(Some(found));
    }
}

/// Exams are only looked at when the runtime itself can be used.
async fn look(
    runtime: &dyn EnvironmentRuntime,
    purpose: Purpose,
    exams: &[ExamDefinition],
) -> Vec<RuntimeFinding> {
    let whole = async {
        let mut found = runtime.check(purpose).await;
        if found.is_empty() {
            for exam in exams {
                found.extend(runtime.check_exam(exam).await);
            }
        }
        found
    };
    let answer = tokio::time::timeout(LIMIT, whole).await;
    answer.unwrap_or_else(|_| {
        vec![RuntimeFinding {
            code: "runtime.silent",
            message: format!("the runtime did not answer within {} s", LIMIT.as_secs()),
            mend: "look for load or distance between here and the runtime".to_owned(),
        }]
    })
}

fn report(found: &[RuntimeFinding], again: bool) {
    for RuntimeFinding {
        code,
        message,
        mend,
    } in found
    {
        tracing::error!(%code, %mend, "environments cannot be worked on: {message}");
    }
    if found.is_empty() && again {
        tracing::info!("environments can be worked on again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_check_and_then_what_the_last_one_found() {
        let health = RuntimeHealth::default();
        assert_eq!(health.findings(), None);
        let unreachable = RuntimeFinding {
            code: "cluster.unreachable",
            message: "the cluster does not answer".to_owned(),
            mend: "start it".to_owned(),
        };
        let probe = health.clone();
        health.keep(vec![unreachable.clone()]);
        assert_eq!(probe.findings(), Some(vec![unreachable.clone()]));
        assert!(!probe.was_well());
        health.keep(Vec::new());
        assert_eq!(probe.findings(), Some(Vec::new()));
        health.keep(vec![unreachable]);
        assert!(probe.was_well(), "once is enough");
    }
}
