//! What was recorded of a session, signed: for whoever does not trust the tables' owner.

mod key;
mod parse;

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use session_identity::ExamSessionId;

pub use key::{KeyFileError, KeyId, KeyPair, KeyProblem, PublicKey, SigningKey};
pub use parse::ManifestTextError;

use crate::segment::Hash;

/// Begins every manifest: the signature of one never fits a text of another kind.
const FIRST_LINE: &str = "carrel-recording-manifest-v1";

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// What a recording consisted of when it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The session.
    pub session_id: ExamSessionId,
    /// How many segments, from the first, it speaks of.
    pub segments: i64,
    /// The hash of the last of them; zeros where there is none.
    pub last_hash: Hash,
    /// When the recording was closed, by the database's clock, in microseconds.
    pub closed_at: DateTime<Utc>,
    /// The hash of the last segment that it had then: what follows arrived later.
    pub final_hash: Hash,
    /// When it was signed, by the signing process's clock, in microseconds.
    pub signed_at: DateTime<Utc>,
    /// The key.
    pub key_id: KeyId,
}

impl Manifest {
    /// The one form of a manifest, which is what is signed: a line for each field, each ended by a newline.
    pub fn text(&self) -> String {
        let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!(
            "{FIRST_LINE}\nsession_id {}\nsegments {}\nlast_hash {}\nclosed_at {}\nfinal_hash {}\nsigned_at {}\nkey_id {}\n",
            self.session_id,
            self.segments,
            hex::encode(self.last_hash),
            time(&self.closed_at),
            hex::encode(self.final_hash),
            time(&self.signed_at),
            self.key_id,
        )
    }

    /// Signs it.
    pub(crate) fn sign(self, key: &SigningKey) -> SignedManifest {
        let signature = key.sign(self.text().as_bytes());
        SignedManifest {
            manifest: self,
            signature,
        }
    }
}

/// A manifest and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    /// What was signed.
    pub manifest: Manifest,
    /// The signature of its text.
    pub signature: Signature,
}

impl SignedManifest {
    /// The text that was signed, and a last line with the signature in hexadecimal digits.
    pub fn text(&self) -> String {
        let mut text = self.manifest.text();
        // Writing to a String does not fail.
        writeln!(text, "signature {}", hex::encode(self.signature)).ok();
        text
    }

    /// Holds the signature against those of these keys that it names.
    pub(crate) fn check(&self, keys: &[PublicKey]) -> SignatureStatus {
        let text = self.manifest.text();
        let mut named = keys.iter().filter(|key| key.id() == self.manifest.key_id);
        match named.next() {
            None => SignatureStatus::UnknownKey,
            Some(key) if key.verifies(text.as_bytes(), &self.signature) => SignatureStatus::Valid,
            Some(_) => SignatureStatus::Invalid,
        }
    }
}

/// What the signatures of a recording prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureStatus {
    /// All of the recording is what a key at hand signed.
    Valid,
    /// A manifest is not what its key signed, or speaks of another recording than this one, and none beside it is
    /// valid; or a key at hand signed another recording; or a manifest that was kept elsewhere is not of this one.
    Invalid,
    /// Nobody has signed all of it: it is not closed, has grown since, or no process had a key.
    Missing,
    /// All of it is signed, with a key that is not at hand.
    UnknownKey,
}

/// A manifest, as a report tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestRecord {
    /// How many segments, from the first, it speaks of.
    pub segments: i64,
    /// When it was signed, by the signing process's clock.
    #[serde(serialize_with = "in_microseconds")]
    pub signed_at: DateTime<Utc>,
    /// The key.
    pub key_id: KeyId,
    /// What it proves of those segments.
    pub signature: SignatureStatus,
}

/// As its text has it, so that both can be compared.
fn in_microseconds<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests;
