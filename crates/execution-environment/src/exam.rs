//! What an exam needs of its environment, and how long it lasts.

mod image;
mod paths;
mod reader;
mod reading;
mod support;
mod text;
mod validation;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use validation::FieldError;

/// Describes one exam: the image, the shell, the limits and the clock.
///
/// Shape: the JSON document that `exams apply` takes; see the README for a whole one. Fields of a
/// value read by [`ExamDefinition::parse`] are in range; a value built by hand is checked by
/// [`ExamDefinition::validate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExamDefinition {
    /// Names the exam: 1–63 of `[a-z0-9-]`, beginning and ending with a letter or digit.
    pub name: String,
    /// What the candidate reads above the terminal, 1–120 characters.
    pub title: String,
    /// Image reference with a tag other than `latest`, or with a digest.
    pub image: String,
    /// The shell and its arguments; the first is an absolute path inside the image.
    pub shell: Vec<String>,
    /// The ordinary user everything in the environment runs as.
    pub user: ExamUser,
    /// Absolute path of the candidate's home; a sized scratch volume is mounted over it.
    pub workdir: String,
    /// Ceilings of what one environment may use. None is optional.
    pub limits: Limits,
    /// Destinations the environment may reach as `host:port`; empty means no network at all.
    #[serde(default)]
    pub egress: Vec<String>,
    /// When the time begins and how long it runs.
    pub clock: ClockPolicy,
    /// Seconds after the session's creation that no extension passes.
    pub absolute_cap_seconds: u64,
    /// Seconds within which a session must become ready.
    #[serde(default = "default_startup_budget")]
    pub startup_budget_seconds: u64,
    /// Seconds after it became ready within which somebody must attach, else the session ends as a
    /// no-show. Absent: it waits until its end. Left out of JSON while absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_show_after_seconds: Option<u64>,
    /// Whether what the terminal shows is kept.
    #[serde(default)]
    pub recording: Recording,
    /// Whether what is typed is kept too, passwords included; only with a recording. Left out of JSON
    /// while false, so that definitions from before it was known stay the same.
    #[serde(default, skip_serializing_if = "is_false")]
    pub record_input: bool,
    /// Runtime class (Kubernetes) that must run the environment.
    #[serde(default)]
    pub runtime_class: Option<String>,
    /// Whether the environment must run in its own user namespace.
    #[serde(default)]
    pub user_namespaces: bool,
}

/// The ordinary user an environment runs as; never root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExamUser {
    /// Numeric user id, 1–65533.
    pub uid: u32,
    /// Numeric group id, 1–65533.
    pub gid: u32,
    /// Login name as the shell shows it.
    pub name: String,
}

/// Ceilings of one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Mebibytes of memory; swap is never added to it.
    pub memory_mib: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Mebibytes of the working directory.
    pub scratch_mib: u32,
}

/// When an exam's time begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClockPolicy {
    /// The time starts when the candidate first attaches.
    FromFirstAttach {
        /// Seconds from the first attach to the end.
        duration_seconds: u64,
    },
    /// The time ends at one moment for everybody.
    Window {
        /// Before this moment no session starts; absent means at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starts_at: Option<DateTime<Utc>>,
        /// The end for everybody.
        ends_at: DateTime<Utc>,
    },
}

/// Whether what the terminal shows is kept, and what comes first when that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// Nothing is kept.
    #[default]
    Off,
    /// The candidate goes on; what could not be kept is a gap on record.
    FailOpen,
    /// Nothing happens that is not kept: the terminal waits.
    FailClosed,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to every predicate"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// From request to ready a session may take a minute; typical is under six seconds.
const DEFAULT_STARTUP_BUDGET_SECONDS: u64 = 60;

fn default_startup_budget() -> u64 {
    DEFAULT_STARTUP_BUDGET_SECONDS
}

impl ExamDefinition {
    /// Reads a definition from JSON, naming every field that is missing, unknown, of the wrong
    /// type or out of range.
    ///
    /// Errors: all faults at once, one per field, in the order of the fields.
    pub fn parse(json: &str) -> Result<Self, Vec<FieldError>> {
        reading::read(json)
    }

    /// Lists every field whose value is not acceptable; empty means the definition is sound.
    pub fn validate(&self) -> Vec<FieldError> {
        validation::validate(self)
    }

    /// Lists what this definition asks for that `runtime` cannot give.
    pub fn unsupported_on(&self, runtime: crate::RuntimeKind) -> Vec<FieldError> {
        support::unsupported(self, runtime)
    }

    /// The time after the session's creation that no extension passes.
    pub fn absolute_cap(&self) -> Duration {
        Duration::from_secs(self.absolute_cap_seconds)
    }

    /// The time within which a session must become ready.
    pub fn startup_budget(&self) -> Duration {
        Duration::from_secs(self.startup_budget_seconds)
    }
}

impl Limits {
    /// Memory ceiling in bytes.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) * 1024 * 1024
    }

    /// Size of the working directory in bytes.
    pub fn scratch_bytes(&self) -> u64 {
        u64::from(self.scratch_mib) * 1024 * 1024
    }
}
