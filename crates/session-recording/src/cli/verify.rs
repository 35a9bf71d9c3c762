//! `session-recording verify`.

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use session_identity::ExamSessionId;

use super::{no_recording, unreadable};
use crate::verify::{GapRecord, Verification, verify};

/// Whose recording.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The session
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
}

pub(super) async fn run(args: VerifyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut conn = globals.connect().await?.acquire().await?;
    let found = verify(&mut conn, args.session_id).await;
    let found = found.map_err(unreadable)?;
    let found = found.ok_or_else(|| no_recording(args.session_id))?;
    let exit = if found.is_intact {
        Exit::Ok
    } else {
        Exit::Unhealthy
    };
    let text = text(&found);
    let document = Document::new("session-recording/verify.v1", found);
    Ok(document.with_text(text).with_exit(exit))
}

fn text(found: &Verification) -> String {
    let mut lines = vec![headline(found)];
    lines.extend(found.shells.iter().map(|shell| {
        format!(
            "  shell {}: {} bytes of output, {} missing",
            shell.shell_epoch, shell.output_bytes, shell.gap_bytes
        )
    }));
    lines.extend(found.gaps.iter().map(gap_line));
    lines.join("\n")
}

fn headline(found: &Verification) -> String {
    match &found.broken {
        Some(broken) => format!("BROKEN at segment {}: {}", broken.seq, broken.problem),
        None if found.is_intact => format!(
            "intact: {} segments, last hash {}",
            found.segments,
            hex::encode(found.last_hash)
        ),
        None => "BROKEN: output is missing that nobody tells of".to_owned(),
    }
}

fn gap_line(gap: &GapRecord) -> String {
    format!(
        "  gap in shell {} at offset {}: {} bytes, {}",
        gap.place.shell_epoch, gap.place.offset, gap.bytes, gap.reason
    )
}
