//! The part of a trial that a session's provisioning has too: create, look, prove.

use std::time::Duration;

use failure_classification::{FailureCode, Phase as SessionPhase, Signal, classify};
use tokio::time::{Instant, sleep_until};

use super::error::{TrialCheck, TrialError};
use crate::{
    Created, EnvironmentRuntime, EnvironmentSpec, IsolationReport, Observation, Observed, Phase,
    RuntimeError,
};

/// Where a runtime gives hints, it is looked at again after this at the latest.
const UNHINTED: Duration = Duration::from_secs(1);

/// What was seen of an environment that runs.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) report: IsolationReport,
    pub(super) image_digest: Option<String>,
    pub(super) place: Option<String>,
}

/// Makes the environment and looks inside, until the budget is spent or `stop` is over.
pub(super) async fn attempt(
    runtime: &dyn EnvironmentRuntime,
    spec: &EnvironmentSpec,
    stop: impl Future<Output = ()>,
) -> Result<Tried, TrialError> {
    let until = Instant::now() + spec.exam.startup_budget();
    // Never broken off: what a runtime was just asked for might appear after it was removed.
    let created = runtime.create(spec).await;
    let created = created.map_err(|error| TrialError::failed(TrialCheck::Creation, error))?;
    let mut patience = Patience::default();
    tokio::select! {
        biased;
        tried = look(runtime, spec, &created, &mut patience) => tried,
        () = stop => Err(TrialError::Interrupted),
        () = sleep_until(until) => Err(patience.spent(spec)),
    }
}

async fn look(
    runtime: &dyn EnvironmentRuntime,
    spec: &EnvironmentSpec,
    created: &Created,
    patience: &mut Patience,
) -> Result<Tried, TrialError> {
    loop {
        let seen = match runtime.observe(&created.name).await {
            Ok(observation) => seen(observation, created),
            Err(error) => Seen::Setback(TrialCheck::Start, error),
        };
        let setback = match seen {
            Seen::Running(found) => match prove(runtime, spec, created, found).await {
                Ok(tried) => return Ok(tried),
                // It stopped between the look and the proof: the next look says what became of it.
                Err(error) if matches!(error.signal, Signal::ExecTargetMissing { .. }) => None,
                Err(error) => Some((TrialCheck::Isolation, error)),
            },
            Seen::Setback(check, error) => Some((check, error)),
            Seen::Pending => None,
        };
        patience.bear(setback)?;
        runtime.wait_for_change(&created.name, UNHINTED).await;
    }
}

enum Seen {
    Pending,
    Running(Observed),
    Setback(TrialCheck, RuntimeError),
}

/// Reads an observation. Whatever carries another uid is not what was made.
fn seen(observation: Observation, created: &Created) -> Seen {
    let setback = |signal| Seen::Setback(TrialCheck::Start, RuntimeError::new("observe", signal));
    let vanished = |found_uid| Signal::Vanished {
        expected_uid: Some(created.uid.to_string()),
        found_uid,
    };
    match observation {
        Observation::Absent => setback(vanished(None)),
        Observation::Present(found) if found.uid != created.uid => {
            setback(vanished(Some(found.uid.to_string())))
        }
        Observation::Present(found) => match (found.phase.signal(), &found.phase) {
            (Some(signal), _) => setback(signal),
            (None, Phase::Running) => Seen::Running(found),
            (None, Phase::Pending { .. } | Phase::Stopped { .. }) => Seen::Pending,
        },
    }
}

async fn prove(
    runtime: &dyn EnvironmentRuntime,
    spec: &EnvironmentSpec,
    created: &Created,
    found: Observed,
) -> Result<Tried, RuntimeError> {
    let (name, uid) = (&created.name, &created.uid);
    let report = runtime.verify(name, uid, &spec.exam).await?;
    // The proof is worth something without the image's digest, too.
    let snapshot = runtime.snapshot(name, uid).await.unwrap_or_default();
    // What was proven must still be there: a shell that ends at once is no exam.
    if let Seen::Setback(_, error) = seen(runtime.observe(name).await?, created) {
        return Err(error);
    }
    Ok(Tried {
        report,
        image_digest: snapshot["image_digest"].as_str().map(str::to_owned),
        place: found.place,
    })
}

