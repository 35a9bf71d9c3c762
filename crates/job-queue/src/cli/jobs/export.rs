//! `jobs export`.

use std::io::{self, BufWriter, Write as _};

use command_line::{CliError, Document, counted};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;

use crate::cli::FilterArgs;
use crate::cli::reading::read_in_time;
use crate::{JobRecord, export_jobs};

/// Jobs read at once: their payloads are ids, so that a page is small.
const PAGE: i64 = 500;

/// Prints every job but the end, which the caller prints as the command's own document: a file
/// without it is not whole.
pub(super) async fn run(
    connection: &mut PgConnection,
    filter: &FilterArgs,
) -> Result<Document, CliError> {
    let filter = filter.filter(connection).await?;
    let mut out = BufWriter::new(io::stdout());
    let (mut after, mut printed) = (None, 0);
    loop {
        let read = async |it: &mut PgConnection| export_jobs(it, &filter, after, PAGE).await;
        let page = read_in_time(connection, read).await?;
        for job in &page {
            if let Err(error) = writeln!(out, "{}", line(job)) {
                return closed(&error, printed);
            }
            printed += 1;
        }
        match page.last() {
            Some(job) => after = Some(JobId::from_uuid(job.id)),
            None => break,
        }
    }
    match out.flush() {
        Ok(()) => Ok(end(printed)),
        Err(error) => closed(&error, printed),
    }
}

fn line(job: &JobRecord) -> String {
    let data = json!({ "job": job });
    format!(r#"{{"schema":"job-queue/export.v1","data":{data}}}"#)
}

fn end(printed: u64) -> Document {
    let text = counted(printed, "job");
    Document::new("job-queue/export-end.v1", json!({ "jobs": printed })).with_text(text)
}

/// A closed pipe is the reader's choice.
fn closed(error: &io::Error, printed: u64) -> Result<Document, CliError> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(end(printed));
    }
    Err(CliError::transient("the jobs could not be written").caused_by(error))
}
