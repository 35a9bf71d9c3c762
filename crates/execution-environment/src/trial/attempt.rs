//! The part of a trial that a session's provisioning has too: create, look, prove.

use std::pin::pin;
use std::time::Duration;

use failure_classification::Signal;
use futures_util::FutureExt as _;
use sqlx::PgPool;
use tokio::time::{Instant, sleep, sleep_until};

use super::error::{TrialCheck, TrialError};
use super::patience::{Patience, may_pass_in_another};
use super::{TrialProof, clearing, judged};
use crate::{
    Created, EnvironmentRuntime, EnvironmentSpec, Observation, Observed, Phase, RuntimeError,
};

/// Where a runtime gives hints, it is looked at again after this at the latest.
const UNHINTED: Duration = Duration::from_secs(1);
/// How soon a setback is looked at again, as a session does.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How soon a refused creation is asked for again, as a session does.
const PAUSE: Duration = Duration::from_secs(1);

/// What is tried, where, and where the decisions about it are kept.
pub(super) struct Trial<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) runtime: &'a dyn EnvironmentRuntime,
    /// Of the attempt under way; there is never another's environment beside it.
    pub(super) spec: EnvironmentSpec,
}

/// What was seen of an environment that runs.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) report: crate::IsolationReport,
    pub(super) image_digest: Option<String>,
    pub(super) place: Option<String>,
}

/// Why nobody waits any longer.
enum Over {
    Stopped,
    Spent,
}

/// Makes the environment and looks inside, until the budget is spent or `stop` is over. What a
/// session would try again in another environment is tried so here.
pub(super) async fn attempt(
    trial: &mut Trial<'_>,
    stop: impl Future<Output = ()>,
) -> Result<TrialProof, TrialError> {
    let until = Instant::now() + trial.spec.exam.startup_budget();
    let over = async {
        tokio::select! {
            biased;
            () = stop => Over::Stopped,
            () = sleep_until(until) => Over::Spent,
        }
    };
    let mut over = pin!(over);
    let mut patience = Patience::default();
    loop {
        let failed = match once(trial, &mut patience, over.as_mut()).await {
            Ok(proof) => return Ok(proof),
            Err(failed) => failed,
        };
        let is_over = Instant::now() >= until;
        if is_over || !may_pass_in_another(&failed, trial.spec.attempt) {
            return Err(failed);
        }
        // What cannot be removed is left to whoever clears after the trial, and named there.
        if make_room(trial).await.is_err() {
            return Err(failed);
        }
        // That may have taken a minute.
        match over.as_mut().now_or_never() {
            Some(Over::Stopped) => return Err(TrialError::Interrupted { left: None }),
            Some(Over::Spent) => return Err(failed),
            None => {}
        }
        patience = Patience::after(failed);
    }
}

/// Removes the environment of an attempt, and describes the next; elsewhere, where there is one.
async fn make_room(trial: &mut Trial<'_>) -> Result<(), TrialError> {
    let name = trial.spec.runtime_name();
    if let Ok(Observation::Present(found)) = trial.runtime.observe(&name).await {
        trial.spec.avoid.extend(found.place);
    }
    clearing::clear(trial.runtime, &name).await?;
    trial.spec.attempt += 1;
    Ok(())
}

async fn once(
    trial: &Trial<'_>,
    patience: &mut Patience,
    mut over: impl Future<Output = Over> + Unpin,
) -> Result<TrialProof, TrialError> {
    let created = create(trial, patience, &mut over).await?;
    tokio::select! {
        biased;
        tried = look(trial, &created, patience) => tried,
        over = over => Err(ended(&over, patience, &trial.spec)),
    }
}

/// Asks until it is made; it adopts what an answer that was lost has made.
async fn create(
    trial: &Trial<'_>,
    patience: &mut Patience,
    mut over: impl Future<Output = Over> + Unpin,
) -> Result<Created, TrialError> {
    loop {
        // Never broken off: what a runtime was just asked for might appear after it was removed.
        let error = match trial.runtime.create(&trial.spec).await {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        patience.bear(Some((TrialCheck::Creation, error)))?;
        tokio::select! {
            biased;
            over = &mut over => return Err(ended(&over, patience, &trial.spec)),
            () = sleep(PAUSE) => {}
        }
    }
}

fn ended(over: &Over, patience: &mut Patience, spec: &EnvironmentSpec) -> TrialError {
    match over {
        Over::Stopped => TrialError::Interrupted { left: None },
        Over::Spent => patience.spent(spec.exam.startup_budget_seconds),
    }
}

async fn look(
    trial: &Trial<'_>,
    created: &Created,
    patience: &mut Patience,
) -> Result<TrialProof, TrialError> {
    loop {
        let seen = match trial.runtime.observe(&created.name).await {
            Ok(observation) => seen(observation, created),
            Err(error) => Seen::Setback(TrialCheck::Start, error),
        };
        let setback = match seen {
            Seen::Running(found) => match prove(trial, created, found).await {
                Ok(proof) => return Ok(proof),
                // It stopped between the look and the proof: the next look says what became of it.
                Err(TrialError::Failed { source, .. })
                    if matches!(source.signal, Signal::ExecTargetMissing { .. }) =>
                {
                    None
                }
                Err(TrialError::Failed { check, source, .. }) => Some((check, source)),
                Err(other) => return Err(other),
            },
            Seen::Setback(check, error) => Some((check, error)),
            Seen::Pending => None,
        };
        let is_setback = setback.is_some();
        patience.bear(setback)?;
        if is_setback {
            sleep(LOOK_AGAIN).await;
        } else {
            trial.runtime.wait_for_change(&created.name, UNHINTED).await;
        }
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
    trial: &Trial<'_>,
    created: &Created,
    found: Observed,
) -> Result<TrialProof, TrialError> {
    let tried = tried(trial, created, found).await;
    let tried = tried.map_err(|error| TrialError::failed(TrialCheck::Isolation, error))?;
    judged(trial, tried).await
}

async fn tried(
    trial: &Trial<'_>,
    created: &Created,
    found: Observed,
) -> Result<Tried, RuntimeError> {
    let (runtime, name, uid) = (trial.runtime, &created.name, &created.uid);
    let report = runtime.verify(name, uid, &trial.spec.exam).await?;
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
                is_place_lost: false,
                going_since: None,
            });
            let seen = seen(found, &created);
            assert_eq!(matches!(seen, Seen::Running(_)), is_running, "{uid}");
        }
    }
}
