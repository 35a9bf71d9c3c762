//! `destroy`: who does it, evidence, removal, confirmation.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::{PgConnection, PgPool};

use super::{SignatureArgs, errors, meant};
use crate::{
    Destroyed, EnvironmentAction, EnvironmentRecord, EnvironmentRuntime, EnvironmentState, Purpose,
    RuntimeArgs, begin_destroy, record_gone, record_snapshot,
};

/// Names the session, the runtime and the confirmation.
#[derive(Args, Debug)]
pub struct DestroyArgs {
    /// The session whose environment to destroy
    #[arg(long, value_name = "UUID")]
    pub session_id: ExamSessionId,
    /// The same id again: what is destroyed never comes back, a candidate's work with it
    #[arg(long, value_name = "UUID")]
    pub confirm: Option<ExamSessionId>,
    /// Shows what would be destroyed and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Who destroys it, and why
    #[command(flatten)]
    pub signature: SignatureArgs,
    /// Where the environments run
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    environment: EnvironmentRecord,
}

pub(super) async fn run(args: DestroyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let session_id = args.session_id;
    if !args.dry_run && args.confirm != Some(session_id) {
        let message = "destroying an environment is final and needs the session id a second time";
        return Err(
            CliError::refused(message).next(format!("--confirm {session_id}, or --dry-run"))
        );
    }
    let runtime = args
        .runtime
        .connect(Purpose::Destroy)
        .await
        .map_err(|error| errors::settings(&error))?;
    let pool = globals.connect().await?;
    let environment = if args.dry_run {
        meant::environment(&mut *pool.acquire().await?, session_id).await?
    } else {
        let record = begun(&pool, session_id, &args.signature).await?;
        destroyed(&mut *pool.acquire().await?, &*runtime, record).await?
    };
    Ok(Document::new(
        "execution-environment/destroy.v1",
        Answer {
            dry_run: args.dry_run,
            environment,
        },
    ))
}

/// Signs and begins in one transaction. What was gone before is not destroyed by anybody.
async fn begun(
    pool: &PgPool,
    session_id: ExamSessionId,
    signature: &SignatureArgs,
) -> Result<EnvironmentRecord, CliError> {
    let mut begin = pool.begin().await?;
    let found = meant::environment(&mut begin, session_id).await?;
    if found.state == EnvironmentState::Gone {
        return Ok(found);
    }
    let action = EnvironmentAction::Destroy;
    signature.sign(&mut begin, action, &found).await?;
    let record = begin_destroy(&mut begin, session_id).await;
    let record = record.map_err(errors::store)?;
    begin.commit().await?;
    Ok(record.unwrap_or(found))
}

async fn destroyed(
    conn: &mut PgConnection,
    runtime: &dyn EnvironmentRuntime,
    record: EnvironmentRecord,
) -> Result<EnvironmentRecord, CliError> {
    let Some(name) = record
        .runtime_name
        .clone()
        .filter(|_| record.gone_at.is_none())
    else {
        return Ok(record);
    };
    if let Some(uid) = &record.runtime_uid
        && let Ok(snapshot) = runtime.snapshot(&name, uid).await
    {
        record_snapshot(conn, record.session_id, &snapshot)
            .await
            .map_err(errors::store)?;
    }
    match runtime
        .destroy(&name, record.runtime_uid.as_ref())
        .await
        .map_err(|error| errors::runtime(&error))?
    {
        Destroyed::Gone => record_gone(conn, record.session_id)
            .await
            .map_err(errors::store)?
            .ok_or_else(|| {
                CliError::conflict("the environment changed while it was being destroyed")
            }),
        Destroyed::StillThere => Err(CliError::transient(format!("{name} is still there"))
            .next("run the same command again")),
    }
}
