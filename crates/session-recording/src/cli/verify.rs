//! `session-recording verify`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use session_identity::ExamSessionId;

use super::{no_recording, unreadable};
use crate::manifest::{PublicKey, SignatureStatus, SignedManifest};
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
    /// A manifest that `export --manifest` wrote before, and that was kept elsewhere; once for each. A recording
    /// that is not, or no longer, the one of which it speaks is invalid
    #[arg(long = "manifest", value_name = "FILE")]
    manifests: Vec<PathBuf>,
}

pub(super) async fn run(args: VerifyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let keys = public_keys(&args.public_keys)?;
    let exported = args
        .manifests
        .iter()
        .map(|path| exported(path, args.session_id));
    let exported: Vec<_> = exported.collect::<Result<_, _>>()?;
    let mut conn = globals.connect().await?.acquire().await?;
    let found = verify_signed(&mut conn, args.session_id, &keys, &exported).await;
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

fn exported(path: &Path, session_id: ExamSessionId) -> Result<SignedManifest, CliError> {
    let wrong = |why: String| {
        let message = format!("{} is no manifest of this recording: {why}", path.display());
        CliError::usage("manifest", message).next("name a file that `export --manifest` wrote")
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let signed: SignedManifest = text.parse().map_err(|error| wrong(format!("{error}")))?;
    let of = signed.manifest.session_id;
    if of == session_id {
        Ok(signed)
    } else {
        Err(wrong(format!("it speaks of session {of}")))
    }
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
    if found.segments_after_close > 0 {
        let late = found.segments_after_close;
        lines.push(format!("  {late} segments came after it was closed"));
    }
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
    // That of which it is true; where there is none, the newest tells how far somebody had signed.
    let mut from_newest = found.manifests.iter().rev();
    let told = from_newest.find(|one| one.signature == found.signature);
    let by = told
        .or(found.manifests.last())
        .map_or_else(String::new, |told| {
            format!(
                ": {} segments, at {}, with key {}",
                told.segments, told.signed_at, told.key_id
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
