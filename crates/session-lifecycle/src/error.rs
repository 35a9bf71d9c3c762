//! One error per operation; every one has a class and a stable code.

use chrono::{DateTime, Utc};
use session_identity::ExamSessionId;

use crate::state::SessionState;

/// Sorts errors by what the caller should do; exit codes and HTTP statuses derive from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The session, or something the request names, does not exist.
    NotFound,
    /// The request is understood and the rules say no; repeating it changes nothing.
    Refused,
    /// Somebody else changed the row first; read again and decide anew.
    Conflict,
    /// The database could not be reached or gave up; repeating may help.
    Transient,
    /// A row or a statement is wrong; no repetition helps.
    Bug,
}

impl ErrorClass {
    /// Returns the word for logs and metric labels, such as `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Bug => "bug",
        }
    }

    /// Sorts a database error: lost connections, pool exhaustion, shutdowns, deadlocks and
    /// serialisation failures are transient, all else is a bug.
    pub fn of_database(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Transient,
            sqlx::Error::Database(database) => {
                Self::of_sqlstate(database.code().as_deref().unwrap_or_default())
            }
            _ => Self::Bug,
        }
    }

    /// Sorts a SQLSTATE: connection (08), resources (53), operator intervention (57), lock not
    /// available (55P03), serialisation failure (40001) and deadlock (40P01) pass by themselves.
    fn of_sqlstate(code: &str) -> Self {
        let passing = ["08", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class))
            || matches!(code, "55P03" | "40001" | "40P01");
        if passing { Self::Transient } else { Self::Bug }
    }
}

/// Explains why a session could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A row holds what this crate cannot have written.
    #[error("read {table}.{column} of session {session_id}: unexpected {value:?}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Whose row.
        session_id: ExamSessionId,
        /// What it held.
        value: String,
    },
    /// The database failed.
    #[error("query the database for sessions")]
    Database(#[source] sqlx::Error),
}

impl LoadError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Inconsistent { .. } => ErrorClass::Bug,
            Self::Database(error) => ErrorClass::of_database(error),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inconsistent { .. } => "session.inconsistent",
            Self::Database(_) => "database.failed",
        }
    }
}

impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Explains why due sessions could not be found.
pub type FindError = LoadError;

/// Explains why a session was not inserted.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// No such version of the exam has been applied.
    #[error("insert a session: exam {exam_name} has no version {exam_version}")]
    UnknownExam {
        /// The exam asked for.
        exam_name: String,
        /// The version asked for.
        exam_version: i32,
    },
    /// The exam's fixed window has not opened.
    #[error("insert a session: the exam's window opens at {starts_at}")]
    WindowNotOpen {
        /// When it opens.
        starts_at: DateTime<Utc>,
    },
    /// The exam's fixed window is over.
    #[error("insert a session: the exam's window closed at {ends_at}")]
    WindowClosed {
        /// When it closed.
        ends_at: DateTime<Utc>,
    },
    /// A session or environment with this id exists.
    #[error("insert session {0}: the id is taken")]
    IdTaken(ExamSessionId),
    /// The session could not be read or written.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl InsertError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownExam { .. } => ErrorClass::NotFound,
            Self::WindowNotOpen { .. } | Self::WindowClosed { .. } => ErrorClass::Refused,
            Self::IdTaken(_) => ErrorClass::Conflict,
            Self::Load(error) => error.class(),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownExam { .. } => "exam.unknown",
            Self::WindowNotOpen { .. } => "exam.window_not_open",
            Self::WindowClosed { .. } => "exam.window_closed",
            Self::IdTaken(_) => "session.id_taken",
            Self::Load(error) => error.code(),
        }
    }
}

impl From<sqlx::Error> for InsertError {
    fn from(error: sqlx::Error) -> Self {
        Self::Load(error.into())
    }
}

