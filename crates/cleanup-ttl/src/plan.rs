//! What a sweep over the runtime would do: a pure function of what is listed and what is known.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use execution_environment::{EnvironmentState, Listed, RuntimeName, RuntimeUid};
use serde::Serialize;
use session_identity::{ExamSessionId, InstallId};
use session_lifecycle::SessionState;

use crate::policy::{ExpiryPolicy, OrphanDecision};

/// Describes one listed environment by what matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEnvironment {
    /// Its name.
    pub name: RuntimeName,
    /// Its uid; whatever is deleted is deleted by it.
    pub uid: RuntimeUid,
    /// The database its label names.
    pub install_id: InstallId,
    /// The session its label names.
    pub session_id: ExamSessionId,
    /// The attempt its label names.
    pub attempt: i32,
}

impl From<&Listed> for ListedEnvironment {
    fn from(listed: &Listed) -> Self {
        Self {
            name: listed.name.clone(),
            uid: listed.uid.clone(),
            install_id: listed.labels.install_id,
            session_id: listed.labels.session_id,
            attempt: listed.labels.attempt,
        }
    }
}

/// Describes a session and its environment as the rows say, read after the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSession {
    /// The session.
    pub session_id: ExamSessionId,
    /// Where it stands.
    pub state: SessionState,
    /// What is confirmed of its environment.
    pub environment_state: EnvironmentState,
    /// The latest attempt.
    pub attempt: i32,
    /// The uid of the latest attempt, once recorded.
    pub runtime_uid: Option<RuntimeUid>,
}

/// Holds everything a plan is made of.
#[derive(Clone, Debug)]
pub struct SweepInput {
    /// This database.
    pub install_id: InstallId,
    /// Whether the database knows any session at all.
    pub any_session: bool,
    /// What the runtime listed; listed before `known` was read.
    pub listed: Vec<ListedEnvironment>,
    /// What the rows say.
    pub known: Vec<KnownSession>,
}

/// Says why nothing may be deleted at all: what is seen looks like a wrong or restored database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// An environment names another install than this database.
    ForeignInstall {
        /// This database.
        install_id: InstallId,
        /// The install named.
        found: InstallId,
    },
    /// Environments exist and the database knows no session.
    NoSessions {
        /// How many environments are listed.
        listed: usize,
    },
    /// An environment is of a later attempt than its row knows: the rows are older than the runtime.
    RowsOlderThanRuntime {
        /// The session.
        session_id: ExamSessionId,
        /// The attempt of the row.
        known: i32,
        /// The attempt of the environment.
        found: i32,
    },
    /// More orphans than leaks explain.
    TooManyOrphans {
        /// How many there are.
        orphans: usize,
        /// How many are believable.
        limit: usize,
        /// How many environments are listed.
        listed: usize,
    },
}

/// Says why an environment counts as an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanCause {
    /// No row names its session.
    NoRow,
    /// Its row says that it is confirmed gone.
    ConfirmedGone,
}

/// Names an environment that no row accounts for. Sight it; delete it on a later sighting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Its name.
    pub name: RuntimeName,
    /// Its uid.
    pub uid: RuntimeUid,
    /// Why it counts as one.
    pub cause: OrphanCause,
}

/// Says why an environment is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// It was an orphan for long enough.
    Orphaned,
    /// A later attempt has taken its place.
    StaleAttempt,
}

/// Orders one deletion; the uid is its precondition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The environment's name.
    pub name: RuntimeName,
    /// The only uid that may be deleted under it.
    pub uid: RuntimeUid,
    /// Why.
    pub cause: DeletionCause,
}

/// Says what a sweep over the runtime would do. Lists are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepPlan {
    /// Why nothing may be touched; every list is empty then.
    pub refusal: Option<Refusal>,
    /// How many environments were listed.
    pub listed: usize,
    /// Environments no row accounts for.
    pub orphans: Vec<Orphan>,
    /// Environments of an attempt that a later one replaced; delete at once.
    pub stale: Vec<Deletion>,
    /// Live sessions whose environment has another uid than recorded, or is not listed: read
    /// uncached before concluding anything.
    pub recheck: Vec<ExamSessionId>,
}

impl SweepPlan {
    /// Lists the deletions, given since when each orphan has been known. Every stale attempt, and
    /// each orphan whose time has come.
    pub fn deletions(
        &self,
        known_for: &HashMap<RuntimeUid, Duration>,
        policy: &ExpiryPolicy,
    ) -> Vec<Deletion> {
        let ripe = self.orphans.iter().filter(|orphan| {
            policy.decide_orphan(known_for.get(&orphan.uid).copied()) == OrphanDecision::Delete
        });
        let orphaned = ripe.map(|orphan| Deletion {
            name: orphan.name.clone(),
            uid: orphan.uid.clone(),
            cause: DeletionCause::Orphaned,
        });
        self.stale.iter().cloned().chain(orphaned).collect()
    }

