//! Admitting a terminal: ticket, decision, epoch and first activation in one transaction.

use environment_access::{
    AccessEntry, Action, Decision, Denial, DenialCode, Redeem, RedeemError, TicketDenial,
    append_access, authorize, begin_reading, has_other_page_since, load_facts, redeem_ticket,
    take_epoch,
};
use execution_environment::{
    EnvironmentState, Recording, RuntimeName, RuntimeUid, load_environment, load_exam,
};
use job_queue::enqueue;
use secrecy::SecretString;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, Principal, TerminalProcessId};
use session_lifecycle::{SessionRecord, SessionState, lock_session};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{ActivateSession, StepError, follow_up::signed};

/// Somebody wants a terminal.
#[derive(Debug)]
pub struct AttachAttempt {
    /// Which session.
    pub session_id: ExamSessionId,
    /// Who, by their login.
    pub principal: Principal,
    /// The page's origin.
    pub origin: String,
    /// The ticket from their first frame.
    pub ticket: SecretString,
    /// Which page asks, if it says.
    pub page: Option<Uuid>,
    /// The attach it held, when it comes back by itself. `None` takes the terminal over.
    pub held: Option<i64>,
    /// The terminal process that asks.
    pub process_id: TerminalProcessId,
    /// Whether that process can record a terminal that must be recorded.
    pub can_record: bool,
    /// The W3C trace of the connection.
    pub trace: Option<String>,
}

/// They may have it.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The fencing token of this attach: every older one is superseded from now on.
    pub epoch: i64,
    /// Which environment.
    pub environment_id: ExecutionEnvironmentId,
    /// Its name in the runtime.
    pub name: RuntimeName,
    /// Its uid in the runtime.
    pub uid: RuntimeUid,
    /// Whether this attach starts the exam's clock.
    pub first: bool,
    /// What the exam wants kept of the terminal.
    pub recording: WantedRecording,
}

/// What the definition of a session's exam wants kept of its terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedRecording {
    /// Whether, and what comes first when it fails.
    pub recording: Recording,
    /// Whether what is typed is kept too.
    pub record_input: bool,
}

/// They may not. The caller tells them no more than the public answer of the denial.
#[derive(Debug, thiserror::Error)]
pub enum AttachRefusal {
    /// The ticket is no good.
    #[error("admit a terminal: the ticket is not good")]
    Ticket(TicketDenial),
    /// The session is not theirs, not ready or over.
    #[error("admit a terminal: {}", .0.detail)]
    Denied(Denial),
    /// It came back by itself, and another page has attached since it last held the terminal.
    #[error("admit a terminal: another page has attached since")]
    Superseded,
    /// The session may be attached to, yet its environment is not there.
    #[error("admit a terminal: the environment is not up")]
    NotUp,
    /// The exam must be recorded, and the process that asks cannot.
    #[error("admit a terminal: it must be recorded, and nothing can be")]
    NotRecordable,
    /// A step below failed.
    #[error(transparent)]
    Other(StepError),
}

