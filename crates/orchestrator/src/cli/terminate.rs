//! `sessions terminate`.

use command_line::{CliError, Document, GlobalArgs};
use job_queue::notify_workers;
use serde_json::json;
use session_identity::ExamSessionId;
use session_lifecycle::load_session;

use super::cohort::{self, Agreed, Work};
use super::{Confirmation, PREVIEW, TerminateArgs, args::operator, failure};
use crate::{CohortEnd, EndRequest, end_session, rehearse_end};

/// Asks for the ending; the worker ends it. What has ended already stays as it is.
pub(super) async fn run(args: TerminateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    match args.id {
        Some(id) => one(id, args, globals).await,
        None => many(args, globals).await,
    }
}

async fn one(
    id: ExamSessionId,
    args: TerminateArgs,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
    let dry_run = args.cohort.dry_run;
    if !dry_run {
        confirmed(id, args.confirm)?;
    }
    let pool = globals.connect().await?;
    let mut connection = pool.acquire().await?;
    let session = load_session(&mut connection, id)
        .await
        .map_err(failure::load)?;
    let session = session.ok_or_else(|| failure::no_session(id))?;
    let requested = !session.state.is_terminal();
    if requested {
        let request = EndRequest {
            session_id: id,
            principal: operator(args.author.actor),
            reason: Some(args.author.reason),
            trace: None,
        };
        if dry_run {
            rehearse_end(&pool, &request).await.map_err(failure::end)?;
        } else {
            end_session(&pool, &request).await.map_err(failure::end)?;
            // The job is committed whether or not anybody hears of it; workers also poll.
            notify_workers(&mut connection).await.ok();
        }
    }
    let text = if requested {
        format!("{id} is being ended\nNext  carrel sessions wait {id} --for ended")
    } else {
        format!("{id} is {} already; nothing changed", session.state)
    };
    let data = json!({ "session_id": id, "state": session.state, "requested": requested });
    let document = Document::new("orchestrator/sessions-terminate.v1", data).with_text(text);
    if dry_run {
        let ended = requested.then(|| id.to_string());
        return Ok(document.as_preview(PREVIEW, ended.as_slice()));
    }
    Ok(document)
}

fn confirmed(id: ExamSessionId, given: Option<Confirmation>) -> Result<(), CliError> {
    if given == Some(Confirmation::Session(id)) {
        return Ok(());
    }
    let message = match given {
        None => "ending an exam cannot be undone and was not confirmed".to_owned(),
        Some(Confirmation::Session(other)) => {
            format!("the confirmation names {other}, another session")
        }
        Some(Confirmation::Count(count)) => {
            format!("the confirmation names {count}, and not the session")
        }
    };
    Err(CliError::refused(message)
        .code("confirmation.missing")
        .field("confirm")
        .next(format!(
            "look with carrel sessions show {id}, then add --confirm {id}"
        )))
}

async fn many(args: TerminateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let cohort = args.cohort.cohort()?;
    let count = match args.confirm {
        None => None,
        Some(Confirmation::Count(count)) => Some(count),
        Some(Confirmation::Session(id)) => {
            let message = format!("the confirmation names session {id}, and not how many");
            return Err(CliError::usage("confirm", message)
                .next("with --exam give the number of sessions, as --dry-run counts them"));
        }
    };
    let work = Work::End(CohortEnd {
        cohort,
        principal: operator(args.author.actor),
        reason: Some(args.author.reason),
        trace: None,
    });
    cohort::run(&work, Agreed::given(args.cohort.dry_run, count), globals).await
}
