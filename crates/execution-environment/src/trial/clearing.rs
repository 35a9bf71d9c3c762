//! What a trial leaves behind: nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use session_identity::InstallId;
use tokio::time::{sleep, timeout};

use super::error::TrialError;
use crate::{Destroyed, EnvironmentRuntime, Listed, RuntimeError, RuntimeName};

/// A busy node may need half of it to end a pod; nobody waits for a lost one.
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);
/// No trial lasts this long: the longest startup budget there is takes ten minutes. The rest is for
/// its last call and its removal, a minute each, and for clocks that differ.
const ABANDONED: TimeDelta = TimeDelta::minutes(15);

/// Destroys a trial's own environment.
pub(super) async fn clear(
    runtime: &dyn EnvironmentRuntime,
    name: &RuntimeName,
) -> Result<(), TrialError> {
    let gone = timeout(LIMIT, until_gone(runtime, name)).await;
    match gone {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(left(name.clone(), Some(error))),
        Err(_) => Err(left(name.clone(), None)),
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

/// Destroys what killed trials have left, within one limit for all of it; the rest is the next
/// trial's to remove.
pub(super) async fn clear_abandoned(
    runtime: &dyn EnvironmentRuntime,
    trials: InstallId,
    now: DateTime<Utc>,
) {
    if timeout(LIMIT, destroy_abandoned(runtime, trials, now))
        .await
        .is_err()
    {
        tracing::warn!("some leftovers of trials stay: the runtime is slow");
    }
}

async fn destroy_abandoned(
    runtime: &dyn EnvironmentRuntime,
    trials: InstallId,
    now: DateTime<Utc>,
) {
    let listed = match runtime.list(trials).await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::warn!(error = %error, "leftovers of trials cannot be listed");
            return;
        }
    };
    for one in abandoned(&listed, now) {
        if let Err(error) = runtime.destroy(&one.name, Some(&one.uid)).await {
            let name = &one.name;
            tracing::warn!(environment.name = %name, error = %error, "a leftover of a trial stays");
        }
    }
}

/// Picks what is so old that no trial can be using it any more. What does not tell its age stays.
fn abandoned(listed: &[Listed], now: DateTime<Utc>) -> impl Iterator<Item = &Listed> {
    listed.iter().filter(move |one| {
        one.created_at
            .is_some_and(|created_at| now - created_at > ABANDONED)
    })
}

#[cfg(test)]
mod tests {
    use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};

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
        let listed = [Some(0), Some(9_099), Some(9_100), Some(10_001), None].map(at);
        let now = DateTime::from_timestamp(10_000, 0).unwrap();
        let names: Vec<_> = abandoned(&listed, now).map(|it| &it.name).collect();
        assert_eq!(names, [&listed[0].name, &listed[1].name]);
    }
}
