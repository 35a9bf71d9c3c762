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

/// What one check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    runtime: Vec<RuntimeFinding>,
    /// Only looked for when the runtime itself can be used.
    exams: Vec<RuntimeFinding>,
}

impl Look {
    fn all(&self) -> impl Iterator<Item = &RuntimeFinding> {
        self.runtime.iter().chain(&self.exams)
    }

    fn is_well(&self) -> bool {
        self.all().next().is_none()
    }
}

/// Keeps what the last check of a runtime found, for the probes of a process.
#[derive(Clone, Debug, Default)]
pub struct RuntimeHealth {
    /// `None` until the first check has ended.
    latest: watch::Sender<Option<Look>>,
    was_well: Arc<AtomicBool>,
}

impl RuntimeHealth {
    /// Returns what the last check found: nothing when all was well, `None` before the first.
    pub fn findings(&self) -> Option<Vec<RuntimeFinding>> {
        let latest = self.latest.borrow();
        latest.as_ref().map(|look| look.all().cloned().collect())
    }

    /// Calls with why no environment can be made whatever is tried, now and whenever a check ends:
    /// `Some` before the first one, and until somebody mends what [`RuntimeFinding::is_outage`]
    /// does not explain. Never returns.
    pub async fn tell_refusal(&self, mut told: impl FnMut(Option<&str>)) {
        let mut looks = self.latest.subscribe();
        loop {
            told(refusal(looks.borrow_and_update().as_ref()).as_deref());
            // The sender is ours, so this only waits.
            looks.changed().await.ok();
        }
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
            let pause = if found.is_well() {
                WHILE_WELL
            } else {
                WHILE_BAD
            };
            self.keep(found);
            tokio::time::sleep(pause).await;
        }
    }

    fn keep(&self, found: Look) {
        let codes = |look: &Look| look.all().map(|finding| finding.code).collect::<Vec<_>>();
        let before = self.latest.borrow().as_ref().map(codes);
        if before.as_ref() != Some(&codes(&found)) {
            report(&found, before.is_some());
        }
        self.was_well.fetch_or(found.is_well(), Ordering::Relaxed);
        self.latest.send_replace(Some(found));
    }
}

fn refusal(look: Option<&Look>) -> Option<String> {
    let Some(look) = look else {
        return Some("the runtime has not answered yet".to_owned());
    };
    let lasting = look.runtime.iter().filter(|finding| !finding.is_outage());
    let words: Vec<_> = lasting.map(|finding| finding.message.as_str()).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

async fn look(
    runtime: &dyn EnvironmentRuntime,
    purpose: Purpose,
    exams: &[ExamDefinition],
) -> Look {
    let whole = async {
        let mut found = Look {
            runtime: runtime.check(purpose).await,
            exams: Vec::new(),
        };
        if found.is_well() {
            for exam in exams {
                found.exams.extend(runtime.check_exam(exam).await);
            }
        }
        found
    };
    let answer = tokio::time::timeout(LIMIT, whole).await;
    answer.unwrap_or_else(|_| Look {
        runtime: vec![RuntimeFinding {
            code: "runtime.silent",
            message: format!("the runtime did not answer within {} s", LIMIT.as_secs()),
            mend: "look for load or distance between here and the runtime".to_owned(),
        }],
        exams: Vec::new(),
    })
}

fn report(found: &Look, again: bool) {
    for RuntimeFinding {
        code,
        message,
        mend,
    } in found.all()
    {
        tracing::error!(%code, %mend, "environments cannot be worked on: {message}");
    }
    if found.is_well() && again {
        tracing::info!("environments can be worked on again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &'static str) -> RuntimeFinding {
        RuntimeFinding {
            code,
            message: format!("{code} is wrong"),
            mend: "mend it".to_owned(),
        }
    }

    fn of_runtime(code: &'static str) -> Look {
        Look {
            runtime: vec![finding(code)],
            exams: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_known_before_the_first_check_and_then_what_the_last_one_found() {
        let health = RuntimeHealth::default();
        assert_eq!(health.findings(), None);
        let probe = health.clone();
        health.keep(of_runtime("cluster.unreachable"));
        let unreachable = vec![finding("cluster.unreachable")];
        assert_eq!(probe.findings(), Some(unreachable));
        assert!(!probe.was_well());
        health.keep(Look::default());
        assert_eq!(probe.findings(), Some(Vec::new()));
        health.keep(of_runtime("cluster.unreachable"));
        assert!(probe.was_well(), "once is enough");
    }

    #[test]
    fn work_is_refused_until_the_first_check_and_by_what_somebody_must_mend() {
        assert!(refusal(None).is_some());
        assert_eq!(refusal(Some(&Look::default())), None);
        assert_eq!(refusal(Some(&of_runtime("cluster.unavailable"))), None);
        let rights = refusal(Some(&of_runtime("cluster.rights")));
        assert_eq!(rights.as_deref(), Some("cluster.rights is wrong"));
        let one_exam = Look {
            runtime: Vec::new(),
            exams: vec![finding("cluster.runtime_class")],
        };
        assert_eq!(refusal(Some(&one_exam)), None, "others can be taken");
    }
}
