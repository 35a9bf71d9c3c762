//! Manifests that were kept as text.

use std::str::{FromStr, Lines};

use chrono::{DateTime, Utc};

use super::{FIRST_LINE, KeyId, Manifest, SignedManifest};

/// Why a text is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not there, or not in the form in which `export --manifest` writes it")]
pub struct ManifestTextError(&'static str);

impl FromStr for SignedManifest {
    type Err = ManifestTextError;

    /// Reads what [`text`](SignedManifest::text) writes, and nothing else: there is one form of a manifest.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = &mut text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ManifestTextError("first line"));
        }
        let signed = Self {
            manifest: Manifest {
                session_id: value(lines, "session_id")?,
                segments: value(lines, "segments")?,
                last_hash: bytes(lines, "last_hash")?,
                closed_at: value::<DateTime<Utc>>(lines, "closed_at")?,
                final_hash: bytes(lines, "final_hash")?,
                signed_at: value::<DateTime<Utc>>(lines, "signed_at")?,
                key_id: KeyId(bytes(lines, "key_id")?),
            },
            signature: bytes(lines, "signature")?,
        };
        if signed.text() == text {
            Ok(signed)
        } else {
            Err(ManifestTextError("end"))
        }
    }
}

fn word<'a>(lines: &mut Lines<'a>, name: &'static str) -> Result<&'a str, ManifestTextError> {
    let value = lines
        .next()
        .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.ok_or(ManifestTextError(name))
}

fn value<T: FromStr>(lines: &mut Lines<'_>, name: &'static str) -> Result<T, ManifestTextError> {
    word(lines, name)?
        .parse()
        .map_err(|_| ManifestTextError(name))
}

fn bytes<const N: usize>(
    lines: &mut Lines<'_>,
    name: &'static str,
) -> Result<[u8; N], ManifestTextError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(word(lines, name)?, &mut bytes).map_err(|_| ManifestTextError(name))?;
    Ok(bytes)
}
