//! Why: in words a candidate can read.

use failure_classification::{Attribution, FailureCode, Phase, Signal, classify, reference, rule};
use serde_json::Value;
use session_lifecycle::{EndingKind, SessionState};

use crate::document::{EndedBy, EndingStatus, ReasonStatus};
use crate::error::StatusError;
use crate::row::StatusRow;

/// Says why the session failed, or what keeps it from being ready.
pub(crate) fn reason(row: &StatusRow, state: SessionState) -> Option<ReasonStatus> {
    match state {
        SessionState::Failed => Some(failure(row)),
        SessionState::Created | SessionState::Initializing => row
            .last_signal
            .as_ref()
            .and_then(|signal| obstacle(row, signal)),
        SessionState::Ready | SessionState::Running | SessionState::Terminated => None,
    }
}

/// A code that this build does not know was written by a newer one: the page still says that
/// something failed, and staff still read the stored code.
fn failure(row: &StatusRow) -> ReasonStatus {
    let code = row
        .failure_code
        .as_deref()
        .and_then(|code| code.parse().ok())
        .unwrap_or(FailureCode::InfraUnclassified);
    let rule = rule(code);
    explain(row, code, rule.attribution, rule.candidate_text)
}

/// What was last seen, if it is something that is waited out or retried. Anything else is either
/// about to fail the session or not the candidate's concern.
fn obstacle(row: &StatusRow, seen: &Value) -> Option<ReasonStatus> {
    let signal = seen.get("signal").unwrap_or(seen);
    let (code, attribution) = if let Ok(signal) = serde_json::from_value::<Signal>(signal.clone()) {
        let verdict = classify(&signal, Phase::BeforeReady);
        (verdict.code(), verdict.attribution)
    } else {
        let code: FailureCode = seen.get("code")?.as_str()?.parse().ok()?;
        (code, rule(code).attribution)
    };
    Some(explain(row, code, attribution, rule(code).waiting_text?))
}

fn explain(
    row: &StatusRow,
    code: FailureCode,
    attribution: Attribution,
    text: &str,
) -> ReasonStatus {
    ReasonStatus {
        class: code.class(),
        code,
        text: text.to_owned(),
        reference: reference(row.id.as_uuid()),
        attribution,
    }
}

/// Says how the session ended, if it ended without failing.
pub(crate) fn ending(row: &StatusRow) -> Result<Option<EndingStatus>, StatusError> {
    let (Some(kind), Some(at)) = (row.ending()?, row.ended_at) else {
        return Ok(None);
    };
    Ok(Some(EndingStatus {
        kind,
        text: ending_text(kind).to_owned(),
        at,
        by: row.ending_actor.as_deref().and_then(by),
    }))
}

fn ending_text(kind: EndingKind) -> &'static str {
    match kind {
        EndingKind::Completed => "Your exam is complete.",
        EndingKind::TimeExpired => "Time is up.",
        EndingKind::CandidateEnded => "You ended this exam.",
        EndingKind::OperatorEnded => "Staff ended this exam.",
        EndingKind::NoShow => "The time for this exam ran out before it was started.",
    }
}

/// Reads the role of a stored actor and leaves the name out.
pub(crate) fn by(actor: &str) -> Option<EndedBy> {
    match actor.split_once(':')?.0 {
        "staff" => Some(EndedBy::Staff),
        "candidate" => Some(EndedBy::Candidate),
        "service" | "system" => Some(EndedBy::System),
        _ => None,
    }
}
