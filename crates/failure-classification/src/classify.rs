//! From a signal to its rule.

use std::time::Duration;

use serde::Serialize;

use crate::{
    Attribution, DisruptionCause, FailureClass, FailureCode, Phase, RetryRule, Rule, Signal, rule,
};

/// Holds the verdict on one signal on one side of the ready line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// The rule that applies.
    pub rule: &'static Rule,
    /// Whose doing it is; the rule's, unless the signal itself tells more.
    pub attribution: Attribution,
    /// How long it must persist before it is believed, in this phase.
    pub window: Duration,
    /// How many observations in a row must agree.
    pub observations: u8,
    /// Whether another attempt may help, in this phase. After ready always `Never`, except for
    /// access codes, which never concern the environment.
    pub retry: RetryRule,
    /// One sentence for operators: the rule's text and what the source said.
    pub operator_text: String,
}

impl Classified {
    /// Returns the code.
    pub fn code(&self) -> FailureCode {
        self.rule.code
    }

    /// Tells whether this verdict may end a session. Access codes never do.
    pub fn may_fail_session(&self) -> bool {
        self.rule.class != FailureClass::Access
    }
}

/// The JSON shape of a verdict: flat, with the texts, windows in milliseconds.
#[derive(Serialize)]
struct Shape<'a> {
    code: FailureCode,
    class: FailureClass,
    attribution: Attribution,
    window_ms: u64,
    observations: u8,
    retry: RetryRule,
    may_fail_session: bool,
    candidate_text: &'a str,
    waiting_text: Option<&'a str>,
    operator_text: &'a str,
    runbook: &'a str,
}

impl Serialize for Classified {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shape {
            code: self.rule.code,
            class: self.rule.class,
            attribution: self.attribution,
            window_ms: rule::whole_milliseconds(self.window),
            observations: self.observations,
            retry: self.retry,
            may_fail_session: self.may_fail_session(),
            candidate_text: self.rule.candidate_text,
            waiting_text: self.rule.waiting_text,
            operator_text: &self.operator_text,
            runbook: self.rule.runbook,
        }
        .serialize(serializer)
    }
}

/// Judges a signal.
///
/// Pure and total: every signal has a verdict, and what nobody listed is
/// [`FailureCode::InfraUnclassified`].
pub fn classify(signal: &Signal, phase: Phase) -> Classified {
    let rule = rule(code(signal, phase));
    let window = match phase {
        Phase::BeforeReady => rule.window_before_ready.unwrap_or(rule.window),
        Phase::AfterReady => rule.window,
    };
    Classified {
        rule,
        attribution: attribution(signal, phase, rule),
        window,
        observations: rule.observations,
        retry: retry(signal, phase, rule),
        operator_text: operator_text(signal, rule),
    }
}