/// Explains why a session did not advance. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// There is no such session.
    #[error("advance session {session_id}: there is no such session")]
    NotFound {
        /// The id asked for.
        session_id: ExamSessionId,
    },
    /// The table does not hold this transition.
    #[error("advance session {session_id}: {to} does not follow {from}")]
    Refused {
        /// The session.
        session_id: ExamSessionId,
        /// The state it is in.
        from: SessionState,
        /// The state asked for.
        to: SessionState,
    },
    /// The deadline for this transition has passed.
    #[error("advance session {session_id} to {to}: its deadline passed at {deadline}")]
    DeadlinePassed {
        /// The session.
        session_id: ExamSessionId,
        /// The state asked for.
        to: SessionState,
        /// `ready_by` for ready, the end of the exam's time for running.
        deadline: DateTime<Utc>,
    },
    /// The row has another version than the caller decided upon.
    #[error("advance session {session_id}: expected version {expected}, found {actual}")]
    Conflict {
        /// The session.
        session_id: ExamSessionId,
        /// The version decided upon.
        expected: i64,
        /// The version found.
        actual: i64,
    },
    /// The session could not be read or written.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl TransitionError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::Refused { .. } | Self::DeadlinePassed { .. } => ErrorClass::Refused,
            Self::Conflict { .. } => ErrorClass::Conflict,
            Self::Load(error) => error.class(),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "session.not_found",
            Self::Refused { .. } => "session.transition_refused",
            Self::DeadlinePassed { .. } => "session.deadline_passed",
            Self::Conflict { .. } => "session.version_conflict",
            Self::Load(error) => error.code(),
        }
    }
}

impl From<sqlx::Error> for TransitionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Load(error.into())
    }
}

/// Explains why a deadline did not move. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// There is no such session.
    #[error("extend session {session_id}: there is no such session")]
    NotFound {
        /// The id asked for.
        session_id: ExamSessionId,
    },
    /// The session ended before the request: expiry won.
    #[error("extend session {session_id}: it is {state} already")]
    Ended {
        /// The session.
        session_id: ExamSessionId,
        /// The terminal state it is in.
        state: SessionState,
    },
    /// The clock has not started: there is no deadline to move.
    #[error("extend session {session_id}: its clock starts with the first attach")]
    NoDeadlineYet {
        /// The session.
        session_id: ExamSessionId,
    },
    /// The new deadline would pass the absolute end.
    #[error("extend session {session_id}: the new end {requested} would pass its cap {cap}")]
    BeyondCap {
        /// The session.
        session_id: ExamSessionId,
        /// The deadline asked for.
        requested: DateTime<Utc>,
        /// The moment no extension passes.
        cap: DateTime<Utc>,
    },
    /// Even the new deadline lies in the past: it would end the session at once.
    #[error("extend session {session_id}: the new end {requested} has passed already")]
    StillPast {
        /// The session.
        session_id: ExamSessionId,
        /// The deadline asked for.
        requested: DateTime<Utc>,
    },
    /// The key has been used for another extension of this session.
    #[error("extend session {session_id}: the idempotency key stands for another extension")]
    KeyReused {
        /// The session.
        session_id: ExamSessionId,
    },
    /// A field of the request is out of its bounds.
    #[error("extend a session: {field} {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The session could not be read or written.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl ExtendError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::Ended { .. }
            | Self::NoDeadlineYet { .. }
            | Self::BeyondCap { .. }
            | Self::StillPast { .. }
            | Self::Invalid { .. } => ErrorClass::Refused,
            Self::KeyReused { .. } => ErrorClass::Conflict,
            Self::Load(error) => error.class(),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "session.not_found",
            Self::Ended { .. } => "session.ended",
            Self::NoDeadlineYet { .. } => "session.no_deadline_yet",
            Self::BeyondCap { .. } => "extension.beyond_cap",
            Self::StillPast { .. } => "extension.still_past",
            Self::KeyReused { .. } => "idempotency.key_reused",
            Self::Invalid { .. } => "extension.invalid",
            Self::Load(error) => error.code(),
        }
    }
}

impl From<sqlx::Error> for ExtendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Load(error.into())
    }
}

/// Explains why an idempotency key was not kept.
#[derive(Debug, thiserror::Error)]
pub enum RememberError {
    /// The key is empty or longer than 255 characters.
    #[error("remember a request: its key has {length} characters, allowed are 1 to 255")]
    KeyLength {
        /// How long it is.
        length: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl RememberError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::KeyLength { .. } => ErrorClass::Refused,
            Self::Load(error) => error.class(),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyLength { .. } => "idempotency.key_invalid",
            Self::Load(error) => error.code(),
        }
    }
}

impl From<sqlx::Error> for RememberError {
    fn from(error: sqlx::Error) -> Self {
        Self::Load(error.into())
    }
}
