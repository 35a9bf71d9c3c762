//! `destroy`: evidence, removal, confirmation.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::errors;
use crate::{
    Destroyed, EnvironmentRecord, EnvironmentRuntime, Purpose, RuntimeArgs, begin_destroy,
    load_environment, record_gone, record_snapshot,
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
    let mut conn = pool.acquire().await?;
    let missing = || CliError::not_found(format!("session {session_id} has no environment"));
    let environment = if args.dry_run {
        load_environment(&mut conn, session_id)
            .await
            .map_err(errors::store)?
            .ok_or_else(missing)?
    } else {
        let record = begin_destroy(&mut conn, session_id)
            .await
            .map_err(errors::store)?
            .ok_or_else(missing)?;
        destroyed(&mut conn, &*runtime, record).await?
    };
    Ok(Document::new(
        "execution-environment/destroy.v1",
        Answer {
            dry_run: args.dry_run,
            environment,
        },
    ))
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
