//! Admitting an attach, and what it says on the wire.

use std::time::{Duration, Instant};

use environment_access::wire::{CloseCode, Hello};
use environment_access::{
    AccessEntry, Action, Decision, Denial, DenialCode, PublicAnswer, TicketDenial, TurnedAway,
    append_access, current_epochs,
};
use orchestrator::{Admitted, AttachAttempt, AttachRefusal, admit_attach};
use session_identity::ExamSessionId;
use session_recording::SpoolState;
use telemetry::TraceParent;

use crate::caller::Caller;
use crate::state::GatewayState;

/// The cut-off of an attach whose row was not read yet: a little more than that read may take.
pub(crate) const FIRST_CUT_OFF: Duration = Duration::from_secs(10);
/// How long that read may take.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Admits an attach, or says with which code the connection ends.
pub(crate) async fn admit(
    state: &GatewayState,
    session_id: ExamSessionId,
    caller: &Caller,
    hello: &Hello,
) -> Result<Admitted, CloseCode> {
    let attempt = AttachAttempt {
        session_id,
        principal: caller.login.principal.clone(),
        origin: caller.origin.to_string(),
        ticket: hello.ticket.clone(),
        page: hello.page,
        held: hello.attach,
        process_id: state.process_id,
        can_record: can_record(state),
        trace: Some(TraceParent::new_root().to_string()),
    };
    match admit_attach(&state.pool, &attempt).await {
        Ok(admitted) => {
            if admitted.first {
                // Without it the activation waits for a worker's next look, a second at most.
                state.waker.wake();
            }
            Ok(admitted)
        }
        Err(refusal) => {
            tracing::info!(session.id = %session_id, reason = %refusal, "attach refused");
            if let AttachRefusal::Ticket(denial) = &refusal {
                log_ticket(state, &attempt, *denial).await;
            }
            if matches!(refusal, AttachRefusal::NotUp) {
                let user = &attempt.principal.user_id;
                let why = TurnedAway::NotUp;
                state.evidence.turned_away(session_id, user, why);
            }
            Err(close_code(&refusal))
        }
    }
}

/// Whether there is room for one more terminal that must be recorded.
pub(crate) fn can_record(state: &GatewayState) -> bool {
    let recorder = state.recorder.as_ref();
    recorder.is_some_and(|recorder| recorder.health().state() == SpoolState::Well)
}

/// Reads the authority of an attach that has just been listed.
///
/// Only from now on do notifications find it, so what was said before is read here. An attach
/// whose authority cannot be read does not begin.
pub(crate) async fn read_authority(
    state: &GatewayState,
    session_id: ExamSessionId,
) -> Result<(), CloseCode> {
    let reading = async {
        let mut conn = state.pool.acquire().await?;
        let asked_at = Instant::now();
        let read = current_epochs(&mut conn, &[session_id]).await?;
        Ok::<_, sqlx::Error>((read, asked_at))
    };
    let (read, asked_at) = match tokio::time::timeout(READ_WITHIN, reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return Err(unread(session_id, &error)),
        Err(late) => return Err(unread(session_id, &late)),
    };
    if let (Some(authority), Some(attached)) = (read.first(), state.registry.get(session_id)) {
        attached.obey(authority, asked_at);
    }
    Ok(())
}

fn unread(session_id: ExamSessionId, error: &dyn std::fmt::Display) -> CloseCode {
    tracing::error!(session.id = %session_id, %error, "the authority of an attach was not read");
    CloseCode::Internal
}

/// A ticket that was refused rolled its transaction back, and the log with it.
async fn log_ticket(state: &GatewayState, attempt: &AttachAttempt, denial: TicketDenial) {
    let decision = Decision::Denied(Denial {
        code: DenialCode::Denied,
        detail: denial.as_str(),
    });
    let entry = AccessEntry {
        session_id: attempt.session_id,
        user_id: &attempt.principal.user_id,
        role: attempt.principal.role,
        action: Action::Attach,
        decision: &decision,
        detail: None,
        epoch: None,
    };
    let logging = async {
        let mut conn = state.pool.acquire().await?;
        append_access(&mut conn, &entry).await
    };
    if let Err(error) = logging.await {
        tracing::warn!(%error, "a refused ticket was not written to the access log");
    }
}

fn close_code(refusal: &AttachRefusal) -> CloseCode {
    match refusal {
        AttachRefusal::Ticket(_) => CloseCode::Ticket,
        AttachRefusal::Denied(denial) => match denial.public() {
            PublicAnswer::NotAvailable => CloseCode::NotAvailable,
            PublicAnswer::Ended => CloseCode::SessionEnded,
        },
        AttachRefusal::Superseded => CloseCode::Superseded,
        AttachRefusal::NotUp => CloseCode::EnvironmentNotReady,
        AttachRefusal::NotRecordable => CloseCode::Overloaded,
        AttachRefusal::Other(error) => {
            tracing::error!(error = %error.chain(), "an attach failed");
            CloseCode::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_code_and_the_uniform_ones_share_one() {
        let denied = |code| close_code(&AttachRefusal::Denied(Denial { code, detail: "" }));
        assert_eq!(denied(DenialCode::Denied), CloseCode::NotAvailable);
        assert_eq!(denied(DenialCode::NotReady), CloseCode::NotAvailable);
        assert_eq!(denied(DenialCode::Ended), CloseCode::SessionEnded);
        for denial in [
            TicketDenial::Used,
            TicketDenial::Expired,
            TicketDenial::OtherOrigin,
        ] {
            assert_eq!(
                close_code(&AttachRefusal::Ticket(denial)),
                CloseCode::Ticket
            );
        }
        assert_eq!(
            close_code(&AttachRefusal::NotUp),
            CloseCode::EnvironmentNotReady
        );
        assert_eq!(
            close_code(&AttachRefusal::Superseded),
            CloseCode::Superseded
        );
        let lost = AttachRefusal::from(sqlx::Error::PoolTimedOut);
        assert_eq!(close_code(&lost), CloseCode::Internal);
    }
}
