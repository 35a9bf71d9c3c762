//! How much time there is, by the database's clock.

use chrono::{DateTime, Utc};
use session_lifecycle::SessionState;

use crate::document::{ClockKind, ExamClockStatus};
use crate::row::StatusRow;

/// Milliseconds from `now` to `end`, never negative.
fn until(end: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (end - now).num_milliseconds().max(0)
}

/// The moment the session's time is over at the latest.
fn end(row: &StatusRow) -> DateTime<Utc> {
    row.ends_at
        .map_or(row.absolute_end, |ends_at| ends_at.min(row.absolute_end))
}

/// Time left; `None` until the clock has started and after the end.
pub(crate) fn remaining_ms(
    row: &StatusRow,
    state: SessionState,
    now: DateTime<Utc>,
) -> Option<i64> {
    let started = row.ends_at.is_some() && !state.is_terminal();
    started.then(|| until(end(row), now))
}

/// Startup budget left; `None` once the session is ready or has ended.
pub(crate) fn startup_remaining_ms(
    row: &StatusRow,
    state: SessionState,
    now: DateTime<Utc>,
) -> Option<i64> {
    let preparing = matches!(state, SessionState::Created | SessionState::Initializing);
    preparing.then(|| until(row.ready_by, now))
}

/// Whether a terminal may be opened: an attachable state, and time that is not over even if no
/// sweep has said so yet.
pub(crate) fn can_attach(row: &StatusRow, state: SessionState, now: DateTime<Utc>) -> bool {
    state.is_attachable() && now < end(row)
}

/// Says which clock the session has. Only a clock that starts with the attach has a duration.
pub(crate) fn exam_clock(row: &StatusRow) -> ExamClockStatus {
    let starts_at_attach = row.duration_ms.is_some();
    ExamClockStatus {
        kind: if starts_at_attach {
            ClockKind::FromFirstAttach
        } else {
            ClockKind::Window
        },
        duration_ms: row.duration_ms,
        starts_at_attach,
    }
}
