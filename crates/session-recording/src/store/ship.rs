//! The one way of segments into a session's chain.

use chrono::DateTime;
use session_identity::ExamSessionId;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::segment::{FIRST_HASH, Hash, Segment};

/// What a chain ends with, under its lock.
struct Head {
    next_seq: i64,
    last_hash: Hash,
}

/// Columns of rows to be inserted, each a list.
#[derive(Default)]
struct Rows {
    seqs: Vec<i64>,
    writers: Vec<Uuid>,
    writer_seqs: Vec<i64>,
    shell_epochs: Vec<i64>,
    from_offsets: Vec<i64>,
    to_offsets: Vec<i64>,
    started_ats: Vec<DateTime<chrono::Utc>>,
    entries: Vec<i32>,
    raw_lengths: Vec<i32>,
    raw_hashes: Vec<Vec<u8>>,
    hashes: Vec<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
}

/// Appends a session's segments to its chain, in their order, those that are in it already left out.
/// The lock on the head makes one chain of what several processes ship. Returns how many were new.
///
/// # Errors
/// Errors of the database; then none was appended.
pub(crate) async fn ship(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    segments: &[Segment],
) -> Result<usize, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let mut head = lock_head(&mut tx, session_id).await?;
    let known = known_segments(&mut tx, session_id, segments).await?;
    let mut rows = Rows::default();
    for segment in segments {
        let header = &segment.header;
        let name = (header.writer.as_uuid(), signed(header.writer_seq));
        if !known.contains(&name) {
            rows.push(&mut head, segment);
        }
    }
    let shipped = rows.seqs.len();
    if shipped > 0 {
        insert(&mut tx, session_id, &rows).await?;
        check_head(&mut tx, session_id, &head).await?;
        advance_head(&mut tx, session_id, &rows).await?;
    }
    tx.commit().await?;
    Ok(shipped)
}

impl Rows {
    fn push(&mut self, head: &mut Head, segment: &Segment) {
        let header = &segment.header;
        let hash = segment.hash_after(&head.last_hash);
        self.seqs.push(head.next_seq);
        self.writers.push(header.writer.as_uuid());
        self.writer_seqs.push(signed(header.writer_seq));
        self.shell_epochs.push(i64::from(header.shell_epoch));
        self.from_offsets.push(signed(header.from_offset));
        self.to_offsets.push(signed(header.to_offset));
        let started_at = DateTime::from_timestamp_micros(header.started_at_micros);
        self.started_ats.push(started_at.unwrap_or_default());
        self.entries.push(narrow(header.entries));
        self.raw_lengths.push(narrow(header.raw_length));
        self.raw_hashes.push(segment.raw_hash.to_vec());
        self.hashes.push(hash.to_vec());
        self.payloads.push(segment.payload.to_vec());
        *head = Head {
            next_seq: head.next_seq + 1,
            last_hash: hash,
        };
    }
}

/// Offsets of one shell stay far below 2^63, and so do counts.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A segment has at most 64 KiB, and an entry at least a byte.
fn narrow(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

async fn lock_head(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Head, sqlx::Error> {
    // A database that was restored may not know a recording that a spool knows.
    sqlx::query!(
        "INSERT INTO session_recordings (session_id) VALUES ($1) ON CONFLICT DO NOTHING",
        session_id.as_uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "SELECT next_seq, last_hash FROM session_recordings WHERE session_id = $1 FOR UPDATE",
        session_id.as_uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Head {
        next_seq: row.next_seq,
        last_hash: row.last_hash.try_into().unwrap_or(FIRST_HASH),
    })
}

/// Which of these segments are in the chain already, by writer and number.
async fn known_segments(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    segments: &[Segment],
) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    let of = |segment: &Segment| segment.header.writer.as_uuid();
    let writers: Vec<_> = segments.iter().map(of).collect();
    let of = |segment: &Segment| signed(segment.header.writer_seq);
    let seqs: Vec<_> = segments.iter().map(of).collect();
    let rows = sqlx::query!(
        "SELECT writer, writer_seq FROM recording_segments
         WHERE session_id = $1
           AND (writer, writer_seq) IN (SELECT * FROM unnest($2::uuid[], $3::bigint[]))",
        session_id.as_uuid(),
        &writers,
        &seqs,
    )
    .fetch_all(conn)
    .await?;
    let names = rows.into_iter().map(|row| (row.writer, row.writer_seq));
    Ok(names.collect())
}

async fn insert(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    rows: &Rows,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO recording_segments (session_id, seq, writer, writer_seq, shell_epoch,
             from_offset, to_offset, started_at, entries, raw_length, raw_hash, hash, payload)
         SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::timestamptz[], $9::integer[], $10::integer[],
             $11::bytea[], $12::bytea[], $13::bytea[])",
        session_id.as_uuid(),
        &rows.seqs,
        &rows.writers,
        &rows.writer_seqs,
        &rows.shell_epochs,
        &rows.from_offsets,
        &rows.to_offsets,
        &rows.started_ats,
        &rows.entries,
        &rows.raw_lengths,
        &rows.raw_hashes,
        &rows.hashes,
        &rows.payloads,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The trigger on segments moves the chain. Where it is missing, the next would break the chain.
async fn check_head(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    expected: &Head,
) -> Result<(), sqlx::Error> {
    let next_seq = sqlx::query_scalar!(
        "SELECT next_seq FROM session_recordings WHERE session_id = $1",
        session_id.as_uuid(),
    )
    .fetch_one(conn)
    .await?;
    if next_seq == expected.next_seq {
        return Ok(());
    }
    Err(sqlx::Error::Protocol(format!(
        "next_seq of recording {session_id} is {next_seq} instead of {} after its segments were inserted; \
         apply all migrations",
        expected.next_seq,
    )))
}

async fn advance_head(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    rows: &Rows,
) -> Result<(), sqlx::Error> {
    let reached = rows.shell_epochs.iter().zip(&rows.to_offsets).max();
    let (epoch, offset) = reached.map_or((0, 0), |(epoch, offset)| (*epoch, *offset));
    let raw: i64 = rows
        .raw_lengths
        .iter()
        .map(|length| i64::from(*length))
        .sum();
    let stored: usize = rows.payloads.iter().map(Vec::len).sum();
    // What a dead process ships late may lie before what others have shipped. The chain itself was moved
    // by the trigger on its segments.
    sqlx::query!(
        "UPDATE session_recordings
         SET shell_epoch = greatest(shell_epoch, $2::bigint),
             recorded_to = CASE WHEN (shell_epoch, recorded_to) < ($2::bigint, $3::bigint) THEN $3::bigint ELSE recorded_to END,
             raw_bytes = raw_bytes + $4, stored_bytes = stored_bytes + $5
         WHERE session_id = $1",
        session_id.as_uuid(),
        epoch,
        offset,
        raw,
        i64::try_from(stored).unwrap_or(i64::MAX),
    )
    .execute(conn)
    .await
    .map(drop)
}
