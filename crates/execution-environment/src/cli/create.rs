//! `create`: who does it and the row first, then the runtime.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::{SignatureArgs, errors};
use crate::store::{SessionFacts, load_session_facts};
use crate::{
    Created, EnvironmentAction, EnvironmentRecord, EnvironmentRuntime, EnvironmentSpec,
    EnvironmentState, Purpose, RuntimeArgs, begin_attempt, insert_environment, install_id,
    load_environment, load_exam, record_created,
};

/// Names the session and the runtime.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// The session whose environment to create
    #[arg(long, value_name = "UUID")]
    pub session_id: ExamSessionId,
    /// Who creates it, and why
    #[command(flatten)]
    pub signature: SignatureArgs,
    /// Where the environments run
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

#[derive(Serialize)]
struct Answer {
    created: Created,
    environment: EnvironmentRecord,
}

pub(super) async fn run(args: CreateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let runtime = args
        .runtime
        .connect(Purpose::Create)
        .await
        .map_err(|error| errors::settings(&error))?;
    let pool = globals.connect().await?;
    let mut begin = pool.begin().await?;
    let spec = begun(&mut begin, args.session_id, &*runtime, &args.signature).await?;
    begin.commit().await?;
    let created = runtime
        .create(&spec)
        .await
        .map_err(|error| errors::runtime(&error))?;
    let mut conn = pool.acquire().await?;
    let environment = record_created(&mut conn, spec.session_id, spec.attempt, &created.uid)
        .await
        .map_err(errors::store)?
        .ok_or_else(|| CliError::conflict("the environment changed while it was being created"))?;
    Ok(Document::new(
        "execution-environment/create.v1",
        Answer {
            created,
            environment,
        },
    ))
}

/// Begins the first attempt, or finds the one that has begun: repeating it is what makes a second
/// `create` safe.
async fn begun(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    runtime: &dyn EnvironmentRuntime,
    signature: &SignatureArgs,
) -> Result<EnvironmentSpec, CliError> {
    let session = load_session_facts(conn, session_id)
        .await
        .map_err(errors::store)?
        .ok_or_else(|| CliError::not_found(format!("no session {session_id}")))?;
    let record = row(conn, &session).await?;
    let action = EnvironmentAction::Create;
    signature.sign(conn, action, &record).await?;
    let spec = specification(conn, session, record.attempt.max(1)).await?;
    if record.attempt == 0 {
        let name = spec.runtime_name();
        begin_attempt(conn, session_id, 0, runtime.kind(), &name, &spec)
            .await
            .map_err(errors::store)?
            .ok_or_else(|| {
                CliError::conflict("another process has begun to create this environment")
            })?;
    }
    Ok(spec)
}

async fn row(
    conn: &mut PgConnection,
    session: &SessionFacts,
) -> Result<EnvironmentRecord, CliError> {
    let id = session.session_id;
    if load_environment(conn, id)
        .await
        .map_err(errors::store)?
        .is_none()
    {
        insert_environment(conn, session.environment_id, id)
            .await
            .map_err(errors::store)?;
    }
    let record = load_environment(conn, id).await.map_err(errors::store)?;
    let record =
        record.ok_or_else(|| CliError::conflict(format!("the environment of {id} disappeared")))?;
    if session.ended
        || !matches!(
            record.state,
            EnvironmentState::Absent | EnvironmentState::Creating
        )
    {
        let message = format!(
            "session {id} needs no new environment: its environment is {}",
            record.state
        );
        return Err(CliError::conflict(message));
    }
    Ok(record)
}

async fn specification(
    conn: &mut PgConnection,
    session: SessionFacts,
    attempt: i32,
) -> Result<EnvironmentSpec, CliError> {
    let exam = load_exam(conn, &session.exam_name, Some(session.exam_version))
        .await
        .map_err(errors::store)?
        .ok_or_else(|| {
            CliError::not_found(format!(
                "no exam {} v{}",
                session.exam_name, session.exam_version
            ))
        })?;
    Ok(EnvironmentSpec {
        install_id: install_id(conn).await.map_err(errors::store)?,
        session_id: session.session_id,
        user_id: session.user_id,
        environment_id: session.environment_id,
        attempt,
        exam: exam.definition,
        deadline: Some(session.absolute_end),
        avoid: Vec::new(),
    })
}
