//! What the environment's processes may do.

use k8s_openapi::api::core::v1::{
    Capabilities, PodSecurityContext, SeccompProfile, SecurityContext,
};

use super::super::KubernetesHardening;
use crate::{ExamDefinition, Protection};

/// Whom the keeper is installed as: nobody, so that what it seals is closed to the candidate.
const INSTALLER: i64 = 65534;

/// Holds for every container: what none of them may be.
pub(super) fn of_pod(exam: &ExamDefinition, hardening: &KubernetesHardening) -> PodSecurityContext {
    let ordinary = hardening.has(Protection::OrdinaryUser);
    PodSecurityContext {
        run_as_non_root: Some(ordinary),
        run_as_user: Some(if ordinary { exam.user.uid.into() } else { 0 }),
        run_as_group: Some(if ordinary { exam.user.gid.into() } else { 0 }),
        seccomp_profile: Some(seccomp(hardening.has(Protection::SeccompFilter))),
        ..PodSecurityContext::default()
    }
}

fn seccomp(filtered: bool) -> SeccompProfile {
    SeccompProfile {
        type_: if filtered {
            "RuntimeDefault"
        } else {
            "Unconfined"
        }
        .to_owned(),
        localhost_profile: None,
    }
}

/// The candidate's container.
pub(super) fn of_environment(hardening: &KubernetesHardening) -> SecurityContext {
    let has = |protection| hardening.has(protection);
    SecurityContext {
        allow_privilege_escalation: Some(!has(Protection::NoNewPrivileges)),
        read_only_root_filesystem: Some(has(Protection::ReadOnlyRoot)),
        capabilities: has(Protection::NoCapabilities).then(no_capabilities),
        privileged: Some(false),
        ..SecurityContext::default()
    }
}

/// The container that installs the keeper and ends.
pub(super) fn of_installer() -> SecurityContext {
    SecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(INSTALLER),
        run_as_group: Some(INSTALLER),
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(no_capabilities()),
        privileged: Some(false),
        ..SecurityContext::default()
    }
}

fn no_capabilities() -> Capabilities {
    Capabilities {
        drop: Some(vec!["ALL".to_owned()]),
        add: None,
    }
}
