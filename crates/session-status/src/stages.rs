//! The four steps of the preparation, from timestamps alone.

use chrono::{DateTime, Utc};

use crate::document::{Stage, StageName, StageState};
use crate::row::StatusRow;

/// What each step usually takes, as the page says it: an idle worker claims in milliseconds, an
/// engine creates in a second or two, the isolation check is bounded by its probes. Together they
/// stay under the six seconds the candidate is told.
const USUAL_MS: [Option<i64>; 4] = [Some(1000), Some(3000), Some(2000), None];

const NAMES: [StageName; 4] = [
    StageName::Waiting,
    StageName::Creating,
    StageName::Isolating,
    StageName::Ready,
];

type Moment = Option<DateTime<Utc>>;

/// Derives the four steps.
///
/// A step that is under way when the session ends is cut short: it shows `failed` with the
/// session's end. With a new attempt, creating begins anew.
pub(crate) fn stages(row: &StatusRow) -> Vec<Stage> {
    let spans = spans(row);
    NAMES
        .into_iter()
        .zip(USUAL_MS)
        .zip(spans)
        .map(|((name, usual_ms), (started_at, finished_at))| {
            let ended_at = finished_at.or(row.ended_at.filter(|_| started_at.is_some()));
            let state = match (started_at, finished_at, row.ended_at) {
                (None, _, _) => StageState::Pending,
                (Some(_), Some(_), _) => StageState::Done,
                (Some(_), None, None) => StageState::Active,
                (Some(_), None, Some(_)) => StageState::Failed,
            };
            Stage {
                name,
                state,
                started_at,
                ended_at,
                usual_ms,
            }
        })
        .collect()
}

/// Begin and end of each step. A step begins only when the one before it is done, and what lies
/// before a finished step is finished, so the four read in order whatever is missing between.
fn spans(row: &StatusRow) -> [(Moment, Moment); 4] {
    let claimed = row.initializing_at.or(row.ready_at);
    let creating = claimed.map(|claimed| row.creating_at.map_or(claimed, |at| at.max(claimed)));
    let created = row
        .created_in_runtime_at
        .filter(|_| claimed.is_some())
        .or(row.ready_at);
    [
        (Some(row.created_at), claimed),
        (creating, created),
        (created, row.ready_at),
        (row.ready_at, row.ready_at),
    ]
}