impl<E: Into<StepError>> From<E> for AttachRefusal {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Uses up the ticket, decides, takes the next epoch and, at the first attach, enqueues the
/// activation: all of it or nothing. Denials are written to the access log.
///
/// Whoever comes back by itself keeps the terminal of no other page: what was typed there since would
/// be parted by what still waits here, and nobody asked for it. A person who does takes it over.
///
/// The caller wakes the workers when [`Admitted::first`] is set.
///
/// # Errors
/// [`AttachRefusal`]; no epoch was taken then.
pub async fn admit_attach(
    pool: &PgPool,
    attempt: &AttachAttempt,
) -> Result<Admitted, AttachRefusal> {
    let mut transaction = pool.begin().await?;
    match admit(&mut transaction, attempt).await {
        Ok(admitted) => {
            log(
                &mut transaction,
                attempt,
                &Decision::Allowed,
                Some(admitted.epoch),
            )
            .await?;
            transaction.commit().await?;
            Ok(admitted)
        }
        Err(refusal) => {
            if let Some(denial) = denial_of(&refusal) {
                // The ticket stays used: it was good, only the session was not.
                let decision = Decision::Denied(denial);
                log(&mut transaction, attempt, &decision, None).await?;
                transaction.commit().await?;
            }
            Err(refusal)
        }
    }
}

/// What the access log says of a refusal; `None` where nothing of the attempt stays.
fn denial_of(refusal: &AttachRefusal) -> Option<Denial> {
    match refusal {
        AttachRefusal::Denied(denial) => Some(denial.clone()),
        AttachRefusal::Superseded => Some(Denial {
            code: DenialCode::InUse,
            detail: "another page has attached since this one held the terminal",
        }),
        AttachRefusal::Ticket(_)
        | AttachRefusal::NotUp
        | AttachRefusal::NotRecordable
        | AttachRefusal::Other(_) => None,
    }
}

async fn admit(
    conn: &mut PgConnection,
    attempt: &AttachAttempt,
) -> Result<Admitted, AttachRefusal> {
    // The session's row first, as an ending takes it: whichever commits first, an attach is
    // never admitted to a session that has just ended.
    let session = lock_session(conn, attempt.session_id).await?;
    redeem(conn, attempt).await?;
    let facts = load_facts(conn, attempt.session_id).await?;
    if let Decision::Denied(denial) = authorize(facts.as_ref(), &attempt.principal, Action::Attach)
    {
        return Err(AttachRefusal::Denied(denial));
    }
    if let Some(held) = attempt.held
        && has_other_page_since(conn, attempt.session_id, held, attempt.page).await?
    {
        return Err(AttachRefusal::Superseded);
    }
    let session = session.as_ref();
    // Before the clock is started and an older attach superseded: neither for a terminal that cannot be.
    let recording = wanted_recording(conn, session).await?;
    if recording.recording == Recording::FailClosed && !attempt.can_record {
        return Err(AttachRefusal::NotRecordable);
    }
    let (name, uid, environment_id) = place(conn, attempt.session_id).await?;
    let login = &attempt.principal.login_id;
    let (id, process) = (attempt.session_id, attempt.process_id);
    let epoch = take_epoch(conn, id, process, login, attempt.page).await?;
    if recording.recording != Recording::Off {
        begin_reading(conn, process, (id, epoch), attempt.can_record).await?;
    }
    let first = activate_if_ready(conn, attempt, session).await?;
    Ok(Admitted {
        epoch,
        environment_id,
        name,
        uid,
        first,
        recording,
    })
}

async fn redeem(conn: &mut PgConnection, attempt: &AttachAttempt) -> Result<(), AttachRefusal> {
    let redeem = Redeem {
        secret: attempt.ticket.clone(),
        session_id: attempt.session_id,
        user_id: attempt.principal.user_id.clone(),
        login_id: attempt.principal.login_id.clone(),
        origin: attempt.origin.clone(),
    };
    match redeem_ticket(conn, &redeem).await {
        Ok(_) => Ok(()),
        Err(RedeemError::Denied(denial)) => Err(AttachRefusal::Ticket(denial)),
        Err(RedeemError::Database(error)) => Err(error.into()),
    }
}

pub(crate) async fn place(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<(RuntimeName, RuntimeUid, ExecutionEnvironmentId), AttachRefusal> {
    let environment = load_environment(conn, session_id).await?;
    let environment = environment.filter(|row| row.state == EnvironmentState::Up);
    let environment = environment.ok_or(AttachRefusal::NotUp)?;
    match (environment.runtime_name, environment.runtime_uid) {
        (Some(name), Some(uid)) => Ok((name, uid, environment.id)),
        _ => Err(AttachRefusal::NotUp),
    }
}

pub(crate) async fn wanted_recording(
    conn: &mut PgConnection,
    session: Option<&SessionRecord>,
) -> Result<WantedRecording, AttachRefusal> {
    let session = session.ok_or(AttachRefusal::NotUp)?;
    let exam = load_exam(conn, &session.exam_name, Some(session.exam_version)).await?;
    let definition = exam.ok_or(AttachRefusal::NotUp)?.definition;
    Ok(WantedRecording {
        recording: definition.recording,
        record_input: definition.record_input,
    })
}

async fn activate_if_ready(
    conn: &mut PgConnection,
    attempt: &AttachAttempt,
    session: Option<&SessionRecord>,
) -> Result<bool, AttachRefusal> {
    if session.is_none_or(|session| session.state != SessionState::Ready) {
        return Ok(false);
    }
    let job = ActivateSession {
        session_id: attempt.session_id,
    };
    let options = signed(
        &attempt.principal.actor().to_string(),
        attempt.trace.clone(),
    );
    enqueue(conn, &job, &options).await?;
    Ok(true)
}

async fn log(
    conn: &mut PgConnection,
    attempt: &AttachAttempt,
    decision: &Decision,
    epoch: Option<i64>,
) -> Result<(), AttachRefusal> {
    let entry = AccessEntry {
        session_id: attempt.session_id,
        user_id: &attempt.principal.user_id,
        role: attempt.principal.role,
        action: Action::Attach,
        decision,
        detail: None,
        epoch,
    };
    append_access(conn, &entry).await?;
    Ok(())
}
