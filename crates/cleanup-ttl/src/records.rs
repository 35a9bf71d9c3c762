//! Records that outlive what they tell of, and go when nobody asks for them any more.

use std::fmt;
use std::time::{Duration, Instant};

#[cfg(feature = "cli")]
use chrono::{DateTime, Utc};
use clap::Args;
use environment_access::{count_old_access, delete_old_access};
use serde::Serialize;
use session_lifecycle::{count_old_request_keys, delete_old_request_keys};
use session_recording::{count_old_recordings, delete_old_recordings};
use sqlx::PgConnection;

use crate::SweepError;

/// Recordings deleted by one statement: each has hundreds of segments, and sixteen thousand at the most.
const RECORDINGS_AT_ONCE: i64 = 1;
/// No further recording is begun once a pass has spent so long on them: others wait behind it.
const RECORDINGS_WITHIN: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_hours(24);

/// How long records are kept.
#[derive(Args, Clone, Copy, Debug)]
pub struct RecordArgs {
    /// Days that lines of the access log are kept: 30 to 3650. An appeal against an exam of last year
    /// finds them by default.
    #[arg(
        long,
        env = "CARREL_ACCESS_LOG_DAYS",
        default_value_t = 400,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u16).range(30..=3650)
    )]
    pub access_log_days: u16,
    /// Days that an Idempotency-Key is kept after its session has ended: 1 to 365. Those of live
    /// sessions always are.
    #[arg(
        long,
        env = "CARREL_IDEMPOTENCY_KEY_DAYS",
        default_value_t = 7,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u16).range(1..=365)
    )]
    pub idempotency_key_days: u16,
    /// Days that recordings of terminals are kept after their session has ended: 30 to 3650, or 0 for
    /// ever. That of a session which has not ended always is.
    #[arg(
        long,
        env = "CARREL_RECORDING_DAYS",
        default_value_t = 400,
        value_name = "DAYS",
        value_parser = recording_days
    )]
    pub recording_days: u16,
}

fn recording_days(days: &str) -> Result<u16, String> {
    let days = days.parse().ok();
    days.filter(|days| *days == 0 || (30..=3650).contains(days))
        .ok_or_else(|| "expected 30 to 3650 days, or 0 for ever".to_owned())
}

/// How long records are kept, and how many go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRetention {
    /// Lines of the access log.
    pub access_log: Duration,
    /// Keys of requests, after the end of their session.
    pub idempotency_keys: Duration,
    /// Recordings, after the end of their session; nothing where they are kept for ever.
    pub recordings: Option<Duration>,
    /// Rows deleted by one statement.
    pub batch: i64,
    /// Statements of one pass and table: what is left waits for the next, so that no pass is long.
    pub batches: usize,
}

impl Default for RecordRetention {
    fn default() -> Self {
        Self {
            access_log: 400 * DAY,
            idempotency_keys: 7 * DAY,
            recordings: Some(400 * DAY),
            batch: 2_000,
            batches: 50,
        }
    }
}

impl From<RecordArgs> for RecordRetention {
    fn from(args: RecordArgs) -> Self {
        Self {
            access_log: u32::from(args.access_log_days) * DAY,
            idempotency_keys: u32::from(args.idempotency_key_days) * DAY,
            recordings: match args.recording_days {
                0 => None,
                days => Some(u32::from(days) * DAY),
            },
            ..Self::default()
        }
    }
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// Lines of the access log.
    pub access_log: u64,
    /// Keys of requests.
    pub idempotency_keys: u64,
    /// Recordings of terminals, each with all its segments.
    pub recordings: u64,
}

impl fmt::Display for RecordCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, keys) = (self.access_log, self.idempotency_keys);
        let recordings = self.recordings;
        let more = |count: u64| if count == 1 { "" } else { "s" };
        write!(
            f,
            "{lines} line{} of the access log, {keys} idempotency key{}, {recordings} recording{}",
            more(lines),
            more(keys),
            more(recordings),
        )
    }
}

