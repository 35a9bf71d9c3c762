//! The seam between Carrel and whatever runs environments.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use failure_classification::Signal;
use serde::Serialize;
use serde_json::Value;
use session_identity::InstallId;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    EnvironmentSpec, ExamDefinition, IsolationReport, OwnerLabels, Purpose, RuntimeError,
    RuntimeFinding, RuntimeKind, RuntimeName, RuntimeUid,
};

/// How often a runtime that tells nothing of itself is looked at while somebody waits.
const LOOK: Duration = Duration::from_millis(50);

/// Makes, observes, proves, enters and destroys environments.
///
/// Every call is bounded in time by the implementation, reads uncached, and may be repeated or
/// cancelled at any point: an object left behind by a cancelled [`create`](Self::create) is adopted
/// by the next call with the same specification. Nothing here decides anything about a session.
#[async_trait]
pub trait EnvironmentRuntime: Send + Sync + Debug {
    /// Says which runtime this is.
    fn kind(&self) -> RuntimeKind;

    /// Asks whether the runtime can be used for a purpose: one finding for each thing that is
    /// wrong, none when all is well. Changes nothing; a process asks at its start and again later.
    async fn check(&self, _purpose: Purpose) -> Vec<RuntimeFinding> {
        Vec::new()
    }

    /// Asks whether the runtime would take the environments of an exam, where it can tell without
    /// making one.
    async fn check_exam(&self, _exam: &ExamDefinition) -> Vec<RuntimeFinding> {
        Vec::new()
    }

    /// Makes the environment of one attempt and starts it, or adopts the one that is there.
    ///
    /// Idempotent per (session, attempt): of any number of callers one creates, the others adopt.
    /// An adopted environment that has already stopped is not started again. What the runtime
    /// reports later (a slow image, an early exit) comes from [`observe`](Self::observe).
    ///
    /// Errors: `name_conflict` when the name is borne by something whose labels differ.
    async fn create(&self, spec: &EnvironmentSpec) -> Result<Created, RuntimeError>;

    /// Reads what there is under a name, uncached.
    async fn observe(&self, name: &RuntimeName) -> Result<Observation, RuntimeError>;

    /// Waits until something may have changed about a name, for at most a while.
    ///
    /// A hint and no more: it may come early, late or never, and says nothing about what changed.
    /// Whoever waits looks again afterwards.
    async fn wait_for_change(&self, _name: &RuntimeName, at_most: Duration) {
        tokio::time::sleep(at_most.min(LOOK)).await;
    }

    /// Reads what the keeper found inside, before anybody attached, and what the runtime admitted.
    ///
    /// The report is judged by [`judge`](crate::judge). Errors: `vanished` when the uid is not
    /// there, `exec_target_missing` when it does not run.
    async fn verify(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        exam: &ExamDefinition,
    ) -> Result<IsolationReport, RuntimeError>;

    /// Takes status and the end of the log as evidence, within 5 s.
    async fn snapshot(&self, name: &RuntimeName, uid: &RuntimeUid) -> Result<Value, RuntimeError>;

    /// Reads the last lines of the log, within 5 s and some hundred kilobytes: what the keeper
    /// remarked. Terminal output never goes there.
    ///
    /// Errors: `vanished` when the uid is not there.
    async fn log(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        lines: u32,
    ) -> Result<String, RuntimeError>;

    /// Destroys and confirms by an uncached read. What is absent is [`Destroyed::Gone`].
    ///
    /// With a uid, only exactly that one is destroyed: another under the same name is
    /// `name_conflict`. Without one, only what bears labels of ours that fit the name.
    async fn destroy(
        &self,
        name: &RuntimeName,
        uid: Option<&RuntimeUid>,
    ) -> Result<Destroyed, RuntimeError>;

    /// Destroys one uid without waiting for anything in it to end, and confirms like
    /// [`destroy`](Self::destroy). A runtime that never waits does the same as there.
    ///
    /// Only for what hangs in a place that answers: of another the runtime would forget what may
    /// still be running.
    async fn destroy_by_force(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
    ) -> Result<Destroyed, RuntimeError> {
        self.destroy(name, Some(uid)).await
    }

