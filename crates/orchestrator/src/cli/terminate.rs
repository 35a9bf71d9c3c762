//! `sessions terminate`.

use command_line::{CliError, Document, GlobalArgs};
use job_queue::notify_workers;
use serde_json::json;
use session_lifecycle::load_session;

use super::{TerminateArgs, args::operator, failure};
use crate::{EndRequest, end_session};

/// Asks for the ending; the worker ends it. What has ended already stays as it is.
pub(super) async fn run(args: TerminateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    confirmed(&args)?;
    let pool = globals.connect().await?;
    let mut connection = pool.acquire().await?;
    let session = load_session(&mut connection, args.id)
        .await
        .map_err(failure::load)?;
    let session = session.ok_or_else(|| failure::no_session(args.id))?;
    let requested = !session.state.is_terminal();
    if requested {
        let request = EndRequest {
            session_id: args.id,
            principal: operator(args.author.actor),
            reason: Some(args.author.reason),
            trace: None,
        };
        end_session(&pool, &request).await.map_err(failure::end)?;
        // The job is committed whether or not anybody hears of it; workers also poll.
        notify_workers(&mut connection).await.ok();
    }
    let text = if requested {
        format!(
            "{id} is being ended\nNext  carrel sessions wait {id} --for ended",
            id = args.id
        )
    } else {
        format!("{} is {} already; nothing changed", args.id, session.state)
    };
    let data = json!({ "session_id": args.id, "state": session.state, "requested": requested });
    Ok(Document::new("orchestrator/sessions-terminate.v1", data).with_text(text))
}

fn confirmed(args: &TerminateArgs) -> Result<(), CliError> {
    if args.confirm == Some(args.id) {
        return Ok(());
    }
    let message = match args.confirm {
        None => "ending an exam cannot be undone and was not confirmed".to_owned(),
        Some(other) => format!("the confirmation names {other}, another session"),
    };
    Err(CliError::refused(message)
        .code("confirmation.missing")
        .field("confirm")
        .next(format!(
            "look with carrel sessions show {id}, then add --confirm {id}",
            id = args.id
        )))
}
