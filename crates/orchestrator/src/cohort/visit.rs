//! Going from session to session, and what became of each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::{ExamSessionId, UserId};
use session_lifecycle::{SessionRecord, SessionState};
use sqlx::{PgConnection, PgPool};

use super::{CohortError, Consent};
use crate::StepError;

/// What became of one session, or would in a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CohortOutcome {
    /// It got the time.
    Granted {
        /// The deadline before.
        previous_end: DateTime<Utc>,
        /// The deadline after.
        new_end: DateTime<Utc>,
    },
    /// It got what its cap left of the time.
    Capped {
        /// The deadline before.
        previous_end: DateTime<Utc>,
        /// The deadline after: the cap, less a part of a second.
        new_end: DateTime<Utc>,
    },
    /// It had the time already, by the same key.
    AlreadyGranted {
        /// The deadline that the key moved it to.
        new_end: DateTime<Utc>,
    },
    /// The platform owes it nothing, or gave it back already.
    NothingOwed,
    /// Its end was asked for.
    Requested,
    /// Its end was asked for before and waits for a worker.
    AlreadyRequested,
    /// It ended since the cohort was looked at.
    AlreadyEnded {
        /// How.
        state: SessionState,
    },
    /// The rules say no.
    Refused {
        /// The stable code of the refusal, such as `session.no_deadline_yet`.
        code: &'static str,
        /// The refusal in words.
        reason: String,
    },
}

impl CohortOutcome {
    /// Tells whether the session has all that was asked for.
    pub fn is_as_asked(&self) -> bool {
        !matches!(self, Self::Capped { .. } | Self::Refused { .. })
    }
}

/// One session of the cohort, after its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CohortVisit {
    /// The session.
    pub session_id: ExamSessionId,
    /// Its candidate.
    pub user_id: UserId,
    /// Its state when the cohort was looked at.
    pub state: SessionState,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: CohortOutcome,
    /// How many sessions the cohort has.
    #[serde(skip)]
    pub matched: usize,
}

/// What became of a cohort, as far as it was visited.
#[derive(Debug, Clone, Default)]
pub struct CohortReport {
    visits: Vec<CohortVisit>,
}

impl CohortReport {
    /// Adds a visit, in the order of visits.
    pub fn note(&mut self, visit: CohortVisit) {
        self.visits.push(visit);
    }

    /// Returns every visit, newest session first.
    pub fn visits(&self) -> &[CohortVisit] {
        &self.visits
    }

    /// Returns how many sessions the cohort has; 0 before the first visit.
    pub fn matched(&self) -> usize {
        self.visits.first().map_or(0, |visit| visit.matched)
    }

    /// Counts the sessions that were not come to.
    pub fn left(&self) -> usize {
        self.matched() - self.visits.len()
    }

    /// Counts the outcomes of one sort.
    pub fn count(&self, sort: impl Fn(&CohortOutcome) -> bool) -> usize {
        let outcomes = self.visits.iter().map(|visit| &visit.outcome);
        outcomes.filter(|outcome| sort(outcome)).count()
    }

    /// Counts the refusals by their codes.
    pub fn refused(&self) -> BTreeMap<&'static str, usize> {
        let mut refused = BTreeMap::new();
        for visit in &self.visits {
            if let CohortOutcome::Refused { code, .. } = visit.outcome {
                *refused.entry(code).or_default() += 1;
            }
        }
        refused
    }
}

/// Visits each session in a transaction of its own, and tells of it once that has ended.
///
/// Dropping the future leaves the session at hand as it was or as its commit made it.
///
/// # Errors
/// [`CohortError::Other`] at the first step that fails.
pub(super) async fn visit_each(
    pool: &PgPool,
    members: Vec<SessionRecord>,
    consent: Consent,
    act: impl AsyncFn(&mut PgConnection, &SessionRecord) -> Result<CohortOutcome, StepError>,
    mut tell: impl FnMut(CohortVisit),
) -> Result<(), CohortError> {
    let matched = members.len();
    for member in members {
        let mut transaction = pool.begin().await?;
        let outcome = act(&mut transaction, &member).await?;
        match consent {
            Consent::Sessions(_) => transaction.commit().await?,
            Consent::Rehearsal => transaction.rollback().await?,
        }
        tell(CohortVisit {
            session_id: member.id,
            user_id: member.user_id,
            state: member.state,
            outcome,
            matched,
        });
    }
    Ok(())
}
