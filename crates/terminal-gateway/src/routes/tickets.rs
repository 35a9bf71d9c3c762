//! `POST /v1/sessions/{session_id}/terminal-tickets`.
//!
//! A script cannot read why a WebSocket was refused. So the same checks are made here first,
//! where each has a status and a code.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use environment_access::{
    AccessEntry, Action, Decision, IssuedTicket, TicketError, TicketGrant, append_access,
    authorize, issue_ticket, load_facts,
};
use secrecy::ExposeSecret;
use serde_json::json;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::caller::{Caller, session_id};
use crate::problem::Problem;
use crate::state::GatewayState;

/// Issues a ticket to the owner of an open session.
pub(super) async fn issue(
    request: HttpRequest,
    state: web::Data<GatewayState>,
) -> Result<HttpResponse, Problem> {
    if state.draining.is_cancelled() {
        return Err(Problem::Busy);
    }
    let caller = Caller::of(&request, &state).await?;
    let session_id = session_id(&request)?;
    let mut tx = state.pool.begin().await?;
    let issued = decide_and_issue(&mut tx, session_id, &caller).await;
    // Committed either way: a denial stands in the access log too.
    tx.commit().await?;
    let ticket = issued?;
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({
            "ticket": ticket.secret.expose_secret(),
            "expires_in_ms": u64::try_from(ticket.expires_in.as_millis()).unwrap_or(u64::MAX),
        })))
}

async fn decide_and_issue(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    caller: &Caller,
) -> Result<IssuedTicket, Problem> {
    let principal = &caller.login.principal;
    let facts = load_facts(conn, session_id).await?;
    let decision = authorize(facts.as_ref(), principal, Action::IssueTicket);
    let entry = AccessEntry {
        session_id,
        user_id: &principal.user_id,
        role: principal.role,
        action: Action::IssueTicket,
        decision: &decision,
        detail: None,
        epoch: None,
    };
    append_access(conn, &entry).await?;
    if let Decision::Denied(denial) = decision {
        return Err(Problem::Denied(denial));
    }
    let grant = TicketGrant {
        session_id,
        user_id: principal.user_id.clone(),
        login_id: principal.login_id.clone(),
        origin: caller.origin.to_string(),
    };
    issue_ticket(conn, &grant)
        .await
        .map_err(|error| match error {
            TicketError::TooMany { retry_after } => Problem::TooManyTickets { retry_after },
            TicketError::Database(error) => Problem::Database(error),
        })
}
