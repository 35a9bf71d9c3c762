//! More time for a cohort.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{
    ExtendError, Extended, Extension, ExtensionRecord, SessionRecord, check_extension, extend,
    extensions,
};
use sqlx::{PgConnection, PgPool};
use tracing::Instrument as _;

use super::visit::visit_each;
use super::{Cohort, CohortError, CohortOutcome, CohortVisit, Consent, members};
use crate::StepError;
use crate::compensate::check_key;

/// Asks for more time for every live session of an exam.
#[derive(Debug, Clone)]
pub struct CohortExtension {
    /// Whose.
    pub cohort: Cohort,
    /// How much more; whole seconds, at least one.
    pub by: Duration,
    /// Who grants it.
    pub actor: Actor,
    /// Why; must say something.
    pub reason: String,
    /// The same key gives nobody the time twice. At most 218 characters: each session's own key is
    /// `<key>:<session id>`.
    pub key: String,
}

impl CohortExtension {
    fn of(&self, session_id: ExamSessionId) -> Extension {
        Extension {
            session_id,
            by: self.by,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            idempotency_key: format!("{}:{session_id}", self.key),
        }
    }
}

/// Moves the deadline of every live session of an exam, once per key. A session whose cap leaves less
/// than was asked for gets what is left; one that is refused does not stop the others.
///
/// `tell` hears of each session once its transaction has ended. Dropping the future or an error
/// leaves the rest untouched, and the same request goes on there.
///
/// # Errors
/// [`CohortError`]; but for [`CohortError::Other`] nothing was written.
pub async fn extend_cohort(
    pool: &PgPool,
    extension: &CohortExtension,
    consent: Consent,
    tell: impl FnMut(CohortVisit),
) -> Result<(), CohortError> {
    let sample = extension.of(ExamSessionId::generate());
    check_extension(&sample).map_err(CohortError::Invalid)?;
    check_key(&sample.idempotency_key).map_err(CohortError::Invalid)?;
    let mut connection = pool.acquire().await?;
    let members = members::find(&mut connection, &extension.cohort, consent).await?;
    for member in &members {
        refuse_another_use(&mut connection, extension, member).await?;
    }
    drop(connection);
    let act = async |conn: &mut PgConnection, member: &SessionRecord| {
        grant(conn, &extension.of(member.id), member.absolute_end).await
    };
    let visits = visit_each(pool, members, consent, act, tell);
    if consent == Consent::Rehearsal {
        // The log tells of extensions that are rolled back.
        return visits.instrument(tracing::info_span!("rehearsal")).await;
    }
    visits.await
}

/// Refuses a key that stands for another time or reason before anybody gets this one: who came after
/// the other would get it now, and everybody again by the key that must follow.
async fn refuse_another_use(
    conn: &mut PgConnection,
    extension: &CohortExtension,
    member: &SessionRecord,
) -> Result<(), CohortError> {
    let asked = extension.of(member.id);
    match find_known(conn, &asked).await? {
        Some(known) if !is_same(&known, &asked, member.absolute_end) => {
            Err(CohortError::KeyReused {
                session_id: member.id,
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// Moves one deadline, by what its cap leaves if that is less.
///
/// # Errors
/// Errors of the database. A refusal is an outcome.
pub(crate) async fn grant(
    conn: &mut PgConnection,
    asked: &Extension,
    cap: DateTime<Utc>,
) -> Result<CohortOutcome, StepError> {
    match extend(conn, asked).await {
        Ok(extended) => Ok(granted(&extended)),
        Err(ExtendError::Load(error)) => Err(error.into()),
        Err(refusal @ ExtendError::KeyReused { .. }) => {
            let known = find_known(conn, asked).await?;
            Ok(match known.filter(|known| is_same(known, asked, cap)) {
                Some(known) => CohortOutcome::AlreadyGranted {
                    new_end: known.new_end,
                },
                None => refused(&refusal),
            })
        }
        Err(refusal @ ExtendError::BeyondCap { requested, .. }) => {
            grant_what_is_left(conn, asked, cap - (requested - delta(asked.by)), &refusal).await
        }
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// Moves the deadline to the cap. The refusal left the row locked: what was left then is left now.
async fn grant_what_is_left(
    conn: &mut PgConnection,
    asked: &Extension,
    left: TimeDelta,
    refusal: &ExtendError,
) -> Result<CohortOutcome, StepError> {
    // Extensions are whole seconds.
    let seconds = u64::try_from(left.num_seconds()).unwrap_or(0);
    if seconds == 0 {
        return Ok(refused(refusal));
    }
    let less = Extension {
        by: Duration::from_secs(seconds),
        ..asked.clone()
    };
    match extend(conn, &less).await {
        Ok(Extended { extension, .. }) => Ok(CohortOutcome::Capped {
            previous_end: extension.previous_end,
            new_end: extension.new_end,
        }),
        Err(ExtendError::Load(error)) => Err(error.into()),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

async fn find_known(
    conn: &mut PgConnection,
    asked: &Extension,
) -> Result<Option<ExtensionRecord>, StepError> {
    let known = extensions(conn, asked.session_id).await?;
    let mut known = known.into_iter();
    Ok(known.find(|known| known.idempotency_key == asked.idempotency_key))
}

/// Tells whether an extension is what is asked for, in full or as far as the cap let it.
fn is_same(known: &ExtensionRecord, asked: &Extension, cap: DateTime<Utc>) -> bool {
    let by = TimeDelta::seconds(known.by_seconds.into());
    let at_cap = by < delta(asked.by) && cap - known.new_end < TimeDelta::seconds(1);
    known.reason == asked.reason && (by == delta(asked.by) || at_cap)
}

/// A length that [`check_extension`] has found to be seconds of 31 bits.
fn delta(by: Duration) -> TimeDelta {
    TimeDelta::seconds(i64::try_from(by.as_secs()).unwrap_or(i64::from(i32::MAX)))
}

fn granted(extended: &Extended) -> CohortOutcome {
    let ExtensionRecord {
        previous_end,
        new_end,
        ..
    } = extended.extension;
    if extended.already {
        return CohortOutcome::AlreadyGranted { new_end };
    }
    CohortOutcome::Granted {
        previous_end,
        new_end,
    }
}

fn refused(refusal: &ExtendError) -> CohortOutcome {
    CohortOutcome::Refused {
        code: refusal.code(),
        reason: refusal.to_string(),
    }
}
