//! A walk along a chain.

use std::collections::BTreeMap;

use session_identity::TerminalProcessId;

use crate::codec::Entries;
use crate::manifest::SignedManifest;
use crate::place::Place;
use crate::segment::{FIRST_HASH, Hash};
use crate::store::{Head, StoredSegment};

/// How far a chain was walked.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) next_seq: i64,
    pub(super) last_hash: Hash,
    /// How many segments it had when it was closed.
    pub(super) closed_with: Option<i64>,
    /// The hashes of the places of which manifests speak, once the walk has come there.
    signed: BTreeMap<i64, Option<Hash>>,
    /// What each writer recorded last: its number, and where it had come.
    writers: BTreeMap<TerminalProcessId, (u64, Place)>,
}

impl Walk {
    pub(super) fn of(manifests: &[SignedManifest]) -> Self {
        let places = manifests.iter().map(|signed| signed.manifest.segments);
        Self {
            signed: places.map(|place| (place, None)).collect(),
            ..Self::default()
        }
    }

    pub(super) fn step(&mut self, stored: &StoredSegment) -> Result<(), String> {
        let header = &stored.segment.header;
        if stored.seq != self.next_seq {
            return Err(format!("the segment is missing; {} comes next", stored.seq));
        }
        let previous = if self.next_seq == 0 {
            FIRST_HASH
        } else {
            self.last_hash
        };
        let log = stored.segment.log().map_err(|error| error.to_string())?;
        let hash = stored.segment.hash_after(&previous);
        if hash != stored.hash {
            return Err("its hash is not made of its header and the hash before".to_owned());
        }
        self.in_order(stored)?;
        let (mut entries, mut offset) = (0, header.from_offset);
        for timed in Entries::new(log) {
            let timed = timed.map_err(|error| error.to_string())?;
            entries += 1;
            offset = offset.saturating_add(timed.entry.advance());
        }
        if (entries, offset) != (header.entries, header.to_offset) {
            return Err("its entries are not those that its header counts".to_owned());
        }
        self.last_hash = hash;
        self.next_seq += 1;
        Ok(())
    }

    /// The hash of so many segments, if a manifest speaks of them and they were walked.
    pub(super) fn hash_of(&self, segments: i64) -> Option<Hash> {
        self.signed.get(&segments).copied().flatten()
    }

    /// A writer's segments come in its own order, none left out, and never go back.
    fn in_order(&mut self, stored: &StoredSegment) -> Result<(), String> {
        let header = &stored.segment.header;
        let begin = Place {
            shell_epoch: header.shell_epoch,
            offset: header.from_offset,
        };
        let expected = self.writers.get(&header.writer);
        let (number, reached) =
            expected.map_or((0, Place::default()), |(last, place)| (last + 1, *place));
        if header.writer_seq != number {
            return Err(format!(
                "it is segment {} of its writer, whose segment {number} is not there",
                header.writer_seq
            ));
        }
        if begin < reached {
            return Err(format!(
                "it begins at offset {} of shell {}, which its writer had passed",
                begin.offset, begin.shell_epoch
            ));
        }
        let end = Place {
            offset: header.to_offset,
            ..begin
        };
        self.writers.insert(header.writer, (number, end));
        Ok(())
    }

    /// Notes whether the recording was closed where the walk is now, and what could have been signed there.
    pub(super) fn note_place(&mut self, head: &Head) {
        if let Some(hash) = self.signed.get_mut(&self.next_seq) {
            *hash = Some(self.last_hash);
        }
        if head.final_hash == Some(self.last_hash) {
            self.closed_with.get_or_insert(self.next_seq);
        }
    }

    pub(super) fn end(&self, head: &Head) -> Result<(), String> {
        if self.next_seq != head.next_seq {
            return Err("the segment and what follows it are missing".to_owned());
        }
        if head.next_seq > 0 && self.last_hash != head.last_hash {
            return Err("the recording ends with another hash than its last segment".to_owned());
        }
        if head.final_hash.is_some() && self.closed_with.is_none() {
            return Err(
                "the recording was closed with a hash that none of its segments has".to_owned(),
            );
        }
        Ok(())
    }
}
