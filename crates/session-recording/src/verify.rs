//! Whether a recording is the one that was made.

mod signatures;
mod walk;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::entry::Entry;
use crate::manifest::{ManifestRecord, PublicKey, SignatureStatus, SignedManifest};
use crate::place::Place;
use crate::replay::{ReadError, Replay, Seen};
use crate::segment::Hash;
use crate::store::{Head, load_chain, load_head, load_manifests};
use signatures::Judge;
use walk::Walk;

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

/// [`verify_signed`] with nothing at hand: who signed is not known.
///
/// # Errors
/// [`ReadError`], where the database does not answer.
pub async fn verify(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Verification>, ReadError> {
    verify_signed(conn, session_id, &[], &[]).await
}

/// Walks a session's chain from its first segment: numbers, hashes, payloads, offsets; holds what was signed
/// against it, by these keys, in the database and in manifests that were `exported` before. Then replays it
/// to find what is missing. Nothing where there is no recording.
///
/// # Errors
/// [`ReadError`], where the database does not answer.
pub async fn verify_signed(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    keys: &[PublicKey],
    exported: &[SignedManifest],
) -> Result<Option<Verification>, ReadError> {
    let failed = |source| ReadError::Database { session_id, source };
    // Before the head, which never covers less than what was signed of it.
    let mut manifests = load_manifests(conn, session_id).await.map_err(failed)?;
    for kept in exported {
        if !manifests.contains(kept) {
            manifests.push(kept.clone());
        }
    }
    manifests.sort_by_key(|signed| (signed.manifest.segments, signed.manifest.signed_at));
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
    let judge = Judge {
        head: &head,
        walk: &walk,
        keys,
    };
    judge.judge(&mut found, &manifests, exported);
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
