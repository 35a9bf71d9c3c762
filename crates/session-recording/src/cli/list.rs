//! `session-recording list`.

use clap::Args;
use command_line::{CliError, Column, Document, GlobalArgs, List, PagedArgs};
use session_identity::ExamSessionId;

use crate::store::{RecordingFilter, RecordingSummary, list_recordings};

/// Which recordings, and which page of them.
#[derive(Debug, Args)]
pub struct RecordingsListArgs {
    /// Only this session's
    #[arg(long, value_name = "ID")]
    session_id: Option<ExamSessionId>,
    /// Only of this exam
    #[arg(long, value_name = "NAME")]
    exam: Option<String>,
    /// How many, and how they are shown.
    #[command(flatten)]
    paged: PagedArgs,
    /// Goes on after this session: the `next_cursor` of the page before
    #[arg(long, value_name = "ID")]
    after: Option<ExamSessionId>,
}

const LIST: List<RecordingSummary> = List {
    schema: "session-recording/list.v1",
    rows: "recordings",
    empty: "no recording matches",
    name: |recording| recording.session_id.to_string(),
    columns: &[
        Column::new("session", |recording| {
            recording.session_id.to_string().into()
        }),
        Column::new("policy", |recording| recording.policy.as_deref().into()),
        Column::new("segments", |recording| recording.segments.into()),
        Column::new("bytes", |recording| recording.raw_bytes.into()),
        Column::new("stored", |recording| recording.stored_bytes.into()),
        Column::new("user", |recording| recording.user_id.as_str().into()),
        Column::new("exam", |recording| recording.exam_name.as_str().into()),
        Column::new("started", |recording| recording.started_at.into()),
        Column::new("closed", |recording| recording.closed_at.into()),
        Column::wide("input", |recording| {
            let kept = if recording.records_input {
                "kept"
            } else {
                "not kept"
            };
            kept.into()
        }),
        Column::wide("shells", |recording| recording.shell_epoch.into()),
        Column::wide("last_hash", |recording| {
            recording.last_hash.as_deref().into()
        }),
    ],
};

pub(super) async fn run(
    args: RecordingsListArgs,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
    let mut conn = globals.connect().await?.acquire().await?;
    let filter = RecordingFilter {
        session_id: args.session_id,
        exam_name: args.exam,
        before: args.after,
    };
    let read = async |last: Option<&RecordingSummary>, limit| {
        let filter = RecordingFilter {
            before: last.map(|recording| recording.session_id).or(filter.before),
            ..filter.clone()
        };
        Ok(list_recordings(&mut conn, &filter, limit).await?)
    };
    LIST.paged(globals, &args.paged, "--after", read).await
}