    fn refused(refusal: Refusal, listed: usize) -> Self {
        Self {
            refusal: Some(refusal),
            listed,
            ..Self::default()
        }
    }
}

/// Plans a sweep over the runtime. Pure; deletes nothing and never adopts an orphan.
pub fn plan(input: &SweepInput, policy: &ExpiryPolicy) -> SweepPlan {
    let known: HashMap<_, _> = input
        .known
        .iter()
        .map(|row| (row.session_id, row))
        .collect();
    if let Some(refusal) = wrong_database(input, &known) {
        return SweepPlan::refused(refusal, input.listed.len());
    }
    let mut plan = SweepPlan {
        listed: input.listed.len(),
        ..SweepPlan::default()
    };
    for environment in &input.listed {
        sort(
            &mut plan,
            environment,
            known.get(&environment.session_id).copied(),
        );
    }
    let limit = policy.orphan_limit(input.listed.len());
    if plan.orphans.len() > limit {
        let orphans = plan.orphans.len();
        let refusal = Refusal::TooManyOrphans {
            orphans,
            limit,
            listed: input.listed.len(),
        };
        return SweepPlan::refused(refusal, input.listed.len());
    }
    plan.recheck.extend(vanished(input));
    order(&mut plan);
    plan
}

/// Looks for what only a wrong or restored database explains.
fn wrong_database(
    input: &SweepInput,
    known: &HashMap<ExamSessionId, &KnownSession>,
) -> Option<Refusal> {
    let install_id = input.install_id;
    if let Some(foreign) = input
        .listed
        .iter()
        .find(|listed| listed.install_id != install_id)
    {
        return Some(Refusal::ForeignInstall {
            install_id,
            found: foreign.install_id,
        });
    }
    if !input.any_session && !input.listed.is_empty() {
        return Some(Refusal::NoSessions {
            listed: input.listed.len(),
        });
    }
    input.listed.iter().find_map(|listed| {
        let row = known.get(&listed.session_id)?;
        (listed.attempt > row.attempt).then_some(Refusal::RowsOlderThanRuntime {
            session_id: listed.session_id,
            known: row.attempt,
            found: listed.attempt,
        })
    })
}

/// Puts one listed environment where it belongs; most are where they should be.
fn sort(plan: &mut SweepPlan, listed: &ListedEnvironment, row: Option<&KnownSession>) {
    let Some(row) = row else {
        return plan.orphans.push(orphan(listed, OrphanCause::NoRow));
    };
    let same_uid = row.runtime_uid.as_ref() == Some(&listed.uid);
    if row.environment_state == EnvironmentState::Gone {
        plan.orphans
            .push(orphan(listed, OrphanCause::ConfirmedGone));
    } else if row.state.is_terminal() {
        // Its destruction is the business of the rows alone: `find_unconfirmed_teardowns`.
    } else if listed.attempt < row.attempt && !same_uid {
        plan.stale.push(Deletion {
            name: listed.name.clone(),
            uid: listed.uid.clone(),
            cause: DeletionCause::StaleAttempt,
        });
    } else if row.runtime_uid.is_some() && !same_uid {
        plan.recheck.push(row.session_id);
    }
}

fn orphan(listed: &ListedEnvironment, cause: OrphanCause) -> Orphan {
    Orphan {
        name: listed.name.clone(),
        uid: listed.uid.clone(),
        cause,
    }
}

/// Live sessions whose recorded environment is not listed. A hint only: it may have been created
/// after the listing.
fn vanished(input: &SweepInput) -> impl Iterator<Item = ExamSessionId> {
    let listed: HashSet<_> = input.listed.iter().map(|listed| &listed.uid).collect();
    input
        .known
        .iter()
        .filter(move |row| {
            !row.state.is_terminal()
                && row.environment_state != EnvironmentState::Gone
                && row
                    .runtime_uid
                    .as_ref()
                    .is_some_and(|uid| !listed.contains(uid))
        })
        .map(|row| row.session_id)
}

/// Sorts the lists, so that equal inputs in any order make equal plans.
fn order(plan: &mut SweepPlan) {
    plan.orphans.sort_by(|left, right| left.uid.cmp(&right.uid));
    plan.stale.sort_by(|left, right| left.uid.cmp(&right.uid));
    plan.recheck.sort_unstable();
    plan.recheck.dedup();
}

#[cfg(test)]
mod tests;