fn code(signal: &Signal, phase: Phase) -> FailureCode {
    use FailureCode as Code;
    match signal {
        Signal::ImageNameInvalid { .. } => Code::InitImageNameInvalid,
        Signal::ImageMissing { .. } => Code::InitImageMissing,
        Signal::ImageDenied { .. } => Code::InitImageDenied,
        Signal::ImageSourceUnavailable { .. } => Code::InfraImageSourceUnavailable,
        Signal::ImageNotPreloaded { .. } => Code::InfraImageNotPreloaded,
        Signal::ImageRejected { .. } => Code::InitImageRejected,
        Signal::ConfigInvalid { .. } => Code::InitConfigInvalid,
        Signal::StartFailed { .. } => Code::InitStartFailed,
        Signal::SetupHookFailed { .. } | Signal::SetupFailed { .. } => Code::InitSetupFailed,
        Signal::Exited { oom_killed, .. } => exited(*oom_killed, phase),
        Signal::NotReady { .. } => Code::InitNotReady,
        Signal::IsolationUnproven { .. } => Code::InfraIsolationUnproven,
        Signal::Unschedulable { .. } => Code::InfraCapacity,
        Signal::SchedulingGated { .. } => Code::InfraGated,
        Signal::NodeRejected { .. } => Code::InfraNodeRejected,
        Signal::NodeSetup { .. } => Code::InfraNodeSetup,
        Signal::QuotaExceeded { .. } => Code::InfraQuota,
        Signal::PolicyDenied { .. } => Code::InfraPolicyDenied,
        Signal::SpecInvalid { .. } => Code::InitSpecInvalid,
        Signal::NameConflict { .. } => Code::InfraNameConflict,
        Signal::RuntimeUnavailable { .. } => Code::InfraApiUnavailable,
        Signal::RuntimeUnauthorized { .. } => Code::InfraApiAuth,
        Signal::DatabaseUnavailable { .. } => Code::InfraDatabaseUnavailable,
        Signal::DiskExceeded { .. } => Code::RuntimeDiskExceeded,
        Signal::NodePressure { .. } => Code::InfraNodePressure,
        Signal::DeadlineBackstop { .. } => Code::RuntimeDeadlineMismatch,
        Signal::Disrupted { cause, .. } => disrupted(*cause),
        Signal::NodeLost { .. } => Code::InfraNodeLost,
        Signal::Vanished { .. } => Code::InfraPodVanished,
        Signal::AccessRefused { .. } => Code::AccessDenied,
        Signal::SessionNotReady { .. } => Code::AccessNotReady,
        Signal::SessionEnded { .. } => Code::AccessEnded,
        Signal::TerminalInUse { .. } => Code::AccessInUse,
        Signal::ExecForbidden { .. } => Code::AccessExecForbidden,
        Signal::ExecTargetMissing { .. } => Code::AccessExecTarget,
        Signal::ShellUnavailable { .. } => Code::AccessShellUnavailable,
        Signal::StreamLost { .. } => Code::AccessStreamLost,
        Signal::RecorderUnavailable { .. } => Code::AccessRecordingUnavailable,
        Signal::JobExhausted { .. } => Code::InfraJobExhausted,
        Signal::Unlisted { .. } => Code::InfraUnclassified,
    }
}

fn exited(oom_killed: bool, phase: Phase) -> FailureCode {
    match (phase, oom_killed) {
        (Phase::BeforeReady, true) => FailureCode::InitMemoryTooSmall,
        (Phase::BeforeReady, false) => FailureCode::InitExitedEarly,
        (Phase::AfterReady, true) => FailureCode::RuntimeMemoryExceeded,
        (Phase::AfterReady, false) => FailureCode::RuntimeExited,
    }
}

fn disrupted(cause: DisruptionCause) -> FailureCode {
    match cause {
        DisruptionCause::Preemption => FailureCode::InfraDisruptedPreemption,
        DisruptionCause::Eviction => FailureCode::InfraDisruptedEviction,
        DisruptionCause::Taint => FailureCode::InfraDisruptedTaint,
        DisruptionCause::Shutdown => FailureCode::InfraDisruptedShutdown,
        DisruptionCause::Collection => FailureCode::InfraDisruptedCollection,
    }
}

/// A clean exit is the candidate's own doing; any other is the environment's.
fn attribution(signal: &Signal, phase: Phase, rule: &Rule) -> Attribution {
    if let (
        Signal::Exited {
            exit_code,
            oom_killed: false,
            ..
        },
        Phase::AfterReady,
    ) = (signal, phase)
        && *exit_code != Some(0)
    {
        return Attribution::Environment;
    }
    rule.attribution
}

fn retry(signal: &Signal, phase: Phase, rule: &Rule) -> RetryRule {
    let concerns_access = rule.class == FailureClass::Access;
    if phase == Phase::AfterReady && !concerns_access {
        return RetryRule::Never;
    }
    if let Signal::QuotaExceeded {
        cleanup_pending: false,
        ..
    } = signal
    {
        return RetryRule::Never;
    }
    if let Signal::NameConflict { ours: true, .. } = signal {
        return RetryRule::WithinBudget;
    }
    rule.retry
}

fn operator_text(signal: &Signal, rule: &Rule) -> String {
    match signal.said() {
        Some(said) => format!("{}: {said}", rule.operator_text),
        None => rule.operator_text.to_owned(),
    }
}
