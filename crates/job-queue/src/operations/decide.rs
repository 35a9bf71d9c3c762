//! Whether a verb fits a job.

use std::collections::HashSet;

use serde::Serialize;
use uuid::Uuid;

use super::BulkVerb;
use crate::JobState;

/// A job under lock.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) id: Uuid,
    pub(super) state: String,
    pub(super) queue: String,
    pub(super) key: Option<String>,
    pub(super) cancel_requested: bool,
}

/// Why a job was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Skip {
    IsReady,
    IsRunning,
    IsDone,
    IsDead,
    IsCancelled,
    KeyTaken,
    AlreadyAsked,
    AlreadyThere,
}

impl Skip {
    /// Returns the word as `job_operations.skipped` counts it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::IsReady => "is_ready",
            Self::IsRunning => "is_running",
            Self::IsDone => "is_done",
            Self::IsDead => "is_dead",
            Self::IsCancelled => "is_cancelled",
            Self::KeyTaken => "key_taken",
            Self::AlreadyAsked => "already_asked",
            Self::AlreadyThere => "already_there",
        }
    }

    const fn is(state: JobState) -> Self {
        match state {
            JobState::Ready => Self::IsReady,
            JobState::Running => Self::IsRunning,
            JobState::Done => Self::IsDone,
            JobState::Dead => Self::IsDead,
            JobState::Cancelled => Self::IsCancelled,
        }
    }
}

/// Splits jobs into those the verb fits and the reasons of the rest. Of jobs with one key only the
/// first may become live; `taken` are the keys that live jobs have.
pub(super) fn decide(
    verb: &BulkVerb,
    picked: Vec<Picked>,
    mut taken: HashSet<String>,
) -> (Vec<Picked>, Vec<Skip>) {
    let mut fitting = Vec::with_capacity(picked.len());
    let mut skipped = Vec::new();
    for job in picked {
        match obstacle(verb, &job, &mut taken) {
            None => fitting.push(job),
            Some(skip) => skipped.push(skip),
        }
    }
    (fitting, skipped)
}

fn obstacle(verb: &BulkVerb, job: &Picked, taken: &mut HashSet<String>) -> Option<Skip> {
    let state = JobState::from_stored(&job.state)?;
    if !verb.fits(state) {
        return Some(Skip::is(state));
    }
    match verb {
        BulkVerb::Retry { .. } => {
            let key = job.key.clone()?;
            (!taken.insert(key)).then_some(Skip::KeyTaken)
        }
        BulkVerb::Cancel => job.cancel_requested.then_some(Skip::AlreadyAsked),
        BulkVerb::Move { to } => (job.queue == *to).then_some(Skip::AlreadyThere),
        BulkVerb::Snooze { .. } | BulkVerb::Purge => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn job(state: JobState, key: Option<&str>) -> Picked {
        Picked {
            id: Uuid::nil(),
            state: state.to_string(),
            queue: "here".to_owned(),
            key: key.map(str::to_owned),
            cancel_requested: false,
        }
    }

    fn skips(verb: &BulkVerb) -> Vec<Skip> {
        let all = JobState::ALL.map(|state| job(state, None));
        decide(verb, all.into(), HashSet::new()).1
    }

    #[test]
    fn each_verb_leaves_alone_the_states_it_does_not_fit() {
        let retry = BulkVerb::Retry {
            after: Duration::ZERO,
            spread: Duration::ZERO,
        };
        assert_eq!(
            skips(&retry),
            [Skip::IsReady, Skip::IsRunning, Skip::IsDone]
        );
        let ended = [Skip::IsDone, Skip::IsDead, Skip::IsCancelled];
        assert_eq!(skips(&BulkVerb::Cancel), ended);
        assert_eq!(skips(&BulkVerb::Purge), [Skip::IsReady, Skip::IsRunning]);
        let to = "there".to_owned();
        assert_eq!(skips(&BulkVerb::Move { to })[0], Skip::IsRunning);
        let to = "here".to_owned();
        assert_eq!(skips(&BulkVerb::Move { to })[0], Skip::AlreadyThere);
    }

    #[test]
    fn of_two_dead_jobs_with_one_key_the_first_is_retried_and_none_while_a_live_one_has_it() {
        let retry = BulkVerb::Retry {
            after: Duration::ZERO,
            spread: Duration::ZERO,
        };
        let dead = |key| job(JobState::Dead, Some(key));
        let taken = HashSet::from(["live".to_owned()]);
        let (fitting, skipped) = decide(&retry, vec![dead("a"), dead("a"), dead("live")], taken);
        assert_eq!(fitting.len(), 1);
        assert_eq!(skipped, [Skip::KeyTaken, Skip::KeyTaken]);
    }
}
