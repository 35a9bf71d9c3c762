//! `environment-access deny`.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_identity::{ExamSessionId, Role, UserId};

use super::public_json;
use crate::access_log::{AccessEntry, append_access};
use crate::authorize::{Action, Decision, Denial, DenialCode};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Why, and whom.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The true reason, 1 to 500 characters. It is recorded; the caller is never told.
    #[arg(long)]
    reason: String,
    /// The session that was asked for; with it the denial is recorded.
    #[arg(long, requires = "user_id")]
    session_id: Option<ExamSessionId>,
    /// The user who asked.
    #[arg(long, requires = "session_id")]
    user_id: Option<UserId>,
    /// Their role: candidate, invigilator, operator or service.
    #[arg(long, default_value = "candidate")]
    role: Role,
}

/// Prints the answer every denied caller gets, and records the denial if it is anybody's.
pub(super) async fn run(args: DenyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(CliError::usage(
            "reason",
            "a reason has 1 to 500 characters",
        ));
    }
    let denial = Denial {
        code: DenialCode::Denied,
        detail: "denied by hand",
    };
    let public = public_json(denial.public());
    let code = denial.code.as_str();
    let recorded = match (args.session_id, &args.user_id) {
        (Some(session_id), Some(user_id)) => {
            let entry = AccessEntry {
                session_id,
                user_id,
                role: args.role,
                action: Action::Attach,
                decision: &Decision::Denied(denial),
                detail: Some(reason),
                epoch: None,
            };
            record(globals, &entry).await?;
            true
        }
        _ => false,
    };
    let data = json!({
        "session_id": args.session_id,
        "user_id": args.user_id,
        "reason": reason,
        "code": code,
        "recorded": recorded,
        "public": public,
    });
    Ok(Document::new("environment-access/deny.v1", data).with_text(format!("denied: {reason}")))
}

async fn record(globals: &GlobalArgs, entry: &AccessEntry<'_>) -> Result<(), CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    append_access(&mut conn, entry).await?;
    Ok(())
}
