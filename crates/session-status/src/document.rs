//! The one honest document about a session: what the page shows, word for word.

use chrono::{DateTime, Utc};
use execution_environment::EnvironmentState;
use failure_classification::{Attribution, FailureClass, FailureCode};
use serde::Serialize;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};
use session_lifecycle::{EndingKind, SessionState};
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, schema::Type};

/// Describes one session at one moment of the database's clock.
///
/// Shape: every key is always present; what does not apply is null. Times are RFC 3339 in UTC,
/// durations whole milliseconds. Nothing here is computed by the reader.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StatusDocument {
    /// The session.
    #[schema(value_type = uuid::Uuid)]
    pub session_id: ExamSessionId,
    /// The candidate it belongs to.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Its one environment.
    #[schema(value_type = uuid::Uuid)]
    pub environment_id: ExecutionEnvironmentId,
    /// The exam taken.
    pub exam: ExamStatus,
    /// Where the session stands.
    #[schema(schema_with = session_state)]
    pub state: SessionState,
    /// Grows with every change of the session or its environment; the `ETag` and the event id.
    pub revision: i64,
    /// The four steps from the request to the candidate's shell, in order.
    pub stages: Vec<Stage>,
    /// Which attempt at an environment this is; 0 before the first.
    pub attempt: i32,
    /// Why the session failed, or what keeps it from being ready.
    #[schema(required)]
    pub reason: Option<ReasonStatus>,
    /// How the session ended, if it ended without failing.
    #[schema(required)]
    pub ending: Option<EndingStatus>,
    /// What a candidate reads aloud to staff.
    pub reference: String,
    /// When the exam's time begins and how long it is.
    pub clock: ExamClockStatus,
    /// When the session was requested.
    pub created_at: DateTime<Utc>,
    /// The deadline of the stages: past it the session cannot become ready any more.
    pub ready_by: DateTime<Utc>,
    /// When the environment was proven.
    #[schema(required)]
    pub ready_at: Option<DateTime<Utc>>,
    /// When the candidate first attached.
    #[schema(required)]
    pub running_at: Option<DateTime<Utc>>,
    /// When the session ended.
    #[schema(required)]
    pub ended_at: Option<DateTime<Utc>>,
    /// When time runs out; null until the clock has started.
    #[schema(required)]
    pub ends_at: Option<DateTime<Utc>>,
    /// The moment no extension passes.
    pub absolute_end: DateTime<Utc>,
    /// Time left, never negative; null until the clock has started and after the end.
    #[schema(required)]
    pub remaining_ms: Option<i64>,
    /// Startup budget left, never negative; null once the session is ready or has ended.
    #[schema(required)]
    pub startup_remaining_ms: Option<i64>,
    /// The database's clock when this was read.
    pub server_time: DateTime<Utc>,
    /// Whether the candidate may open a terminal now.
    pub can_attach: bool,
    /// Whether the session can still be ended.
    pub can_end: bool,
    /// All time added so far.
    pub extended_ms: i64,
    /// The latest extension.
    #[schema(required)]
    pub last_extension: Option<ExtensionStatus>,
    /// What is known to exist of the environment.
    pub environment: EnvironmentStatus,
}

/// Names the exam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExamStatus {
    /// Its name in the catalogue.
    pub name: String,
    /// What the candidate reads.
    pub title: String,
    /// The pinned version.
    pub version: i32,
}

/// Describes one step of the preparation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stage {
    /// Which step.
    pub name: StageName,
    /// How far it is.
    pub state: StageState,
    /// When it began.
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done or cut short.
    #[schema(required)]
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it usually takes; null for a step that is a moment.
    #[schema(required)]
    pub usual_ms: Option<i64>,
}

/// Names the four steps of the preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// For a worker to take the session up.
    Waiting,
    /// The environment is being made.
    Creating,
    /// The environment is being checked for isolation.
    Isolating,
    /// The environment is the candidate's; a moment, not a span.
    Ready,
}

/// Says how far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Not begun, or never reached.
    Pending,
    /// Under way.
    Active,
    /// Finished.
    Done,
    /// Cut short by the session's end.
    Failed,
}

/// Says why a session failed, or what keeps it from being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonStatus {
    /// Which part of the promise was broken.
    #[schema(value_type = String)]
    pub class: FailureClass,
    /// The stable code.
    #[schema(value_type = String)]
    pub code: FailureCode,
    /// What the candidate reads.
    pub text: String,
    /// What the candidate reads aloud to staff.
    pub reference: String,
    /// Whose doing it is.
    #[schema(value_type = String)]
    pub attribution: Attribution,
}

/// Says how a session ended without failing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EndingStatus {
    /// The kind of ending.
    #[schema(schema_with = ending_kind)]
    pub kind: EndingKind,
    /// What the candidate reads.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom, as far as the candidate is told.
    #[schema(required)]
    pub by: Option<EndedBy>,
}

/// Names who ended a session or gave it time, without naming a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// A person of the exam's staff.
    Staff,
    /// The candidate.
    Candidate,
    /// Carrel or the exam platform.
    System,
}

/// Says when the exam's time begins and how long it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExamClockStatus {
    /// The kind of clock.
    pub kind: ClockKind,
    /// How long the exam is; null for a window.
    #[schema(required)]
    pub duration_ms: Option<i64>,
    /// Whether the first attach starts the time.
    pub starts_at_attach: bool,
}

/// Names the two kinds of clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// The time starts with the first attach.
    FromFirstAttach,
    /// The time ends at one moment for everybody.
    Window,
}

/// Describes the latest extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExtensionStatus {
    /// How much time it added.
    pub by_ms: i64,
    /// Who gave it.
    pub by: EndedBy,
    /// When.
    pub at: DateTime<Utc>,
}

/// Says what is known to exist of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EnvironmentStatus {
    /// What is confirmed to exist.
    #[schema(schema_with = environment_state)]
    pub state: EnvironmentState,
    /// When it was confirmed gone.
    #[schema(required)]
    pub gone_at: Option<DateTime<Utc>>,
}

/// Lists the words of a closed set, from the set itself.
fn words(all: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(all))
        .build()
}

fn session_state() -> Object {
    words(SessionState::ALL.map(SessionState::as_str))
}

fn ending_kind() -> Object {
    words(EndingKind::ALL.map(EndingKind::as_str))
}

fn environment_state() -> Object {
    words(EnvironmentState::ALL.map(EnvironmentState::as_str))
}
