//! `session-recording verify`.

use std::path::PathBuf;

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use session_identity::ExamSessionId;

use super::{no_recording, unreadable};
use crate::manifest::{PublicKey, SignatureStatus};
use crate::verify::{GapRecord, Verification, verify_signed};

/// Whose recording.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The session
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
    /// A public key of those who sign, PEM; once for each key that was in use. What none of them signed is not
    /// taken for proven
    #[arg(long = "public-key", value_name = "FILE")]
    public_keys: Vec<PathBuf>,
}

pub(super) async fn run(args: VerifyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let keys = public_keys(&args.public_keys)?;
    let mut conn = globals.connect().await?.acquire().await?;
    let found = verify_signed(&mut conn, args.session_id, &keys).await;
    let found = found.map_err(unreadable)?;
    let found = found.ok_or_else(|| no_recording(args.session_id))?;
    let exit = if found.is_intact && is_proven(found.signature, &keys) {
        Exit::Ok
    } else {
        Exit::Unhealthy
    };
    let text = text(&found);
    let document = Document::new("session-recording/verify.v1", found);
    Ok(document.with_text(text).with_exit(exit))
}

fn public_keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, CliError> {
    let keys = paths.iter().map(|path| PublicKey::from_file(path));
    let keys: Result<_, _> = keys.collect();
    keys.map_err(|error| CliError::usage("public-key", error.to_string()))
}

/// Who gives keys wants to be told that they do not fit.
fn is_proven(signature: SignatureStatus, keys: &[PublicKey]) -> bool {
    match signature {
        SignatureStatus::Valid => true,
        SignatureStatus::Invalid => false,
        SignatureStatus::Missing | SignatureStatus::UnknownKey => keys.is_empty(),
    }
}

fn text(found: &Verification) -> String {
    let mut lines = vec![headline(found), signature_line(found)];
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

fn signature_line(found: &Verification) -> String {
    let newest = found.manifests.last();
    let by = newest.map_or_else(String::new, |newest| {
        format!(
            ": {} segments, at {}, with key {}",
            newest.segments, newest.signed_at, newest.key_id
        )
    });
    let says = match found.signature {
        SignatureStatus::Valid => "  signature valid",
        SignatureStatus::Invalid => "  SIGNATURE INVALID",
        SignatureStatus::Missing => "  signature missing",
        SignatureStatus::UnknownKey => "  signed with a key that is not at hand",
    };
    format!("{says}{by}")
}

fn gap_line(gap: &GapRecord) -> String {
    format!(
        "  gap in shell {} at offset {}: {} bytes, {}",
        gap.place.shell_epoch, gap.place.offset, gap.bytes, gap.reason
    )
}
