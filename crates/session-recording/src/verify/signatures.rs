//! What was signed, held against the recording.

use super::Verification;
use super::walk::Walk;
use crate::manifest::{ManifestRecord, PublicKey, SignatureStatus, SignedManifest};
use crate::segment::Hash;
use crate::store::Head;

/// What a manifest is held against.
pub(super) struct Judge<'a> {
    pub(super) head: &'a Head,
    pub(super) walk: &'a Walk,
    pub(super) keys: &'a [PublicKey],
}

impl Judge<'_> {
    /// Tells of each manifest what it proves, and of all of them what they prove of the recording: that of
    /// the most segments decides. `exported` are those of them that were kept elsewhere.
    pub(super) fn judge(
        &self,
        found: &mut Verification,
        manifests: &[SignedManifest],
        exported: &[SignedManifest],
    ) {
        found.manifests = manifests.iter().map(|signed| self.record(signed)).collect();
        let is_other = exported
            .iter()
            .any(|signed| self.status(signed) == SignatureStatus::Invalid)
            || manifests.iter().any(|signed| self.is_of_another(signed));
        found.signature = if is_other {
            SignatureStatus::Invalid
        } else {
            of_all(found)
        };
    }

    fn record(&self, signed: &SignedManifest) -> ManifestRecord {
        ManifestRecord {
            segments: signed.manifest.segments,
            signed_at: signed.manifest.signed_at,
            key_id: signed.manifest.key_id,
            signature: self.status(signed),
        }
    }

    /// A manifest that speaks of another recording is no better than one with a wrong signature.
    fn status(&self, signed: &SignedManifest) -> SignatureStatus {
        if self.fits(signed) {
            signed.check(self.keys)
        } else {
            SignatureStatus::Invalid
        }
    }

    /// Somebody whose key is at hand signed another recording than this one.
    fn is_of_another(&self, signed: &SignedManifest) -> bool {
        !self.fits(signed) && signed.check(self.keys) == SignatureStatus::Valid
    }

    fn fits(&self, signed: &SignedManifest) -> bool {
        let manifest = &signed.manifest;
        let hash: Option<Hash> = self.walk.hash_of(manifest.segments);
        hash == Some(manifest.last_hash)
            && self.head.session_id == manifest.session_id
            && self.head.closed_at == Some(manifest.closed_at)
            && self.head.final_hash == Some(manifest.final_hash)
    }
}

/// Of several manifests of as many segments one that is valid is enough: anybody who may write the table
/// can put another beside it. One of fewer segments says nothing that it does not.
fn of_all(found: &Verification) -> SignatureStatus {
    let most = found.manifests.iter().map(|one| one.segments).max();
    let is = |one: &ManifestRecord, status| one.signature == status;
    let is_proven =
        |one: &ManifestRecord| Some(one.segments) == most && is(one, SignatureStatus::Valid);
    if found.manifests.iter().any(is_proven) {
        return if found.broken.is_none() && most == Some(found.segments) {
            SignatureStatus::Valid
        } else {
            SignatureStatus::Missing
        };
    }
    let any = |status| found.manifests.iter().any(|one| is(one, status));
    if any(SignatureStatus::Invalid) {
        SignatureStatus::Invalid
    } else if found.broken.is_none() && most == Some(found.segments) {
        SignatureStatus::UnknownKey
    } else {
        SignatureStatus::Missing
    }
}
