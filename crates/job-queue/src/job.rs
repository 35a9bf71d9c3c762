//! What a job is before it is a row.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use session_identity::ExamSessionId;

/// Names a kind of job; fixed for ever, since rows outlive deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct JobKind(pub &'static str);

impl std::fmt::Display for JobKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A typed payload and the rules its kind follows.
///
/// Payloads carry ids only: a handler loads what it needs when it runs, not when it was asked.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Stored in `jobs.kind`.
    const KIND: &'static str;
    /// Stored in `jobs.kind_version`; raised when an older worker could not read the payload.
    const VERSION: i32 = 1;
    /// The oldest version that [`Job::decode`] still reads. Workers leave jobs of other versions to
    /// those that read them, so that old and new ones can live side by side.
    const OLDEST_VERSION: i32 = Self::VERSION;
    /// The queue such jobs go to.
    const QUEUE: &'static str;
    /// Runs that may end in a retry before the job is dead. Crashes and snoozes are not counted.
    const MAX_ATTEMPTS: i32;
    /// How long one run may take before its token is cancelled.
    const TIMEOUT: Duration;

    /// Names what may not be queued or running twice at once; `None` allows any number.
    fn key(&self) -> Option<String> {
        None
    }

    /// Names the session the job is about, for inspection only.
    fn session_id(&self) -> Option<ExamSessionId> {
        None
    }

    /// Reads a stored payload. A kind that changed its shape overrides this to read old versions,
    /// and says so in [`Job::OLDEST_VERSION`].
    ///
    /// # Errors
    /// [`DecodeError::Version`] for a version this build does not know, [`DecodeError::Payload`]
    /// for one that does not fit. Either parks the job as dead with `undecodable`.
    fn decode(version: i32, payload: Value) -> Result<Self, DecodeError> {
        if version != Self::VERSION {
            return Err(DecodeError::Version {
                found: version,
                known: Self::VERSION,
            });
        }
        serde_json::from_value(payload).map_err(DecodeError::Payload)
    }
}

/// Why a stored payload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The row was written by a build that knows another version of the kind.
    #[error("read a payload of version {found}; this build reads version {known}")]
    Version {
        /// The row's version.
        found: i32,
        /// The version this build reads.
        known: i32,
    },
    /// The payload does not have the shape of its kind.
    #[error("read the payload")]
    Payload(#[source] serde_json::Error),
}

/// When a job may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunAt {
    /// As soon as a slot is free.
    #[default]
    Now,
    /// Not before this long after the enqueuing transaction began, by the database clock.
    After(Duration),
}

impl RunAt {
    pub(crate) fn delay_ms(self) -> i64 {
        match self {
            Self::Now => 0,
            Self::After(delay) => millis(delay),
        }
    }
}

/// A job as it goes into the table; [`crate::enqueue()`] makes one from a typed payload.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The kind, which picks the handler.
    pub kind: JobKind,
    /// The payload's version.
    pub kind_version: i32,
    /// The queue.
    pub queue: String,
    /// The payload.
    pub payload: Value,
    /// The deduplication key, unique among ready and running jobs.
    pub key: Option<String>,
    /// When it may start.
    pub run_at: RunAt,
    /// Larger goes first.
    pub priority: i16,
    /// Counted runs before the job is dead.
    pub max_attempts: i32,
    /// The session it is about, for inspection only.
    pub session_id: Option<ExamSessionId>,
    /// The W3C `traceparent` of whoever asked.
    pub trace: Option<String>,
    /// Who asked, such as `api` or `staff:dana`.
    pub enqueued_by: String,
}

/// `jobs.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time or for a slot.
    Ready,
    /// A worker holds its lease, or held one that has run out.
    Running,
    /// Ended well.
    Done,
    /// Ended badly; an operator may retry it.
    Dead,
    /// Ended because somebody said so.
    Cancelled,
}

impl JobState {
    /// Every state, in the order a job meets them.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::Running,
        Self::Done,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Returns the stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Says whether the job still counts for its deduplication key.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Ready | Self::Running)
    }

    /// Reads the stored word; `None` where the table's CHECK and this list disagree.
    pub(crate) fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::str::FromStr for JobState {
    type Err = UnknownJobState;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::from_stored(word).ok_or_else(|| UnknownJobState(word.to_owned()))
    }
}

/// A word that is no job state.
#[derive(Debug, thiserror::Error)]
#[error("read `{0}` as a job state: one of ready, running, done, dead, cancelled")]
pub struct UnknownJobState(String);

/// Returns whole milliseconds, saturating: no delay here is anywhere near the limit.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
