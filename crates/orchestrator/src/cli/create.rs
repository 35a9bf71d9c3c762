//! `sessions create`.

use command_line::{CliError, Document, GlobalArgs};
use job_queue::notify_workers;
use serde_json::{Value, json};

use super::{CreateArgs, PREVIEW, args::operator, failure};
use crate::{Requested, SessionRequest, rehearse_request, request_session};

pub(super) async fn run(args: CreateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let request = SessionRequest {
        user_id: args.user_id,
        exam_name: args.exam,
        exam_version: args.exam_version,
        principal: operator(args.actor),
        idempotency_key: args.idempotency_key,
        trace: None,
    };
    let requested = if args.dry_run {
        rehearse_request(&pool, &request).await
    } else {
        request_session(&pool, &request).await
    };
    let mut connection = pool.acquire().await?;
    let requested = match requested {
        Ok(requested) => requested,
        Err(error) => return Err(failure::request(error, &mut connection).await),
    };
    if args.dry_run {
        return Ok(preview(&request, &requested));
    }
    if requested.created {
        // The session is committed whether or not anybody hears of it; workers also poll.
        notify_workers(&mut connection).await.ok();
    }
    let session = &requested.session;
    let how = if requested.created {
        "requested"
    } else {
        "already there"
    };
    let text = format!(
        "{} {how}, {}\nNext  carrel sessions wait {} --for ready",
        session.id, session.state, session.id
    );
    let data = json!({ "created": requested.created, "session": session });
    Ok(Document::new("orchestrator/sessions-create.v1", data).with_text(text))
}

/// Names the candidate, since a session that would be made has no id yet.
fn preview(request: &SessionRequest, requested: &Requested) -> Document {
    let Requested { session, created } = requested;
    let (user, exam, version) = (&session.user_id, &session.exam_name, session.exam_version);
    let mut would_be = json!({ "created": created, "session": session });
    let (text, ids) = if *created {
        would_be["session"]["id"] = Value::Null;
        would_be["session"]["environment_id"] = Value::Null;
        let text = format!(
            "a session of {exam} v{version} for {user}, {}",
            session.state
        );
        (text, vec![request.user_id.to_string()])
    } else {
        let text = format!("{} already there, {}", session.id, session.state);
        (text, Vec::new())
    };
    let would_be = Document::new("orchestrator/sessions-create.v1", would_be).with_text(text);
    would_be.as_preview(PREVIEW, &ids)
}
