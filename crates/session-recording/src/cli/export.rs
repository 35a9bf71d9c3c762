//! `session-recording export`.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::{no_recording, output_file, unreadable};
use crate::export::{ExportError, ExportFormat, Exported, export};
use crate::store::{load_head, load_manifests};

/// Whose recording, and where to.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The session
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
    /// The format
    #[arg(long, value_enum, default_value_t = ExportFormat::AsciicastV3)]
    format: ExportFormat,
    /// A file that does not exist yet, or - for stdout, which then carries the export and no document
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// A file that does not exist yet, for the newest manifest: what was signed, and a last line with the
    /// signature
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

pub(super) async fn run(args: ExportArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    if args.manifest.as_ref() == Some(&args.to) {
        let message = "the manifest and the recording do not go into one file";
        return Err(CliError::usage("manifest", message).next("name another file for the manifest"));
    }
    let mut conn = globals.connect().await?.acquire().await?;
    if load_head(&mut conn, args.session_id).await?.is_none() {
        return Err(no_recording(args.session_id));
    }
    if let Some(path) = &args.manifest {
        write_manifest(&mut conn, args.session_id, path).await?;
    }
    let exported = write_export(&mut conn, &args).await;
    if let (Err(_), Some(path)) = (&exported, &args.manifest) {
        // What it speaks of is not there; the error is what is to be told.
        fs::remove_file(path).ok();
    }
    exported
}

async fn write_export(conn: &mut PgConnection, args: &ExportArgs) -> Result<Document, CliError> {
    if args.to == Path::new("-") {
        return to_stdout(conn, args).await;
    }
    let exported = to_file(conn, args).await?;
    let data = json!({
        "session_id": args.session_id,
        "format": args.format,
        "to": args.to,
        "manifest": args.manifest,
        "moments": exported.moments,
        "output_bytes": exported.output_bytes,
        "gap_bytes": exported.gap_bytes,
    });
    let text = format!(
        "{} bytes of output to {}, {} missing",
        exported.output_bytes,
        args.to.display(),
        exported.gap_bytes
    );
    Ok(Document::new("session-recording/export.v1", data).with_text(text))
}

/// A closed pipe is the reader's choice, as everywhere.
async fn to_stdout(conn: &mut PgConnection, args: &ExportArgs) -> Result<Document, CliError> {
    let mut stdout = BufWriter::new(io::stdout());
    match export(conn, args.session_id, args.format, &mut stdout).await {
        Err(ExportError::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            // What could not be written is not tried again when the writer goes.
            drop(stdout.into_parts());
        }
        exported => drop(exported.map_err(|error| not_exported(error, &args.to))?),
    }
    Ok(Document::already_printed())
}

async fn to_file(conn: &mut PgConnection, args: &ExportArgs) -> Result<Exported, CliError> {
    let file = output_file::create("to", &args.to)?;
    let mut file = BufWriter::new(file);
    let exported = export(conn, args.session_id, args.format, &mut file).await;
    exported.map_err(|error| {
        drop(file);
        // Half an export must not pass for a whole one; the error above is what is to be told.
        fs::remove_file(&args.to).ok();
        not_exported(error, &args.to)
    })
}

async fn write_manifest(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    path: &Path,
) -> Result<(), CliError> {
    let manifests = load_manifests(conn, session_id).await?;
    let newest = manifests.last().ok_or_else(|| not_signed(session_id))?;
    output_file::write("manifest", path, &newest.text())
}

fn not_signed(session_id: ExamSessionId) -> CliError {
    let message = format!("nothing of the recording of session {session_id} is signed");
    CliError::not_found(message)
        .code("recording.not_signed")
        .field("manifest")
        .next(
            "leave --manifest out, or wait until the recording is closed: a terminal process with \
             --recording-signing-key-file signs it then",
        )
}

fn not_exported(error: ExportError, to: &Path) -> CliError {
    match error {
        ExportError::Read(error) => unreadable(error),
        ExportError::Write { source, .. } => {
            let message = format!("{} does not take the recording", to.display());
            CliError::transient(message)
                .field("to")
                .caused_by(&source)
                .next("free space, or name another file")
        }
    }
}
