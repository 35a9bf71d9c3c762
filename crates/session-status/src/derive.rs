//! From the row to the document: a pure function of the row and the clock.

use chrono::{DateTime, Utc};
use failure_classification::reference;

use crate::clock::{can_attach, exam_clock, remaining_ms, startup_remaining_ms};
use crate::document::{EndedBy, EnvironmentStatus, ExamStatus, ExtensionStatus, StatusDocument};
use crate::error::StatusError;
use crate::reason::{by, ending, reason};
use crate::row::StatusRow;
use crate::stages::stages;

/// Derives the document that is true of `row` at `now`.
pub(crate) fn document(row: &StatusRow, now: DateTime<Utc>) -> Result<StatusDocument, StatusError> {
    let state = row.session_state()?;
    Ok(StatusDocument {
        session_id: row.id,
        user_id: row.user()?,
        environment_id: row.environment_id,
        exam: ExamStatus {
            name: row.exam_name.clone(),
            title: row.exam_title.clone(),
            version: row.exam_version,
        },
        state,
        // Both grow only, so their sum grows with every change of either.
        revision: row.version + row.environment_version,
        stages: stages(row),
        attempt: row.attempt,
        reason: reason(row, state),
        ending: ending(row)?,
        reference: reference(row.id.as_uuid()),
        clock: exam_clock(row),
        created_at: row.created_at,
        ready_by: row.ready_by,
        ready_at: row.ready_at,
        running_at: row.running_at,
        ended_at: row.ended_at,
        ends_at: row.ends_at,
        absolute_end: row.absolute_end,
        remaining_ms: remaining_ms(row, state, now),
        startup_remaining_ms: startup_remaining_ms(row, state, now),
        server_time: now,
        can_attach: can_attach(row, state, now),
        can_end: !state.is_terminal(),
        extended_ms: row.extended_seconds * 1000,
        last_extension: last_extension(row),
        environment: EnvironmentStatus {
            state: row.environment_state,
            gone_at: row.gone_at,
        },
    })
}

fn last_extension(row: &StatusRow) -> Option<ExtensionStatus> {
    Some(ExtensionStatus {
        by_ms: i64::from(row.last_extension_seconds?) * 1000,
        by: row
            .last_extension_actor
            .as_deref()
            .and_then(by)
            .unwrap_or(EndedBy::System),
        at: row.last_extension_at?,
    })
}

#[cfg(test)]
pub(crate) mod tests;
