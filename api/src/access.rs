//! May this principal do this with that session?

use environment_access::{
    AccessEntry, Action, Decision, Denial, SessionFacts, append_access, authorize, load_facts,
};
use session_identity::{ExamSessionId, Principal, Role};
use sqlx::PgConnection;

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

/// Admits or denies, and keeps the true reason in the access log.
///
/// Missing and foreign sessions take the same path: one read, one entry, one answer. Reads that are
/// allowed leave no entry, since a page reads every few seconds; everything else does.
pub(crate) async fn admit(
    conn: &mut PgConnection,
    principal: &Principal,
    session_id: ExamSessionId,
    action: Action,
) -> Result<(), ApiError> {
    let facts = load_facts(conn, session_id).await?;
    let decision = authorize(facts.as_ref(), principal, action);
    if decision.is_allowed() && action == Action::View {
        return Ok(());
    }
    log(conn, principal, session_id, action, &decision).await?;
    match decision {
        Decision::Allowed => Ok(()),
        Decision::Denied(denial) => Err(told(&denial, facts.as_ref())),
    }
}

async fn log(
    conn: &mut PgConnection,
    principal: &Principal,
    session_id: ExamSessionId,
    action: Action,
    decision: &Decision,
) -> Result<(), sqlx::Error> {
    let entry = AccessEntry {
        session_id,
        user_id: &principal.user_id,
        role: principal.role,
        action,
        decision,
        detail: None,
        epoch: None,
    };
    append_access(conn, &entry).await
}

fn told(denial: &Denial, facts: Option<&SessionFacts>) -> ApiError {
    let answer = denial.public();
    match (answer.code(), facts) {
        ("session.ended", Some(facts)) => {
            let detail = format!("{} (it is {})", answer.message(), facts.state);
            ApiError::new(ProblemCode::SessionEnded, detail)
        }
        _ => not_available(),
    }
}

/// Makes the one answer for missing, foreign and unavailable sessions.
pub(crate) fn not_available() -> ApiError {
    ApiError::new(
        ProblemCode::SessionNotAvailable,
        "There is no such session for you.",
    )
}

/// Refuses roles that never do this, whatever the session.
pub(crate) fn require_role(principal: &Principal, roles: &[Role]) -> Result<(), ApiError> {
    if roles.contains(&principal.role) {
        return Ok(());
    }
    let wanted: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    let detail = format!("the role {} may not do this", principal.role.as_str());
    Err(
        ApiError::new(ProblemCode::RoleNotPermitted, detail).next(format!(
            "ask with a login whose role is {}",
            wanted.join(" or ")
        )),
    )
}