/// Removes records that are older than they are kept, a bounded number a pass, each batch in its own
/// transaction.
///
/// # Errors
/// [`SweepError`]; what was removed until then stays removed.
pub async fn remove_old_records(
    conn: &mut PgConnection,
    retention: &RecordRetention,
) -> Result<RecordCounts, SweepError> {
    let mut removed = RecordCounts::default();
    for _ in 0..retention.batches {
        let lines = delete_old_access(conn, retention.access_log, retention.batch).await?;
        removed.access_log += lines;
        if lines < retention.batch.unsigned_abs() {
            break;
        }
    }
    for _ in 0..retention.batches {
        let kept = retention.idempotency_keys;
        let keys = delete_old_request_keys(conn, kept, retention.batch).await?;
        removed.idempotency_keys += keys;
        if keys < retention.batch.unsigned_abs() {
            break;
        }
    }
    removed.recordings = remove_old_recordings(conn, retention).await?;
    Ok(removed)
}

async fn remove_old_recordings(
    conn: &mut PgConnection,
    retention: &RecordRetention,
) -> Result<u64, SweepError> {
    let mut removed = 0;
    let Some(kept) = retention.recordings else {
        return Ok(removed);
    };
    let began = Instant::now();
    while began.elapsed() < RECORDINGS_WITHIN {
        let gone = delete_old_recordings(conn, kept, RECORDINGS_AT_ONCE).await?;
        removed += gone;
        if gone < RECORDINGS_AT_ONCE.unsigned_abs() {
            break;
        }
    }
    Ok(removed)
}

/// Counts what [`remove_old_records`] would remove in as many passes as it takes.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn count_old_records(
    conn: &mut PgConnection,
    retention: &RecordRetention,
) -> Result<RecordCounts, SweepError> {
    let lines = count_old_access(conn, retention.access_log).await?;
    let keys = count_old_request_keys(conn, retention.idempotency_keys).await?;
    let recordings = match retention.recordings {
        Some(kept) => count_old_recordings(conn, kept).await?,
        None => 0,
    };
    Ok(RecordCounts {
        access_log: lines.unsigned_abs(),
        idempotency_keys: keys.unsigned_abs(),
        recordings: recordings.unsigned_abs(),
    })
}

/// When the first record of something goes; nothing has none, nor what is kept for ever.
#[cfg(feature = "cli")]
pub(crate) fn goes_at(oldest: Option<DateTime<Utc>>, kept: Duration) -> Option<DateTime<Utc>> {
    oldest?.checked_add_signed(chrono::TimeDelta::from_std(kept).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_is_one() {
        let told = |access_log, idempotency_keys, recordings| {
            let counts = RecordCounts {
                access_log,
                idempotency_keys,
                recordings,
            };
            counts.to_string()
        };
        assert_eq!(
            told(1, 1, 1),
            "1 line of the access log, 1 idempotency key, 1 recording"
        );
        assert_eq!(
            told(0, 2, 3),
            "0 lines of the access log, 2 idempotency keys, 3 recordings"
        );
    }

    #[test]
    fn days_become_the_periods_that_they_name() {
        let args = RecordArgs {
            access_log_days: 400,
            idempotency_key_days: 7,
            recording_days: 400,
        };
        assert_eq!(RecordRetention::from(args), RecordRetention::default());
        let for_ever = RecordArgs {
            recording_days: 0,
            ..args
        };
        assert_eq!(RecordRetention::from(for_ever).recordings, None);
    }

    #[test]
    fn a_recording_is_kept_for_a_month_at_least_or_for_ever() {
        assert_eq!(recording_days("0"), Ok(0));
        assert_eq!(recording_days("30"), Ok(30));
        for wrong in ["29", "3651", "-1", "long"] {
            assert!(recording_days(wrong).is_err(), "{wrong}");
        }
    }
}
