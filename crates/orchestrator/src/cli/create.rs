//! `sessions create`.

use command_line::{CliError, Document, GlobalArgs};
use job_queue::notify_workers;
use serde_json::json;

use super::{CreateArgs, args::operator, failure};
use crate::{SessionRequest, request_session};

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
    let requested = request_session(&pool, &request).await;
    let mut connection = pool.acquire().await?;
    let requested = match requested {
        Ok(requested) => requested,
        Err(error) => return Err(failure::request(error, &mut connection).await),
    };
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
