//! `session-recording list`.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_identity::ExamSessionId;

use crate::store::{RecordingFilter, RecordingSummary, list_recordings};

/// Which recordings, and which page of them.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this session's
    #[arg(long, value_name = "ID")]
    session_id: Option<ExamSessionId>,
    /// Only of this exam
    #[arg(long, value_name = "NAME")]
    exam: Option<String>,
    /// Recordings on a page, 1 to 500
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    limit: i64,
    /// Goes on after this session: the `next_cursor` of the page before
    #[arg(long, value_name = "ID")]
    after: Option<ExamSessionId>,
}

pub(super) async fn run(args: ListArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut conn = globals.connect().await?.acquire().await?;
    let filter = RecordingFilter {
        session_id: args.session_id,
        exam_name: args.exam,
        before: args.after,
    };
    let recordings = list_recordings(&mut conn, &filter, args.limit).await?;
    let is_full = i64::try_from(recordings.len()).is_ok_and(|length| length >= args.limit);
    let last = recordings.last().filter(|_| is_full);
    let next_cursor = last.map(|recording| recording.session_id);
    let text = text(&recordings);
    let data = json!({ "recordings": recordings, "next_cursor": next_cursor });
    Ok(Document::new("session-recording/list.v1", data).with_text(text))
}

fn text(recordings: &[RecordingSummary]) -> String {
    if recordings.is_empty() {
        return "no recording matches".to_owned();
    }
    let lines = recordings.iter().map(line);
    lines.collect::<Vec<_>>().join("\n")
}

fn line(recording: &RecordingSummary) -> String {
    let closed = match recording.closed_at {
        Some(closed_at) => format!("closed {}", closed_at.format("%F %T")),
        None => format!("since {}", recording.started_at.format("%F %T")),
    };
    format!(
        "{}  {:<11}  {:>7} segments  {:>11} bytes, {:>10} stored  {}  {}  {closed}",
        recording.session_id,
        recording.policy.as_deref().unwrap_or("-"),
        recording.segments,
        recording.raw_bytes,
        recording.stored_bytes,
        recording.user_id,
        recording.exam_name,
    )
}
