//! Which environment a verb is about.

use command_line::CliError;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::errors;
use crate::{
    EnvironmentRecord, RuntimeArgs, RuntimeKind, RuntimeName, RuntimeUid, load_environment,
};

/// Loads the environment of a session, which must have one.
pub(super) async fn environment(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<EnvironmentRecord, CliError> {
    let found = load_environment(conn, session_id).await;
    found
        .map_err(errors::store)?
        .ok_or_else(|| CliError::not_found(format!("session {session_id} has no environment")))
}

/// Gives the one object in the runtime that a row means.
pub(super) fn object(record: &EnvironmentRecord) -> Result<(&RuntimeName, &RuntimeUid), CliError> {
    let meant = record
        .runtime_name
        .as_ref()
        .zip(record.runtime_uid.as_ref());
    meant.filter(|_| record.gone_at.is_none()).ok_or_else(|| {
        let (session_id, state) = (record.session_id, record.state);
        CliError::not_found(format!(
            "the environment of session {session_id} is {state}: there is nothing in a runtime"
        ))
    })
}

/// Asks no other runtime than the one that the environment was made on.
pub(super) fn must_be_on(record: &EnvironmentRecord, args: &RuntimeArgs) -> Result<(), CliError> {
    let asked = RuntimeKind::from(args.runtime);
    match record.runtime {
        Some(made_on) if made_on != asked => {
            let message = format!("the environment was made on {made_on}, not on {asked}");
            Err(CliError::usage("runtime", message).next(format!("--runtime {made_on}")))
        }
        Some(_) | None => Ok(()),
    }
}
