//! What a signal's source said, in one line.

use crate::Signal;

impl Signal {
    /// Returns what the source said, for operators; `None` when it said nothing.
    ///
    /// Never shown to candidates: it may name machines, images and people.
    pub fn said(&self) -> Option<String> {
        let said = match self {
            Self::ImageNameInvalid { image } | Self::ImageNotPreloaded { image } => image.clone(),
            Self::ImageMissing { image, message }
            | Self::ImageDenied { image, message }
            | Self::ImageSourceUnavailable { image, message }
            | Self::ImageRejected { image, message } => joined(&[image, message]),
            Self::ConfigInvalid { message }
            | Self::StartFailed { message }
            | Self::SetupHookFailed { message }
            | Self::NotReady { message }
            | Self::Unschedulable { message }
            | Self::NodeSetup { message }
            | Self::QuotaExceeded { message, .. }
            | Self::PolicyDenied { message }
            | Self::SpecInvalid { message }
            | Self::DatabaseUnavailable { message }
            | Self::DiskExceeded { message }
            | Self::DeadlineBackstop { message }
            | Self::Disrupted { message, .. }
            | Self::ExecForbidden { message }
            | Self::ExecTargetMissing { message }
            | Self::StreamLost { message, .. }
            | Self::RecorderUnavailable { message } => message.clone(),
            Self::SetupFailed {
                step,
                exit_code,
                tail,
            } => joined(&[step, &ended(*exit_code), tail]),
            Self::Exited {
                exit_code,
                oom_killed,
                message,
            } => {
                let memory = if *oom_killed { "killed for memory" } else { "" };
                joined(&[&ended(*exit_code), memory, message])
            }
            Self::IsolationUnproven { gaps, place } => joined(&[
                &gaps.join(", "),
                &place.as_deref().map(on).unwrap_or_default(),
            ]),
            Self::SchedulingGated { gates } => gates.join(", "),
            Self::NodeRejected { reason, message } => joined(&[reason, message]),
            Self::NodePressure { resource, message } => joined(&[resource, message]),
            Self::NameConflict {
                name, existing_uid, ..
            } => joined(&[name, existing_uid.as_deref().unwrap_or("uid unknown")]),
            Self::RuntimeUnavailable {
                operation,
                status,
                message,
                ..
            } => joined(&[
                operation,
                &status.map(|s| s.to_string()).unwrap_or_default(),
                message,
            ]),
            Self::RuntimeUnauthorized { operation, message } => joined(&[operation, message]),
            Self::NodeLost { node, message } => {
                joined(&[node.as_deref().unwrap_or_default(), message])
            }
            Self::Vanished {
                expected_uid,
                found_uid,
            } => joined(&[
                &uid("expected", expected_uid.as_deref()),
                &uid("found", found_uid.as_deref()),
            ]),
            Self::AccessRefused { detail } | Self::SessionEnded { detail } => detail.clone(),
            Self::SessionNotReady { state } => state.clone(),
            Self::TerminalInUse { epoch } => {
                epoch.map(|e| format!("epoch {e}")).unwrap_or_default()
            }
            Self::ShellUnavailable { exit_code, message } => joined(&[&ended(*exit_code), message]),
            Self::JobExhausted { job_kind, message } => joined(&[job_kind, message]),
            Self::Unlisted {
                source,
                reason,
                message,
            } => joined(&[source, reason, message]),
        };
        (!said.is_empty()).then_some(said)
    }
}

fn joined(parts: &[&str]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("; ")
}

fn ended(exit_code: Option<i32>) -> String {
    exit_code
        .map(|code| format!("exit code {code}"))
        .unwrap_or_default()
}

fn on(place: &str) -> String {
    format!("on {place}")
}

fn uid(label: &str, uid: Option<&str>) -> String {
    uid.map(|uid| format!("{label} uid {uid}"))
        .unwrap_or_default()
}
