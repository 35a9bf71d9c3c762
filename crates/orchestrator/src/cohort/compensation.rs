//! Time given back to a cohort.

use session_lifecycle::SessionRecord;
use sqlx::{PgConnection, PgPool};
use tracing::Instrument as _;

use super::visit::visit_each;
use super::{Cohort, CohortError, CohortVisit, Consent, members};
use crate::Compensation;
use crate::compensate::compensate;

/// Gives every live session of an exam back what the platform took from it.
#[derive(Debug, Clone)]
pub struct CohortCompensation {
    /// Whose.
    pub cohort: Cohort,
    /// Who gives it, and why.
    pub compensation: Compensation,
}

/// Gives each its own time, once however often it is asked: what a session was given back before is not
/// owed any more.
///
/// `tell` hears of each session once its transaction has ended. Dropping the future or an error
/// leaves the rest untouched, and the same request goes on there.
///
/// # Errors
/// [`CohortError`]; but for [`CohortError::Other`] nothing was written.
pub async fn compensate_cohort(
    pool: &PgPool,
    asked: &CohortCompensation,
    consent: Consent,
    tell: impl FnMut(CohortVisit),
) -> Result<(), CohortError> {
    let mut connection = pool.acquire().await?;
    let members = members::find(&mut connection, &asked.cohort, consent).await?;
    drop(connection);
    let act = async |conn: &mut PgConnection, member: &SessionRecord| {
        compensate(conn, member.id, &asked.compensation).await
    };
    let visits = visit_each(pool, members, consent, act, tell);
    if consent == Consent::Rehearsal {
        // The log tells of extensions that are rolled back.
        return visits.instrument(tracing::info_span!("rehearsal")).await;
    }
    visits.await
}
