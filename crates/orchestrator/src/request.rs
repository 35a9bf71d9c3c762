//! Requesting a session: one transaction writes the row, its environment's row and the first job.

use std::time::Duration;

use execution_environment::{ClockPolicy, ExamRecord, insert_environment, load_exam};
use job_queue::enqueue;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, Principal, UserId};
use session_lifecycle::{
    Cause, ExamClock, InsertError, Inserted, NewSession, Provenance, RememberError, Remembered,
    SessionRecord, insert_session, load_session, recall_request, remember_request,
};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use tracing::Instrument as _;

use crate::{ProvisionEnvironment, StepError, follow_up::signed};

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct SessionRequest {
    /// The candidate.
    pub user_id: UserId,
    /// The exam.
    pub exam_name: String,
    /// Its version; the newest when not said.
    pub exam_version: Option<i32>,
    /// Who asks.
    pub principal: Principal,
    /// The caller's key: the same key with the same request is the same session.
    pub idempotency_key: Option<String>,
    /// The W3C trace of the call.
    pub trace: Option<String>,
}

impl SessionRequest {
    /// What the key stands for: a repeated key must come with the same of these.
    fn hash(&self) -> Vec<u8> {
        let version = self
            .exam_version
            .map(|version| version.to_string())
            .unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [
            "create_session",
            self.user_id.as_str(),
            &self.exam_name,
            &version,
        ] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize().to_vec()
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The session, as it stands now.
    pub session: SessionRecord,
    /// Whether this request made it; otherwise it was there already.
    pub created: bool,
}

/// Why no session was written. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no such exam, or it has no such version.
    #[error("request a session: unknown exam {name}")]
    UnknownExam {
        /// The name asked for.
        name: String,
        /// The version asked for, where the exam exists and only the version does not.
        version: Option<i32>,
    },
    /// The idempotency key stands for another request.
    #[error("request a session: the idempotency key stands for another request")]
    KeyReused,
    /// The session could not be inserted.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// The idempotency key could not be kept.
    #[error(transparent)]
    Remember(#[from] RememberError),
    /// A step below failed.
    #[error(transparent)]
    Other(StepError),
}

impl<E: Into<StepError>> From<E> for RequestError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Writes a session in `created` with the job that provisions it, or finds the one that the same
/// key, or the same candidate and exam, already has.
///
/// The caller wakes the workers after it returns.
///
/// # Errors
/// [`RequestError`]; nothing was written then.
pub async fn request_session(
    pool: &PgPool,
    request: &SessionRequest,
) -> Result<Requested, RequestError> {
    let mut transaction = pool.begin().await?;
    match ask(&mut transaction, request).await? {
        Answer::Written(requested) => {
            transaction.commit().await?;
            Ok(requested)
        }
        Answer::Known(requested) => Ok(requested),
    }
}

/// Tells what [`request_session`] would answer: the same, rolled back. The ids of a session that it would
/// make are drawn anew when it is made.
///
/// # Errors
/// As [`request_session`].
pub async fn rehearse_request(
    pool: &PgPool,
    request: &SessionRequest,
) -> Result<Requested, RequestError> {
    let mut transaction = pool.begin().await?;
    // The log tells of a session that is rolled back.
    let rehearsal = tracing::info_span!("rehearsal");
    let answer = ask(&mut transaction, request).instrument(rehearsal).await?;
    transaction.rollback().await?;
    let (Answer::Written(requested) | Answer::Known(requested)) = answer;
    Ok(requested)
}

/// What becomes of the transaction in which a session was requested.
enum Answer {
    /// To be committed.
    Written(Requested),
    /// An earlier call with the same key had its answer: nothing of this one may stay.
    Known(Requested),
}

async fn ask(conn: &mut PgConnection, request: &SessionRequest) -> Result<Answer, RequestError> {
    if let Some(requested) = recall(conn, request).await? {
        return Ok(Answer::Known(requested));
    }
    let exam = find_exam(conn, &request.exam_name, request.exam_version).await?;
    let new = describe(request, &exam);
    let provenance = Provenance {
        actor: request.principal.actor(),
        cause: Cause::new("requested"),
        job_id: None,
        trace: request.trace.clone(),
    };
    let requested = match insert_session(conn, &new, &provenance).await? {
        Inserted::New(session) => {
            start(conn, request, &session).await?;
            Requested {
                session,
                created: true,
            }
        }
        Inserted::LiveExists(session) => Requested {
            session,
            created: false,
        },
    };
    // Where another call with the same key was faster, its session counts and this one is rolled back.
    let faster = remember(conn, request, &requested).await?;
    Ok(faster.map_or(Answer::Written(requested), Answer::Known))
}

async fn recall(
    conn: &mut PgConnection,
    request: &SessionRequest,
) -> Result<Option<Requested>, RequestError> {
    let Some(key) = &request.idempotency_key else {
        return Ok(None);
    };
    let principal = request.principal.actor().to_string();
    match recall_request(conn, &principal, key, &request.hash()).await? {
        Some(Remembered::Same(session_id)) => existing(conn, session_id).await,
        Some(Remembered::Different) => Err(RequestError::KeyReused),
        Some(Remembered::New) | None => Ok(None),
    }
}

async fn remember(
    conn: &mut PgConnection,
    request: &SessionRequest,
    requested: &Requested,
) -> Result<Option<Requested>, RequestError> {
    let Some(key) = &request.idempotency_key else {
        return Ok(None);
    };
    let principal = request.principal.actor().to_string();
    let session_id = requested.session.id;
    match remember_request(conn, &principal, key, &request.hash(), session_id).await? {
        Remembered::New => Ok(None),
        Remembered::Same(known) if known == session_id => Ok(None),
        Remembered::Same(known) => existing(conn, known).await,
        Remembered::Different => Err(RequestError::KeyReused),
    }
}

async fn existing(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Requested>, RequestError> {
    let session = load_session(conn, session_id).await?;
    Ok(session.map(|session| Requested {
        session,
        created: false,
    }))
}

/// Finds a version of an exam, the newest without a number.
///
/// # Errors
/// [`RequestError::UnknownExam`] tells a name that nobody knows from a version that it lacks.
pub(crate) async fn find_exam(
    conn: &mut PgConnection,
    name: &str,
    version: Option<i32>,
) -> Result<ExamRecord, RequestError> {
    if let Some(exam) = load_exam(conn, name, version).await? {
        return Ok(exam);
    }
    let named = load_exam(conn, name, None).await?.is_some();
    Err(RequestError::UnknownExam {
        name: name.to_owned(),
        version: version.filter(|_| named),
    })
}

fn describe(request: &SessionRequest, exam: &ExamRecord) -> NewSession {
    let definition = &exam.definition;
    let clock = match definition.clock {
        ClockPolicy::FromFirstAttach { duration_seconds } => ExamClock::FromFirstAttach {
            duration: Duration::from_secs(duration_seconds),
        },
        ClockPolicy::Window { starts_at, ends_at } => ExamClock::Window { starts_at, ends_at },
    };
    NewSession {
        id: ExamSessionId::generate(),
        environment_id: ExecutionEnvironmentId::generate(),
        user_id: request.user_id.clone(),
        exam_name: definition.name.clone(),
        exam_version: exam.version,
        startup_budget: Duration::from_secs(definition.startup_budget_seconds),
        clock,
        absolute_cap: Duration::from_secs(definition.absolute_cap_seconds),
    }
}

async fn start(
    conn: &mut PgConnection,
    request: &SessionRequest,
    session: &SessionRecord,
) -> Result<(), RequestError> {
    insert_environment(conn, session.environment_id, session.id).await?;
    let job = ProvisionEnvironment {
        session_id: session.id,
        attempt: 1,
        avoid: Vec::new(),
    };
    let options = signed(
        &request.principal.actor().to_string(),
        request.trace.clone(),
    );
    enqueue(conn, &job, &options).await?;
    Ok(())
}
