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
    to: &mut (dyn Write + Send),
) -> Result<Exported, ExportError> {
    let mut export = Export::open(conn, session_id, format).await?;
    while export.next(conn, to).await? {}
    to.flush()
        .map_err(|source| ExportError::Write { session_id, source })?;
    Ok(export.exported)
}

/// A recording on its way into a format, a moment at a time.
#[derive(Debug)]
pub struct Export {
    session_id: ExamSessionId,
    replay: Replay,
    writer: Writer,
    exported: Exported,
}

impl Export {
    /// Begins to read.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn open(
        conn: &mut PgConnection,
        session_id: ExamSessionId,
        format: ExportFormat,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            session_id,
            replay: Replay::open(conn, session_id).await?,
            writer: Writer::new(format),
            exported: Exported::default(),
        })
    }

    /// Writes what comes next; says whether more may follow.
    ///
    /// # Errors
    /// [`ExportError`]; what was written until then stays.
    pub async fn next(
        &mut self,
        conn: &mut PgConnection,
        to: &mut (dyn Write + Send),
    ) -> Result<bool, ExportError> {
        let session_id = self.session_id;
        let moment = self.replay.next(conn).await?;
        let written = match &moment {
            Some(moment) => {
                self.exported.count(moment);
                self.writer.moment(moment, to)
            }
            None => self.writer.end(to),
        };
        written.map_err(|source| ExportError::Write { session_id, source })?;
        Ok(moment.is_some())
    }
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
