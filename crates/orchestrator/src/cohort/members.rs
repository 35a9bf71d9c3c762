//! Who belongs to a cohort.

use session_lifecycle::{SessionFilter, SessionRecord, SessionState, list_sessions};
use sqlx::PgConnection;

use super::{Cohort, CohortError, Consent};
use crate::request::find_exam;

/// Sessions read at once: a statement stays short however large the exam is.
const PAGE: i64 = 100;

/// Finds every live session of the exam, newest first. Whoever is requested after the first page
/// was read does not belong to it.
///
/// # Errors
/// [`CohortError::Exam`] and [`CohortError::CountDiffers`].
pub(super) async fn find(
    conn: &mut PgConnection,
    cohort: &Cohort,
    consent: Consent,
) -> Result<Vec<SessionRecord>, CohortError> {
    find_exam(conn, &cohort.exam_name, cohort.exam_version).await?;
    let mut filter = SessionFilter {
        exam_name: Some(cohort.exam_name.clone()),
        states: SessionState::LIVE.to_vec(),
        ..SessionFilter::default()
    };
    let mut members = Vec::new();
    loop {
        let page = list_sessions(conn, &filter, PAGE).await?;
        let is_full = i64::try_from(page.len()).is_ok_and(|length| length >= PAGE);
        filter.before = page.last().map(|session| session.id);
        members.extend(page.into_iter().filter(|session| cohort.holds(session)));
        if !is_full {
            break;
        }
    }
    match consent {
        Consent::Sessions(agreed) if agreed != members.len() => Err(CohortError::CountDiffers {
            agreed,
            found: members.len(),
        }),
        Consent::Sessions(_) | Consent::Rehearsal => Ok(members),
    }
}

impl Cohort {
    fn holds(&self, session: &SessionRecord) -> bool {
        let version = self.exam_version;
        version.is_none_or(|version| version == session.exam_version)
    }
}
