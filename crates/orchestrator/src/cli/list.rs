//! `sessions list`.

use command_line::{CliError, Document, GlobalArgs};
use failure_classification::{Reference, reference};
use job_queue::database_now;
use serde_json::json;
use session_lifecycle::{SessionFilter, SessionRecord, list_sessions};

use super::{ListArgs, failure};

pub(super) async fn run(args: ListArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let now = database_now(&mut connection).await?;
    let filter = SessionFilter {
        user_id: args.user,
        exam_name: args.exam,
        states: args.state,
        before: args.after,
        id_tail: args.reference.map(Reference::id_tail),
        failure_code: args.code.map(|code| code.as_str().to_owned()),
        created_from: args.since.map(|since| since.before(now)),
    };
    let sessions = list_sessions(&mut connection, &filter, args.limit).await;
    let sessions = sessions.map_err(failure::load)?;
    let full = i64::try_from(sessions.len()).is_ok_and(|length| length >= args.limit);
    let next_cursor = sessions.last().filter(|_| full).map(|session| session.id);
    let text = text(&sessions);
    let data = json!({ "sessions": sessions, "next_cursor": next_cursor });
    Ok(Document::new("orchestrator/sessions-list.v1", data).with_text(text))
}

fn text(sessions: &[SessionRecord]) -> String {
    if sessions.is_empty() {
        return "no session matches".to_owned();
    }
    let users = sessions
        .iter()
        .map(|session| session.user_id.as_str().len());
    let width = users.max().unwrap_or_default();
    let line = |session: &SessionRecord| {
        let ends = match (session.ended_at, session.ends_at) {
            (Some(ended), _) => format!("ended {}", ended.format("%F %T")),
            (None, Some(ends)) => format!("ends {}", ends.format("%F %T")),
            (None, None) => format!("requested {}", session.created_at.format("%F %T")),
        };
        format!(
            "{}  {}  {:<12}  {:<width$}  {} v{}  {ends}",
            session.id,
            reference(session.id.as_uuid()),
            session.state.as_str(),
            session.user_id.as_str(),
            session.exam_name,
            session.exam_version
        )
    };
    sessions.iter().map(line).collect::<Vec<_>>().join("\n")
}
