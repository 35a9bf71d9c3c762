//! `session-recording keygen`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use command_line::{CliError, Document};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::output_file;
use crate::manifest::KeyPair;

/// Where the key goes.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// A file that does not exist yet, for the key that signs: PKCS#8 PEM, for its owner only
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// A file that does not exist yet, for the key that verifies: PEM, for whoever is to verify
    #[arg(long, value_name = "FILE")]
    public_to: PathBuf,
}

pub(super) fn run(args: &KeygenArgs) -> Result<Document, CliError> {
    let pair = KeyPair::generate().map_err(CliError::bug)?;
    // The public half first: nothing that a kill leaves behind signs what nobody can verify.
    output_file::publish("public-to", &args.public_to, &pair.public_pem)?;
    let private = output_file::write_at_once("to", &args.to, pair.private_pem.expose_secret());
    private.inspect_err(|_| {
        // A key whose other half is nowhere is of no use to anybody.
        fs::remove_file(&args.public_to).ok();
    })?;
    let data = json!({ "key_id": pair.id, "to": args.to, "public_to": args.public_to });
    let text = format!("key {} in {}", pair.id, args.to.display());
    Ok(Document::new("session-recording/keygen.v1", data).with_text(text))
}
