//! What the engine says it applied, read back from the container itself.

use bollard::models::{ContainerInspectResponse, HostConfig, RestartPolicyNameEnum};

use crate::{Admitted, AdmittedNetwork, ExamDefinition, scratch_volumes};

pub(super) fn admitted(found: &ContainerInspectResponse, exam: &ExamDefinition) -> Admitted {
    let unknown = HostConfig::default();
    let host = found.host_config.as_ref().unwrap_or(&unknown);
    Admitted {
        // Nothing known is never taken for safe.
        privileged: host.privileged.unwrap_or(true),
        shared_namespaces: shared_namespaces(host),
        foreign_mounts: foreign_mounts(found, exam),
        keeper_read_only: keeper_read_only(found),
        devices: devices(host),
        network: AdmittedNetwork::None,
        memory_and_swap_bytes: host.memory_swap.and_then(positive),
        open_files: ulimit(host, "nofile"),
        processes: ulimit(host, "nproc"),
        node_pids: None,
        restarts: restarts(host),
        log_bounded: log_bounded(host),
    }
}

fn shared_namespaces(host: &HostConfig) -> Vec<String> {
    let cgroup = host.cgroupns_mode.as_ref().map(ToString::to_string);
    [
        ("pid", host.pid_mode.as_deref()),
        ("ipc", host.ipc_mode.as_deref()),
        ("uts", host.uts_mode.as_deref()),
        ("net", host.network_mode.as_deref()),
        ("cgroup", cgroup.as_deref()),
    ]
    .into_iter()
    .filter(|(_, mode)| mode.is_some_and(|mode| mode == "host" || mode.starts_with("container:")))
    .map(|(namespace, _)| namespace.to_owned())
    .collect()
}

fn foreign_mounts(found: &ContainerInspectResponse, exam: &ExamDefinition) -> Vec<String> {
    let volumes = scratch_volumes(exam);
    let ours = |target: &str| {
        target == carrel_keeper::BINARY_PATH || volumes.iter().any(|volume| volume.path == target)
    };
    let mounts = found
        .mounts
        .iter()
        .flatten()
        .filter_map(|mount| mount.destination.clone());
    mounts.filter(|target| !ours(target)).collect()
}

fn keeper_read_only(found: &ContainerInspectResponse) -> bool {
    let mut keepers = found
        .mounts
        .iter()
        .flatten()
        .filter(|mount| mount.destination.as_deref() == Some(carrel_keeper::BINARY_PATH));
    keepers.next().is_some_and(|mount| mount.rw == Some(false)) && keepers.next().is_none()
}

fn devices(host: &HostConfig) -> Vec<String> {
    host.devices
        .iter()
        .flatten()
        .filter_map(|device| device.path_in_container.clone())
        .collect()
}

fn positive(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// Docker keeps `nofile` as given, Podman writes `RLIMIT_NOFILE`.
fn ulimit(host: &HostConfig, name: &str) -> Option<u64> {
    host.ulimits
        .iter()
        .flatten()
        .find(|limit| {
            let found = limit.name.as_deref().unwrap_or_default().to_lowercase();
            found.strip_prefix("rlimit_").unwrap_or(&found) == name
        })
        .and_then(|limit| limit.hard.and_then(positive))
}

fn restarts(host: &HostConfig) -> bool {
    let policy = host.restart_policy.as_ref().and_then(|policy| policy.name);
    !matches!(
        policy,
        None | Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY)
    )
}

/// Docker tells the options of a log, Podman's compatible API tells none (its own shows that they
/// are applied). A driver that keeps nothing is bounded.
fn log_bounded(host: &HostConfig) -> Option<bool> {
    let log = host.log_config.as_ref()?;
    if log.typ.as_deref() == Some("none") {
        return Some(true);
    }
    log.config
        .as_ref()
        .map(|config| config.contains_key("max-size"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::{ContainerInspectResponse, HostConfig, HostConfigLogConfig};

    use super::{admitted, log_bounded};
    use crate::ExamDefinition;

    fn log(options: Option<&[(&str, &str)]>) -> Option<bool> {
        let config = options.map(|options| {
            options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        });
        let log = HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: config.map(HashMap::from_iter),
        };
        log_bounded(&HostConfig {
            log_config: Some(log),
            ..HostConfig::default()
        })
    }

    #[test]
    fn a_log_is_bounded_unbounded_or_not_told() {
        assert_eq!(log(Some(&[("max-size", "1m")])), Some(true));
        assert_eq!(log(Some(&[])), Some(false));
        assert_eq!(log(None), None);
    }

    #[test]
    fn an_empty_answer_is_not_taken_for_a_safe_one() {
        let exam = ExamDefinition::parse(include_str!("../../tests/exam.json"))
            .expect("the sample is sound");
        let admitted = admitted(&ContainerInspectResponse::default(), &exam);
        assert!(admitted.privileged && !admitted.keeper_read_only);
        assert_eq!(
            (admitted.memory_and_swap_bytes, admitted.open_files),
            (None, None)
        );
    }
}
