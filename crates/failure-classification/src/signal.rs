//! What a runtime, a store or a terminal reported, before anybody judged it.

use serde::{Deserialize, Serialize};

use crate::{DisruptionCause, TerminalLeg};

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident = $kind:literal { $($(#[$meta:meta])* $field:ident: $ty:ty,)* },)+) => {
        /// Describes one observed fact, from the container engine, Kubernetes, the database or a
        /// terminal, with what the source said about it.
        ///
        /// Shape in JSON: `{"kind": "image_missing", "image": …, "message": …}`. It is stored as
        /// evidence, so texts are bounded by whoever builds it.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        pub enum Signal {
            $($(#[$doc])* #[serde(rename = $kind)] $variant { $($(#[$meta])* $field: $ty,)* },)+
        }

        impl Signal {
            /// The kind words of every signal, as in JSON and on the command line.
            pub const KINDS: &'static [&'static str] = &[$($kind,)+];

            /// Returns the kind word of this signal.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $kind,)+ }
            }
        }
    };
}

signals! {
    /// The image reference does not parse.
    ImageNameInvalid = "image_name_invalid" {
        /// The reference as declared.
        image: String,
    },
    /// The source has no such image, tag or platform.
    ImageMissing = "image_missing" {
        /// The reference as declared.
        image: String,
        /// What the source said.
        #[serde(default)] message: String,
    },
    /// The source refused our credentials.
    ImageDenied = "image_denied" {
        /// The reference as declared.
        image: String,
        /// What the source said.
        #[serde(default)] message: String,
    },
    /// The source did not answer, failed or throttled.
    ImageSourceUnavailable = "image_source_unavailable" {
        /// The reference as declared.
        image: String,
        /// What the source said.
        #[serde(default)] message: String,
    },
    /// Pulling is forbidden and the image is not on the machine.
    ImageNotPreloaded = "image_not_preloaded" {
        /// The reference as declared.
        image: String,
    },
    /// The image is corrupt or not signed as required.
    ImageRejected = "image_rejected" {
        /// The reference as declared.
        image: String,
        /// Why it was rejected.
        #[serde(default)] message: String,
    },
    /// Configuration named by the definition is missing or not allowed.
    ConfigInvalid = "config_invalid" {
        /// What the runtime said.
        message: String,
    },
    /// The runtime could not start the command.
    StartFailed = "start_failed" {
        /// What the runtime said.
        message: String,
    },
    /// The hook after the start failed.
    SetupHookFailed = "setup_hook_failed" {
        /// The hook's output.
        message: String,
    },
    /// A preparation step ended with an error.
    SetupFailed = "setup_failed" {
        /// Which step.
        step: String,
        /// Its exit code.
        #[serde(default)] exit_code: Option<i32>,
        /// The end of its output.
        #[serde(default)] tail: String,
    },
    /// The environment's first process ended. Which side of ready it was on decides the code.
    Exited = "exited" {
        /// Exit code, where the runtime gave one.
        #[serde(default)] exit_code: Option<i32>,
        /// Whether the kernel killed it for memory.
        #[serde(default)] oom_killed: bool,
        /// The end of its output, or the runtime's message.
        #[serde(default)] message: String,
    },
    /// It runs, but never answered as ready within its budget.
    NotReady = "not_ready" {
        /// The last answer, or why there was none.
        #[serde(default)] message: String,
    },
    /// The proof of isolation failed or did not arrive.
    IsolationUnproven = "isolation_unproven" {
        /// Which protections are missing or unproven.
        gaps: Vec<String>,
        /// The machine it was on, where known.
        #[serde(default)] place: Option<String>,
    },
    /// No machine can take it.
    Unschedulable = "unschedulable" {
        /// What the scheduler, or our own admission, said.
        message: String,
    },
    /// A gate outside Carrel holds the placement.
    SchedulingGated = "scheduling_gated" {
        /// The names of the gates.
        gates: Vec<String>,
    },
    /// The chosen machine refused it.
    NodeRejected = "node_rejected" {
        /// The reason word, such as `OutOfpods`.
        reason: String,
        /// What the machine said.
        #[serde(default)] message: String,
    },
    /// The machine could not prepare network, address or volumes.
    NodeSetup = "node_setup" {
        /// What the machine said.
        message: String,
    },
    /// A quota or limit range refused the creation.
    QuotaExceeded = "quota_exceeded" {
        /// Quota name, used and hard limit, as said.
        message: String,
        /// Whether environments of ours are still being torn down, which will free some.
        #[serde(default)] cleanup_pending: bool,
    },
    /// A missing right, admission or a security policy refused the creation.
    PolicyDenied = "policy_denied" {
        /// Who denied, and why.
        message: String,
    },
    /// The runtime refused the specification.
    SpecInvalid = "spec_invalid" {
        /// The field errors.
        message: String,
    },
    /// Something else bears the name.
    NameConflict = "name_conflict" {
        /// The name.
        name: String,
        /// The uid of what bears it, where known.
        #[serde(default)] existing_uid: Option<String>,
        /// Whether it is an older attempt of ours, which is deleted and confirmed first.
        #[serde(default)] ours: bool,
    },
    /// The runtime's API did not answer, failed or throttled.
    RuntimeUnavailable = "runtime_unavailable" {
        /// The operation, such as `create` or `inspect`.
        operation: String,
        /// The HTTP status, where there was an answer.
        #[serde(default)] status: Option<u16>,
        /// What it said, or the connection error.
        #[serde(default)] message: String,
        /// How long it asked us to wait, milliseconds.
        #[serde(default)] retry_after_ms: Option<u64>,
    },
    /// The runtime's API refused our credentials.
    RuntimeUnauthorized = "runtime_unauthorized" {
        /// The operation.
        operation: String,
        /// What it said.
        #[serde(default)] message: String,
    },
    /// The database did not answer.
    DatabaseUnavailable = "database_unavailable" {
        /// The pool's or driver's error.
        message: String,
    },
    /// Evicted for using more disk than its own limit.
    DiskExceeded = "disk_exceeded" {
        /// What the machine said.
        #[serde(default)] message: String,
    },
    /// Evicted because the machine ran short.
    NodePressure = "node_pressure" {
        /// The short resource.
        resource: String,
        /// What the machine said.
        #[serde(default)] message: String,
    },
    /// The runtime's own deadline ended it before the session's end. (Past the session's end it is
    /// no failure: the session is terminated with `time_expired`.)
    DeadlineBackstop = "deadline_backstop" {
        /// Both clocks, as read.
        #[serde(default)] message: String,
    },
    /// The place was taken away.
    Disrupted = "disrupted" {
        /// By whom.
        cause: DisruptionCause,
        /// The condition's message.
        #[serde(default)] message: String,
    },
    /// The machine stopped answering.
    NodeLost = "node_lost" {
        /// Which machine.
        #[serde(default)] node: Option<String>,
        /// Its last heartbeat, or the condition's message.
        #[serde(default)] message: String,
    },
    /// An uncached read found nothing, or something with another uid.
    Vanished = "vanished" {
        /// The uid that was ours.
        #[serde(default)] expected_uid: Option<String>,
        /// The uid found under the name, if any.
        #[serde(default)] found_uid: Option<String>,
    },
    /// No or bad ticket, wrong user, wrong state.
    AccessRefused = "access_refused" {
        /// The true reason, for operators only.
        detail: String,
    },
    /// An attach before the session was ready.
    SessionNotReady = "session_not_ready" {
        /// The session's state.
        state: String,
    },
    /// An attach after the end, or the end during one.
    SessionEnded = "session_ended" {
        /// How and by whom.
        #[serde(default)] detail: String,
    },
    /// Another writer holds the terminal.
    TerminalInUse = "terminal_in_use" {
        /// The epoch that holds it.
        #[serde(default)] epoch: Option<i64>,
    },
    /// The terminal process may not attach.
    ExecForbidden = "exec_forbidden" {
        /// The missing right.
        #[serde(default)] message: String,
    },
    /// Nothing runs there to attach to.
    ExecTargetMissing = "exec_target_missing" {
        /// What was found instead.
        #[serde(default)] message: String,
    },
    /// The shell or the keeper could not be started.
    ShellUnavailable = "shell_unavailable" {
        /// Exit code: 126 and 127 mean the command.
        #[serde(default)] exit_code: Option<i32>,
        /// What the runtime said.
        #[serde(default)] message: String,
    },
    /// A stream broke.
    StreamLost = "stream_lost" {
        /// On which leg.
        leg: TerminalLeg,
        /// Age, close code or error.
        #[serde(default)] message: String,
    },
    /// The recorder cannot store what the policy demands.
    RecorderUnavailable = "recorder_unavailable" {
        /// The store's error.
        #[serde(default)] message: String,
    },
    /// A job of the session used up its attempts or crashed its workers.
    JobExhausted = "job_exhausted" {
        /// The job kind.
        job_kind: String,
        /// The last error of its attempts.
        #[serde(default)] message: String,
    },
    /// Nothing in this list.
    Unlisted = "unlisted" {
        /// Where it came from.
        source: String,
        /// The reason word it came with.
        #[serde(default)] reason: String,
        /// What it said.
        #[serde(default)] message: String,
    },
}