    /// Lists everything that bears the labels of one install, running or not.
    async fn list(&self, install_id: InstallId) -> Result<Vec<Listed>, RuntimeError>;

    /// Runs `keeper attach` inside and hands over its streams; the bytes are keeper frames.
    ///
    /// Dropping both halves ends the stream, and with it the attach process. The end of the reader
    /// proves nothing about the shell: only the keeper's own EXIT frame does. What keeps the keeper
    /// from being run may be told on the stream only, as an error of the reader that holds a
    /// [`RuntimeError`].
    async fn attach(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        request: &AttachRequest,
    ) -> Result<AttachStreams, RuntimeError>;
}

/// Answers a creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Created {
    /// The name it has.
    pub name: RuntimeName,
    /// The uid the runtime gave it.
    pub uid: RuntimeUid,
    /// Whether it was there already.
    pub adopted: bool,
}

/// Tells what there is under a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time is looked at and dropped; a box would be one allocation a look"
)]
pub enum Observation {
    /// Nothing.
    Absent,
    /// Something whose labels are ours.
    Present(Observed),
}

/// Describes an environment as the runtime sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observed {
    /// Its uid; decisions are made for this one only.
    pub uid: RuntimeUid,
    /// Whose it is.
    pub labels: OwnerLabels,
    /// How far it is.
    pub phase: Phase,
    /// Where it is, as the runtime names its places; `None` before it has one, or where there is
    /// only one.
    pub place: Option<String>,
    /// Whether the runtime hears nothing from that place, or cannot tell: what it says of it may be old.
    pub is_place_lost: bool,
    /// Since when it is being deleted, by the runtime's clock; `None` where it is not, or the runtime does
    /// not say.
    pub going_since: Option<DateTime<Utc>>,
}

/// Says how far an environment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Not yet running.
    Pending {
        /// What keeps it from running, where the runtime says so.
        signal: Option<Signal>,
    },
    /// Its first process runs.
    Running,
    /// Its first process has ended; it never runs again.
    Stopped {
        /// Exit code, where there was one.
        exit_code: Option<i32>,
        /// Whether the kernel killed it for its memory limit.
        oom_killed: bool,
        /// What the runtime said, bounded.
        message: Option<String>,
        /// What ended it, where the runtime says more than that it exited.
        signal: Option<Signal>,
    },
}

impl Phase {
    /// What is wrong, as a signal for [`classify`](failure_classification::classify); `None` for
    /// one that runs or is on its way.
    pub fn signal(&self) -> Option<Signal> {
        match self {
            Self::Running => None,
            Self::Pending { signal } => signal.clone(),
            Self::Stopped {
                exit_code,
                oom_killed,
                message,
                signal,
            } => Some(signal.clone().unwrap_or_else(|| Signal::Exited {
                exit_code: *exit_code,
                oom_killed: *oom_killed,
                message: message.clone().unwrap_or_default(),
            })),
        }
    }
}

/// Tells how a destruction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destroyed {
    /// An uncached read found nothing any more.
    Gone,
    /// It is still there; ask again later.
    StillThere,
}

/// Describes one of an install's environments in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: RuntimeName,
    /// Its uid.
    pub uid: RuntimeUid,
    /// Whose it is.
    pub labels: OwnerLabels,
    /// When the runtime made it, by the runtime's clock; for people, not for decisions.
    pub created_at: Option<DateTime<Utc>>,
    /// How far it is.
    pub phase: Phase,
}

/// Asks for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachRequest {
    /// The fencing token from the database; the keeper refuses an older one.
    pub epoch: i64,
}

/// Carries keeper frames to and from an environment.
pub struct AttachStreams {
    /// What the keeper sends.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What the keeper gets.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Debug for AttachStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AttachStreams")
    }
}
