//! What callers ask of this crate, and the answers that are not errors.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId, JobId, UserId};

use crate::record::{Ending, ExtensionRecord, FailureRecord, SessionRecord};
use crate::state::SessionState;

/// Describes a session to insert.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub id: ExamSessionId,
    /// Its one environment.
    pub environment_id: ExecutionEnvironmentId,
    /// The candidate.
    pub user_id: UserId,
    /// The exam to take.
    pub exam_name: String,
    /// The version of its definition to pin.
    pub exam_version: i32,
    /// How long preparation may take; sets `ready_by`.
    pub startup_budget: Duration,
    /// When time starts and ends.
    pub clock: ExamClock,
    /// From now until the moment no extension passes; sets `absolute_end`.
    pub absolute_cap: Duration,
}

/// Says when an exam's time starts and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExamClock {
    /// The clock starts when the candidate first attaches.
    FromFirstAttach {
        /// How long it then runs.
        duration: Duration,
    },
    /// Everyone's time ends at the same moment.
    Window {
        /// Before this moment no session can be inserted; `None` opens the window at once.
        starts_at: Option<DateTime<Utc>>,
        /// That moment; capped by `absolute_end`.
        ends_at: DateTime<Utc>,
    },
}

/// Answers an insertion.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// The session was inserted.
    New(SessionRecord),
    /// The candidate already has a live session of this exam; nothing was inserted.
    LiveExists(SessionRecord),
}

/// Says who makes a transition, why, and in which job and trace.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// Who.
    pub actor: Actor,
    /// Why, in a few stable words such as `job:provision_environment`.
    pub cause: Cause,
    /// The job it is made in.
    pub job_id: Option<JobId>,
    /// The W3C trace it belongs to.
    pub trace: Option<String>,
}

/// Names what led to a transition, in a few stable words such as `first_attach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause(Cow<'static, str>);

impl Cause {
    /// Makes a cause of any words.
    pub fn new(words: impl Into<Cow<'static, str>>) -> Self {
        Self(words.into())
    }

    /// Returns the words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Cause {
    fn from(words: &'static str) -> Self {
        Self::new(words)
    }
}

impl From<String> for Cause {
    fn from(words: String) -> Self {
        Self::new(words)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says which version of the row the caller decided upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The decision holds for whatever the row says now; the table still decides.
    AnyVersion,
    /// The decision holds for this version only.
    Version(i64),
}

/// Names a transition with what it must carry.
#[derive(Clone, Debug, PartialEq)]
pub enum Advance {
    /// A worker has begun to prepare the environment.
    ToInitializing,
    /// The environment is proven. Refused past `ready_by`.
    ToReady,
    /// The candidate has attached. Starts the clock: `ends_at` becomes now + duration, capped by
    /// `absolute_end`; a fixed window keeps its end. Refused once time is over.
    ToRunning,
    /// The exam has ended.
    Terminate(Ending),
    /// The session has failed.
    Fail(FailureRecord),
}

impl Advance {
    /// Returns the state this leads to.
    pub fn target(&self) -> SessionState {
        match self {
            Self::ToInitializing => SessionState::Initializing,
            Self::ToReady => SessionState::Ready,
            Self::ToRunning => SessionState::Running,
            Self::Terminate(_) => SessionState::Terminated,
            Self::Fail(_) => SessionState::Failed,
        }
    }
}

/// Asks for more time.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The session.
    pub session_id: ExamSessionId,
    /// How much more; whole seconds, at least one.
    pub by: Duration,
    /// Who grants it.
    pub actor: Actor,
    /// Why; must say something.
    pub reason: String,
    /// Repeating a request under its key moves the deadline once.
    pub idempotency_key: String,
}

/// Answers an extension.
#[derive(Clone, Debug, PartialEq)]
pub struct Extended {
    /// The session after it.
    pub session: SessionRecord,
    /// The recorded extension.
    pub extension: ExtensionRecord,
    /// Whether the same request had been granted before and nothing moved now.
    pub already: bool,
}

/// Answers whether an idempotency key has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Never before; it now stands for this request.
    New,
    /// The same request, which led to this session.
    Same(ExamSessionId),
    /// Another request used the key.
    Different,
}
