//! Kubernetes' reason words, from the most specific place they can stand in.

use crate::{DisruptionCause, Signal, from_pull_message};

/// Reads a reason word of a pod, of a container or of a condition into the signal it means.
///
/// `None` for words that report progress (`ContainerCreating`) or nothing in particular; the
/// caller then looks at the next less specific place.
pub fn from_kubernetes_reason(reason: &str, image: &str, message: &str) -> Option<Signal> {
    image_reason(reason, image, message)
        .or_else(|| start_reason(reason, message))
        .or_else(|| placement_reason(reason, message))
        .or_else(|| ending_reason(reason, message))
}

fn image_reason(reason: &str, image: &str, message: &str) -> Option<Signal> {
    let (name, said) = (image.to_owned(), message.to_owned());
    match reason {
        "InvalidImageName" => Some(Signal::ImageNameInvalid { image: name }),
        "ErrImagePull" | "ImagePullBackOff" => Some(from_pull_message(image, message)),
        "RegistryUnavailable" => Some(Signal::ImageSourceUnavailable {
            image: name,
            message: said,
        }),
        "ErrImageNeverPull" => Some(Signal::ImageNotPreloaded { image: name }),
        "ImageInspectError" | "SignatureValidationFailed" => Some(Signal::ImageRejected {
            image: name,
            message: said,
        }),
        _ => None,
    }
}

fn start_reason(reason: &str, message: &str) -> Option<Signal> {
    let message = message.to_owned();
    match reason {
        "CreateContainerConfigError" => Some(Signal::ConfigInvalid { message }),
        "CreateContainerError" | "RunContainerError" | "StartError" | "ContainerCannotRun" => {
            Some(Signal::StartFailed { message })
        }
        "PostStartHookError" => Some(Signal::SetupHookFailed { message }),
        "OOMKilled" => Some(Signal::Exited {
            exit_code: Some(137),
            oom_killed: true,
            message,
        }),
        "CrashLoopBackOff" | "Error" => Some(Signal::Exited {
            exit_code: None,
            oom_killed: false,
            message,
        }),
        "Completed" => Some(Signal::Exited {
            exit_code: Some(0),
            oom_killed: false,
            message,
        }),
        _ => None,
    }
}

fn placement_reason(reason: &str, message: &str) -> Option<Signal> {
    let message = message.to_owned();
    match reason {
        "Unschedulable" => Some(Signal::Unschedulable { message }),
        "SchedulingGated" => Some(Signal::SchedulingGated {
            gates: vec![message],
        }),
        "OutOfcpu"
        | "OutOfmemory"
        | "OutOfpods"
        | "OutOfephemeral-storage"
        | "NodeAffinity"
        | "UnexpectedAdmissionError" => Some(Signal::NodeRejected {
            reason: reason.to_owned(),
            message,
        }),
        "FailedCreatePodSandBox" | "FailedMount" | "FailedAttachVolume" => {
            Some(Signal::NodeSetup { message })
        }
        _ => None,
    }
}

fn ending_reason(reason: &str, message: &str) -> Option<Signal> {
    let message = message.to_owned();
    let disrupted = |cause, message| Some(Signal::Disrupted { cause, message });
    match reason {
        "Evicted" => Some(evicted(message)),
        "DeadlineExceeded" => Some(Signal::DeadlineBackstop { message }),
        "PreemptionByScheduler" => disrupted(DisruptionCause::Preemption, message),
        "EvictionByEvictionAPI" => disrupted(DisruptionCause::Eviction, message),
        "DeletionByTaintManager" => disrupted(DisruptionCause::Taint, message),
        "TerminationByKubelet" => disrupted(DisruptionCause::Shutdown, message),
        "DeletionByPodGC" => disrupted(DisruptionCause::Collection, message),
        "NodeLost" | "NodeNotReady" | "NodeUnreachable" => Some(Signal::NodeLost {
            node: None,
            message,
        }),
        _ => None,
    }
}

/// The kubelet words an eviction for the pod's own limit differently from one for the node's need.
fn evicted(message: String) -> Signal {
    let lower = message.to_lowercase();
    let own_limit = lower.contains("exceeds the") || lower.contains("exceeded its local ephemeral");
    if own_limit {
        return Signal::DiskExceeded { message };
    }
    let resource = ["memory", "ephemeral-storage", "inodes", "pids"]
        .into_iter()
        .find(|resource| lower.contains(resource))
        .unwrap_or("unknown");
    Signal::NodePressure {
        resource: resource.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, classify};

    fn code(reason: &str, message: &str, phase: Phase) -> &'static str {
        let signal = from_kubernetes_reason(reason, "exam:1", message).expect(reason);
        classify(&signal, phase).code().as_str()
    }

    #[test]
    fn reasons_before_ready_are_the_environment_s_or_the_platform_s() {
        let cases = [
            ("InvalidImageName", "", "init.image_name_invalid"),
            ("ImagePullBackOff", "manifest unknown", "init.image_missing"),
            ("ErrImagePull", "401 unauthorized", "init.image_denied"),
            (
                "ErrImagePull",
                "i/o timeout",
                "infra.image_source_unavailable",
            ),
            ("ErrImageNeverPull", "", "infra.image_not_preloaded"),
            ("SignatureValidationFailed", "", "init.image_rejected"),
            ("CreateContainerConfigError", "", "init.config_invalid"),
            ("StartError", "", "init.start_failed"),
            ("PostStartHookError", "", "init.setup_failed"),
            ("CrashLoopBackOff", "", "init.exited_early"),
            ("OOMKilled", "", "init.memory_too_small"),
            ("Unschedulable", "", "infra.capacity"),
            ("SchedulingGated", "", "infra.gated"),
            ("OutOfpods", "", "infra.node_rejected"),
            ("FailedMount", "", "infra.node_setup"),
        ];
        for (reason, message, expected) in cases {
            assert_eq!(
                code(reason, message, Phase::BeforeReady),
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn reasons_after_ready_tell_the_candidate_s_limits_from_the_machine_s() {
        let cases = [
            ("OOMKilled", "", "runtime.memory_exceeded"),
            ("Completed", "", "runtime.exited"),
            (
                "Evicted",
                "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi.",
                "runtime.disk_exceeded",
            ),
            (
                "Evicted",
                "The node was low on resource: memory.",
                "infra.node_pressure",
            ),
            ("DeadlineExceeded", "", "runtime.deadline_mismatch"),
            ("PreemptionByScheduler", "", "infra.disrupted_preemption"),
            ("EvictionByEvictionAPI", "", "infra.disrupted_eviction"),
            ("DeletionByTaintManager", "", "infra.disrupted_taint"),
            ("TerminationByKubelet", "", "infra.disrupted_shutdown"),
            ("DeletionByPodGC", "", "infra.disrupted_collection"),
            ("NodeLost", "", "infra.node_lost"),
        ];
        for (reason, message, expected) in cases {
            assert_eq!(
                code(reason, message, Phase::AfterReady),
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn progress_and_unknown_words_conclude_nothing() {
        for reason in ["ContainerCreating", "PodInitializing", "", "NeverSeen"] {
            assert_eq!(
                from_kubernetes_reason(reason, "exam:1", ""),
                None,
                "{reason}"
            );
        }
    }
}
