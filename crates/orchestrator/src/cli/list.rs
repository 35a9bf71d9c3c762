//! `sessions list`.

use command_line::{CliError, Column, Document, GlobalArgs, List};
use failure_classification::{Reference, reference};
use job_queue::database_now;
use session_lifecycle::{SessionFilter, SessionRecord, list_sessions};

use super::{SessionsListArgs, failure};

const LIST: List<SessionRecord> = List {
    schema: "orchestrator/sessions-list.v1",
    rows: "sessions",
    empty: "no session matches",
    name: |session| session.id.to_string(),
    columns: &[
        Column::new("id", |session| session.id.to_string().into()),
        Column::new("reference", |session| {
            reference(session.id.as_uuid()).into()
        }),
        Column::new("state", |session| session.state.as_str().into()),
        Column::new("user", |session| session.user_id.as_str().into()),
        Column::new("exam", |session| session.exam_name.as_str().into()),
        Column::new("version", |session| session.exam_version.into()),
        Column::new("requested", |session| session.created_at.into()),
        Column::new("ends", |session| session.ends_at.into()),
        Column::new("ended", |session| session.ended_at.into()),
        Column::wide("environment", |session| {
            session.environment_id.to_string().into()
        }),
        Column::wide("ready", |session| session.ready_at.into()),
        Column::wide("attached", |session| session.running_at.into()),
        Column::wide("failure", |session| {
            let failure = session.failure.as_ref();
            failure.map(|failure| failure.code.as_str()).into()
        }),
    ],
};

pub(super) async fn run(
    args: SessionsListArgs,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
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
    let read = async |last: Option<&SessionRecord>, limit| {
        let filter = SessionFilter {
            before: last.map(|session| session.id).or(filter.before),
            ..filter.clone()
        };
        let page = list_sessions(&mut connection, &filter, limit).await;
        page.map_err(failure::load)
    };
    LIST.paged(globals, &args.paged, "--after", read).await
}
