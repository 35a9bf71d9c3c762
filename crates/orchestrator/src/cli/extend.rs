//! `sessions extend`.

use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_lifecycle::Extension;
use uuid::Uuid;

use super::{ExtendArgs, args::operator, failure};
use crate::extend_session;

pub(super) async fn run(args: ExtendArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let extension = Extension {
        session_id: args.id,
        by: args.by,
        actor: operator(args.author.actor).actor(),
        reason: args.author.reason,
        // Without a key, a second call is a second extension.
        idempotency_key: args
            .idempotency_key
            .unwrap_or_else(|| Uuid::now_v7().to_string()),
    };
    let extended = extend_session(&pool, &extension).await;
    let extended = extended.map_err(|error| failure::extend(&error))?;
    let granted = &extended.extension;
    let text = if extended.already {
        format!(
            "{} had this extension already; it ends {}",
            args.id, granted.new_end
        )
    } else {
        format!(
            "{} ends {} instead of {}",
            args.id, granted.new_end, granted.previous_end
        )
    };
    let data = json!({
        "already": extended.already,
        "extension": granted,
        "session": extended.session,
    });
    Ok(Document::new("orchestrator/sessions-extend.v1", data).with_text(text))
}