/// Believes a setback once it has lasted, and was seen as often, as its code demands.
#[derive(Default)]
struct Patience {
    since: Option<(FailureCode, Instant)>,
    times: u8,
    last: Option<(TrialCheck, RuntimeError)>,
}

impl Patience {
    fn bear(&mut self, setback: Option<(TrialCheck, RuntimeError)>) -> Result<(), TrialError> {
        let Some((check, error)) = setback else {
            *self = Self::default();
            return Ok(());
        };
        let verdict = classify(&error.signal, SessionPhase::BeforeReady);
        let since = match self.since {
            Some((code, since)) if code == verdict.code() => since,
            Some(_) | None => {
                self.times = 0;
                Instant::now()
            }
        };
        self.since = Some((verdict.code(), since));
        self.times = self.times.saturating_add(1);
        if since.elapsed() >= verdict.window && self.times >= verdict.observations {
            return Err(TrialError::failed(check, error));
        }
        self.last = Some((check, error));
        Ok(())
    }

    /// What to blame a spent budget on: the last setback, where there was one.
    fn spent(&mut self, spec: &EnvironmentSpec) -> TrialError {
        if let Some((check, error)) = self.last.take() {
            return TrialError::failed(check, error);
        }
        let seconds = spec.exam.startup_budget_seconds;
        let message = format!("not within its startup_budget_seconds of {seconds}");
        let error = RuntimeError::new("observe", Signal::NotReady { message });
        TrialError::failed(TrialCheck::Start, error)
    }
}

#[cfg(test)]
mod tests {
    use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

    use super::*;
    use crate::{ExamDefinition, RuntimeUid};

    fn spec() -> EnvironmentSpec {
        EnvironmentSpec {
            install_id: InstallId::generate(),
            session_id: ExamSessionId::generate(),
            user_id: UserId::parse("trial@carrel").unwrap(),
            environment_id: ExecutionEnvironmentId::generate(),
            attempt: 1,
            exam: ExamDefinition::parse(include_str!("../../tests/exam.json")).unwrap(),
            deadline: None,
            avoid: Vec::new(),
        }
    }

    fn missing() -> (TrialCheck, RuntimeError) {
        let signal = Signal::ImageMissing {
            image: "a:1".to_owned(),
            message: String::new(),
        };
        (TrialCheck::Start, RuntimeError::new("observe", signal))
    }

    #[test]
    fn a_setback_is_believed_when_it_was_seen_as_often_as_its_code_demands() {
        let mut patience = Patience::default();
        patience.bear(Some(missing())).unwrap();
        patience.bear(None).unwrap();
        patience.bear(Some(missing())).unwrap();
        let error = patience.bear(Some(missing())).unwrap_err();
        assert_eq!(error.check(), Some(TrialCheck::Image));
    }

    #[test]
    fn a_spent_budget_is_blamed_on_the_last_setback_and_else_on_itself() {
        let mut patience = Patience::default();
        let error = patience.spent(&spec());
        assert_eq!(error.field(), Some("startup_budget_seconds"));
        assert!(error.to_string().contains("startup_budget_seconds of 60"));
        patience.bear(Some(missing())).unwrap();
        assert_eq!(patience.spent(&spec()).field(), Some("image"));
    }

    #[test]
    fn whatever_bears_another_uid_is_not_what_was_made() {
        let spec = spec();
        let created = Created {
            name: spec.runtime_name(),
            uid: RuntimeUid::from_runtime("a"),
            adopted: false,
        };
        for (uid, is_running) in [("a", true), ("b", false)] {
            let found = Observation::Present(Observed {
                uid: RuntimeUid::from_runtime(uid),
                labels: spec.labels(),
                phase: Phase::Running,
                place: None,
            });
            let seen = seen(found, &created);
            assert_eq!(matches!(seen, Seen::Running(_)), is_running, "{uid}");
        }
    }
}
