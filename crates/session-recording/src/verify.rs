//! Whether a recording is the one that was made.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgConnection;

use crate::codec::Entries;
use crate::entry::Entry;
use crate::manifest::{ManifestRecord, PublicKey, SignatureStatus, SignedManifest};
use crate::place::Place;
use crate::replay::{ReadError, Replay, Seen};
use crate::segment::{FIRST_HASH, Hash};
use crate::store::{Head, StoredSegment, load_chain, load_head, load_manifests};

/// Gaps that a report lists at most; it counts all of them.
const LISTED_GAPS: usize = 1000;

/// What was found about a recording.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// The session.
    pub session_id: ExamSessionId,
    /// Whether every segment is the one recorded, in its place, and no byte is missing without a word.
    pub is_intact: bool,
    /// How many segments there are, up to the first that is broken.
    pub segments: i64,
    /// The hash of the last of them. Noted elsewhere, it proves later that none was exchanged.
    #[serde(serialize_with = "in_hex")]
    pub last_hash: Hash,
    /// When the recording was closed, if it was.
    pub closed_at: Option<DateTime<Utc>>,
    /// Segments that arrived after it was closed: what a dead process had left.
    pub segments_after_close: i64,
    /// What the manifests prove of all of it.
    pub signature: SignatureStatus,
    /// What was signed, and when.
    pub manifests: Vec<ManifestRecord>,
    /// Where the chain is broken first; nothing where it holds.
    pub broken: Option<Broken>,
    /// What is on record of each shell; empty where the chain is broken.
    pub shells: Vec<ShellRecord>,
    /// Output that is not on record, in its order, the first thousand; empty where the chain is broken.
    pub gaps: Vec<GapRecord>,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The place in the chain.
    pub seq: i64,
    /// What is wrong there.
    pub problem: String,
}

/// What is on record of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShellRecord {
    /// Which shell.
    pub shell_epoch: u32,
    /// Bytes of output on record.
    pub output_bytes: u64,
    /// Bytes of output that are not.
    pub gap_bytes: u64,
}

/// Output that is not on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapRecord {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// How many bytes.
    pub bytes: u64,
    /// Why: `missed`, `unrecorded`, `damaged`, or `hole` where nobody says.
    pub reason: &'static str,
}

fn in_hex<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(hash))
}

