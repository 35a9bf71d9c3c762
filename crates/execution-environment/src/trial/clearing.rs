//! What a trial leaves behind: nothing.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{sleep, timeout};

use super::error::TrialError;
use crate::{Destroyed, EnvironmentRuntime, EnvironmentSpec, Listed, RuntimeError, RuntimeName};

/// A busy node may need half of it to end a pod; nobody waits for a lost one.
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);
/// No trial lasts this long: ten minutes of budget at most, and its removal.
const ABANDONED: TimeDelta = TimeDelta::minutes(20);

/// Destroys the trial's environment, and those that killed trials have left.
pub(super) async fn clear(
    runtime: &dyn EnvironmentRuntime,
    spec: &EnvironmentSpec,
) -> Result<(), TrialError> {
    let name = spec.runtime_name();
    clear_abandoned(runtime, spec).await;
    let gone = timeout(LIMIT, until_gone(runtime, &name)).await;
    match gone {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(left(name, Some(error))),
        Err(_) => Err(left(name, None)),
    }
}

fn left(name: RuntimeName, source: Option<RuntimeError>) -> TrialError {
    tracing::warn!(environment.name = %name, "the environment of a trial is left");
    TrialError::Left { name, source }
}

async fn until_gone(
    runtime: &dyn EnvironmentRuntime,
    name: &RuntimeName,
) -> Result<(), RuntimeError> {
    loop {
        match runtime.destroy(name, None).await {
            Ok(Destroyed::Gone) => return Ok(()),
            Ok(Destroyed::StillThere) => {}
            Err(error) if error.is_transient() => {
                tracing::debug!(error = %error, "the environment of a trial is not removed yet");
            }
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// Leftovers are the next trial's to remove again if this one cannot.
async fn clear_abandoned(runtime: &dyn EnvironmentRuntime, spec: &EnvironmentSpec) {
    let listed = runtime.list(spec.install_id).await.unwrap_or_default();
    for one in abandoned(&listed, &spec.runtime_name()) {
        if let Err(error) = runtime.destroy(&one.name, Some(&one.uid)).await {
            let name = &one.name;
            tracing::warn!(environment.name = %name, error = %error, "a leftover of a trial stays");
        }
    }
}

/// Picks what is much older than this trial's own, both by the runtime's clock: a trial that runs
/// beside this one is not.
fn abandoned<'a>(listed: &'a [Listed], own: &RuntimeName) -> Vec<&'a Listed> {
    let now = listed.iter().find(|one| one.name == *own);
    let Some(now) = now.and_then(|one| one.created_at) else {
        return Vec::new();
    };
    let is_old = |one: &&Listed| {
        one.created_at
            .is_some_and(|created_at| now - created_at > ABANDONED)
    };
    listed.iter().filter(is_old).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

    use super::*;
    use crate::{OwnerLabels, Phase, RuntimeUid, UserHash};

    fn at(second: Option<i64>) -> Listed {
        let labels = OwnerLabels {
            install_id: InstallId::generate(),
            session_id: ExamSessionId::generate(),
            environment_id: ExecutionEnvironmentId::generate(),
            attempt: 1,
            user_hash: UserHash::of(&UserId::parse("trial@carrel").unwrap()),
        };
        Listed {
            name: labels.runtime_name(),
            uid: RuntimeUid::from_runtime("a"),
            labels,
            created_at: second.map(|second| DateTime::from_timestamp(second, 0).unwrap()),
            phase: Phase::Running,
        }
    }

    #[test]
    fn only_what_no_trial_can_be_using_any_more_is_abandoned() {
        let listed = [0, 8_799, 8_800, 10_000].map(|second| at(Some(second)));
        let own = &listed[3].name;
        let names: Vec<_> = abandoned(&listed, own).iter().map(|it| &it.name).collect();
        assert_eq!(names, [&listed[0].name, &listed[1].name]);
    }

    #[test]
    fn without_a_clock_to_compare_by_nothing_is_abandoned() {
        let listed = [at(Some(0)), at(None)];
        assert_eq!(abandoned(&listed, &listed[1].name), Vec::<&Listed>::new());
        let other = at(Some(10_000)).name;
        assert_eq!(abandoned(&listed, &other), Vec::<&Listed>::new());
    }
}
