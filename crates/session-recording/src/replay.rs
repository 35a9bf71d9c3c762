//! A recording in the order in which it happened, whoever recorded it and whenever it arrived.

mod merge;
mod strand;

use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgConnection;

pub(crate) use merge::{Merge, Step};
pub use merge::{Moment, Seen};
pub use strand::ReplayError;

use crate::store::{load_next_segment, load_writers};

/// Reads a recording, one segment of each writer at a time.
#[derive(Debug)]
pub struct Replay {
    session_id: ExamSessionId,
    merge: Merge,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database did not answer.
    #[error("read the recording of session {session_id}")]
    Database {
        /// The session.
        session_id: ExamSessionId,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// A segment is not what was recorded.
    #[error("read the recording of session {session_id}; `verify` says where its chain is broken")]
    Damaged {
        /// The session.
        session_id: ExamSessionId,
        /// What is wrong.
        #[source]
        source: ReplayError,
    },
}

impl Replay {
    /// Begins to read.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn open(
        conn: &mut PgConnection,
        session_id: ExamSessionId,
    ) -> Result<Self, ReadError> {
        let writers = load_writers(conn, session_id).await;
        let writers = writers.map_err(|source| ReadError::Database { session_id, source })?;
        let writers = writers.into_iter().map(TerminalProcessId::from_uuid);
        Ok(Self {
            session_id,
            merge: Merge::new(writers),
        })
    }

    /// Reads the next moment; nothing after the last.
    ///
    /// # Errors
    /// [`ReadError`]; what was read before is right.
    pub async fn next(&mut self, conn: &mut PgConnection) -> Result<Option<Moment>, ReadError> {
        loop {
            match self.merge.next() {
                Step::Told(moment) => return Ok(Some(moment)),
                Step::Over => return Ok(None),
                Step::Hungry => self.feed(conn).await?,
            }
        }
    }

    async fn feed(&mut self, conn: &mut PgConnection) -> Result<(), ReadError> {
        let session_id = self.session_id;
        while let Some(strand) = self.merge.hungry() {
            let (writer, after) = strand.wants();
            let segment = load_next_segment(conn, session_id, writer, after).await;
            let segment = segment.map_err(|source| ReadError::Database { session_id, source })?;
            let fed = strand.feed(segment.as_ref());
            fed.map_err(|source| ReadError::Damaged { session_id, source })?;
        }
        Ok(())
    }
}