/// [`verify_signed`] without a key at hand: who signed is not known.
///
/// # Errors
/// [`ReadError`], where the database does not answer.
pub async fn verify(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Verification>, ReadError> {
    verify_signed(conn, session_id, &[]).await
}

/// Walks a session's chain from its first segment: numbers, hashes, payloads, offsets; holds what was signed
/// against it. Then replays it to find what is missing. Nothing where there is no recording.
///
/// # Errors
/// [`ReadError`], where the database does not answer.
pub async fn verify_signed(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    keys: &[PublicKey],
) -> Result<Option<Verification>, ReadError> {
    let failed = |source| ReadError::Database { session_id, source };
    // Before the head, which never covers less than what was signed of it.
    let manifests = load_manifests(conn, session_id).await.map_err(failed)?;
    let Some(head) = load_head(conn, session_id).await.map_err(failed)? else {
        return Ok(None);
    };
    let mut walk = Walk::of(&manifests);
    walk.note_place(&head);
    let broken = walk_chain(conn, session_id, &head, &mut walk).await;
    let broken = broken.map_err(failed)?;
    let mut found = Verification {
        session_id,
        is_intact: broken.is_none(),
        segments: walk.next_seq,
        last_hash: walk.last_hash,
        closed_at: head.closed_at,
        segments_after_close: walk.closed_with.map_or(0, |closed| walk.next_seq - closed),
        signature: SignatureStatus::Missing,
        manifests: Vec::new(),
        broken,
        shells: Vec::new(),
        gaps: Vec::new(),
    };
    judge(&mut found, &manifests, &walk, keys);
    if found.is_intact {
        replay(conn, &mut found).await?;
    }
    Ok(Some(found))
}

async fn walk_chain(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    head: &Head,
    walk: &mut Walk,
) -> Result<Option<Broken>, sqlx::Error> {
    // What is shipped while we walk is for the next walk.
    while walk.next_seq < head.next_seq {
        let segments = load_chain(conn, session_id, walk.next_seq).await?;
        let reached = walk.next_seq;
        for stored in segments.iter().filter(|stored| stored.seq < head.next_seq) {
            if let Err(problem) = walk.step(stored) {
                let seq = walk.next_seq;
                return Ok(Some(Broken { seq, problem }));
            }
            walk.note_place(head);
        }
        // Nothing, or nothing that belongs to it: the end is judged below.
        if walk.next_seq == reached {
            break;
        }
    }
    Ok(walk.end(head).err().map(|problem| Broken {
        seq: walk.next_seq,
        problem,
    }))
}

/// How far a chain was walked.
#[derive(Debug, Default)]
struct Walk {
    next_seq: i64,
    last_hash: Hash,
    /// How many segments it had when it was closed.
    closed_with: Option<i64>,
    /// The hashes of the places of which manifests speak, once the walk has come there.
    signed: BTreeMap<i64, Option<Hash>>,
    /// What each writer recorded last: its number, and where it had come.
    writers: BTreeMap<TerminalProcessId, (u64, Place)>,
}

impl Walk {
    fn of(manifests: &[SignedManifest]) -> Self {
        let places = manifests.iter().map(|signed| signed.manifest.segments);
        Self {
            signed: places.map(|place| (place, None)).collect(),
            ..Self::default()
        }
    }

    fn step(&mut self, stored: &StoredSegment) -> Result<(), String> {
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
    fn note_place(&mut self, head: &Head) {
        if let Some(hash) = self.signed.get_mut(&self.next_seq) {
            *hash = Some(self.last_hash);
        }
        if head.final_hash == Some(self.last_hash) {
            self.closed_with.get_or_insert(self.next_seq);
        }
    }

    fn end(&self, head: &Head) -> Result<(), String> {
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

/// Holds what was signed against the recording. A manifest that speaks of another one is no better than
/// one with a wrong signature; of several, the newest is about all of it.
fn judge(found: &mut Verification, manifests: &[SignedManifest], walk: &Walk, keys: &[PublicKey]) {
    for signed in manifests {
        let manifest = &signed.manifest;
        let walked = walk.signed.get(&manifest.segments).copied().flatten();
        let is_of_this =
            walked == Some(manifest.last_hash) && found.closed_at == Some(manifest.closed_at);
        let signature = if is_of_this {
            signed.check(keys)
        } else {
            SignatureStatus::Invalid
        };
        found.manifests.push(ManifestRecord {
            segments: manifest.segments,
            signed_at: manifest.signed_at,
            key_id: manifest.key_id,
            signature,
        });
    }
    let mut all = found.manifests.iter();
    found.signature = match found.manifests.last() {
        _ if all.any(|one| one.signature == SignatureStatus::Invalid) => SignatureStatus::Invalid,
        Some(newest) if newest.segments == found.segments => newest.signature,
        _ => SignatureStatus::Missing,
    };
}

async fn replay(conn: &mut PgConnection, found: &mut Verification) -> Result<(), ReadError> {
    let mut shells: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut replay = Replay::open(conn, found.session_id).await?;
    while let Some(moment) = replay.next(conn).await? {
        let (output, missing) = shells.entry(moment.place.shell_epoch).or_default();
        let (bytes, reason) = match moment.seen {
            Seen::Entry(Entry::Output(bytes)) => {
                *output += bytes.len() as u64;
                continue;
            }
            Seen::Entry(Entry::Gap(gap)) => (gap.bytes, gap.reason.as_str()),
            Seen::Hole(bytes) => {
                found.is_intact = false;
                (bytes, "hole")
            }
            Seen::Entry(_) => continue,
        };
        *missing += bytes;
        if found.gaps.len() < LISTED_GAPS {
            let place = moment.place;
            found.gaps.push(GapRecord {
                place,
                bytes,
                reason,
            });
        }
    }
    let shell = |(shell_epoch, (output_bytes, gap_bytes))| ShellRecord {
        shell_epoch,
        output_bytes,
        gap_bytes,
    };
    found.shells = shells.into_iter().map(shell).collect();
    Ok(())
}
