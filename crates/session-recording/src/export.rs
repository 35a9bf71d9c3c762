//! A recording in formats that others read.

mod asciicast;
mod text;

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::entry::Entry;
use crate::replay::{Moment, ReadError, Replay, Seen};
use asciicast::{Asciicast, Version};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ExportFormat {
    /// asciicast v3: what asciinema 3 and its player read
    #[serde(rename = "asciicast-v3")]
    AsciicastV3,
    /// asciicast v2: what everything else reads
    #[serde(rename = "asciicast-v2")]
    AsciicastV2,
    /// The exact bytes of the shell's output, and nothing else
    #[serde(rename = "raw")]
    Raw,
}

impl Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsciicastV3 => "asciicast-v3",
            Self::AsciicastV2 => "asciicast-v2",
            Self::Raw => "raw",
        })
    }
}

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Moments of the recording.
    pub moments: u64,
    /// Bytes of output among them.
    pub output_bytes: u64,
    /// Bytes of output that are not on record.
    pub gap_bytes: u64,
}

/// Why a recording was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error("write the recording of session {session_id}")]
    Write {
        /// The session.
        session_id: ExamSessionId,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Writes a session's recording in a format, as it is read: never more than a segment of each writer is
/// in memory.
///
/// # Errors
/// [`ExportError`]; what was written until then stays.
pub async fn export(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    format: ExportFormat,
    to: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let failed = |source| ExportError::Write { session_id, source };
    let mut exported = Exported::default();
    let mut writer = Writer::new(format);
    let mut replay = Replay::open(conn, session_id).await?;
    while let Some(moment) = replay.next(conn).await? {
        exported.count(&moment);
        writer.moment(&moment, to).map_err(failed)?;
    }
    writer.end(to).map_err(failed)?;
    to.flush().map_err(failed)?;
    Ok(exported)
}

impl Exported {
    fn count(&mut self, moment: &Moment) {
        self.moments += 1;
        match &moment.seen {
            Seen::Entry(Entry::Output(bytes)) => self.output_bytes += bytes.len() as u64,
            Seen::Entry(Entry::Gap(gap)) => self.gap_bytes += gap.bytes,
            Seen::Hole(bytes) => self.gap_bytes += bytes,
            Seen::Entry(_) => {}
        }
    }
}

/// Writes moments in a format.
#[derive(Debug)]
enum Writer {
    Asciicast(Asciicast),
    Raw,
}

impl Writer {
    fn new(format: ExportFormat) -> Self {
        match format {
            ExportFormat::AsciicastV3 => Self::Asciicast(Asciicast::new(Version::V3)),
            ExportFormat::AsciicastV2 => Self::Asciicast(Asciicast::new(Version::V2)),
            ExportFormat::Raw => Self::Raw,
        }
    }

    fn moment(&mut self, moment: &Moment, to: &mut dyn Write) -> io::Result<()> {
        match (self, &moment.seen) {
            (Self::Asciicast(asciicast), _) => asciicast.moment(moment, to),
            (Self::Raw, Seen::Entry(Entry::Output(bytes))) => to.write_all(bytes),
            (Self::Raw, _) => Ok(()),
        }
    }

    fn end(&mut self, to: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Asciicast(asciicast) => asciicast.end(to),
            Self::Raw => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
