//! What the cluster admitted, read back from the pod itself.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::body::KEEPER_CONTAINER;
use super::{CONTAINER, KubernetesRuntime};
use crate::{Admitted, ExamDefinition, scratch_volumes};

pub(super) fn admitted(runtime: &KubernetesRuntime, pod: &Pod, exam: &ExamDefinition) -> Admitted {
    let unknown = (PodSpec::default(), Container::default());
    let spec = pod.spec.as_ref().unwrap_or(&unknown.0);
    let containers = &spec.containers;
    let container = containers.iter().find(|it| it.name == CONTAINER);
    let container = container.unwrap_or(&unknown.1);
    Admitted {
        privileged: privileged(container),
        shared_namespaces: shared_namespaces(spec),
        foreign_mounts: foreign_mounts(spec, container, exam),
        keeper_read_only: keeper_read_only(container),
        devices: devices(container),
        memory_and_swap_bytes: memory(container),
        // Limits of processes are none of Kubernetes' matters: the keeper sets them and reports.
        open_files: None,
        processes: None,
        node_pids: runtime.node_pids,
        restarts: spec.restart_policy.as_deref() != Some("Never"),
        // The kubelet rotates every container's log.
        log_bounded: Some(true),
        network: crate::AdmittedNetwork::Filtered {
            must_not_answer: super::body::must_not_answer(runtime, pod),
        },
    }
}

/// Nothing known is never taken for safe.
fn privileged(container: &Container) -> bool {
    let context = container.security_context.as_ref();
    context.is_none_or(|context| context.privileged == Some(true))
}

/// A shared process namespace among the pod's containers counts too: then the keeper is not the
/// first process.
fn shared_namespaces(spec: &PodSpec) -> Vec<String> {
    [
        ("pid", spec.host_pid),
        ("ipc", spec.host_ipc),
        ("net", spec.host_network),
        ("pid of the pod", spec.share_process_namespace),
    ]
    .into_iter()
    .filter(|(_, shared)| *shared == Some(true))
    .map(|(namespace, _)| namespace.to_owned())
    .collect()
}

/// Whatever is mounted beyond the keeper and the scratch volumes, or in their place but from
/// elsewhere than memory. Admission may add mounts, such as a service account's token.
fn foreign_mounts(spec: &PodSpec, container: &Container, exam: &ExamDefinition) -> Vec<String> {
    let keeper = super::body::keeper_folder();
    let scratch = scratch_volumes(exam);
    let ours = |path: &str| path == keeper || scratch.iter().any(|volume| volume.path == path);
    let mounts = container.volume_mounts.iter().flatten();
    mounts
        .filter(|mount| !(ours(&mount.mount_path) && is_memory(spec, &mount.name)))
        .map(|mount| mount.mount_path.clone())
        .chain(foreign_containers(spec))
        .collect()
}

/// What admission put beside ours shares the network, and may mount whatever the pod has.
fn foreign_containers(spec: &PodSpec) -> Vec<String> {
    let ordinary = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    let ordinary = ordinary.map(|it| it.name.as_str());
    let debugging = spec.ephemeral_containers.iter().flatten();
    ordinary
        .chain(debugging.map(|it| it.name.as_str()))
        .filter(|name| ![CONTAINER, KEEPER_CONTAINER].contains(name))
        .map(|name| format!("all of container {name}"))
        .collect()
}

fn is_memory(spec: &PodSpec, volume: &str) -> bool {
    let mut volumes = spec.volumes.iter().flatten();
    let medium = |volume: &Volume| volume.empty_dir.as_ref()?.medium.clone();
    volumes
        .find(|found| found.name == volume)
        .and_then(medium)
        .is_some_and(|medium| medium == "Memory")
}

/// The folder that holds the keeper, and no second mount over the keeper itself.
fn keeper_read_only(container: &Container) -> bool {
    let folder = super::body::keeper_folder();
    let mounts = container.volume_mounts.iter().flatten();
    let mut keepers = mounts.filter(|mount| {
        mount.mount_path == folder || mount.mount_path == carrel_keeper::BINARY_PATH
    });
    keepers
        .next()
        .is_some_and(|mount| mount.read_only == Some(true) && mount.mount_path == folder)
        && keepers.next().is_none()
}

fn devices(container: &Container) -> Vec<String> {
    let blocks = container.volume_devices.iter().flatten();
    let claims = container.resources.as_ref();
    let claims = claims.and_then(|resources| resources.claims.as_ref());
    blocks
        .map(|device| device.device_path.clone())
        .chain(claims.into_iter().flatten().map(|claim| claim.name.clone()))
        .collect()
}

/// Where what is asked for is what is given, a node gives no swap, whatever it does for others.
fn memory(container: &Container) -> Option<u64> {
    let resources = container.resources.as_ref()?;
    let amount = |of: &Option<std::collections::BTreeMap<String, Quantity>>| {
        bytes(&of.as_ref()?.get("memory")?.0)
    };
    let limit = amount(&resources.limits)?;
    (amount(&resources.requests) == Some(limit)).then_some(limit)
}

/// Reads a whole number of bytes with the suffixes that the API server itself writes.
fn bytes(quantity: &str) -> Option<u64> {
    let digits = quantity.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &quantity[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_is_not_ours_is_foreign_in_whatever_list_it_stands() {
        let named = |name: &str| Container {
            name: name.to_owned(),
            ..Container::default()
        };
        let mut spec = PodSpec {
            containers: vec![named(CONTAINER)],
            init_containers: Some(vec![named(KEEPER_CONTAINER)]),
            ..PodSpec::default()
        };
        assert!(foreign_containers(&spec).is_empty());
        spec.containers.push(named("mesh"));
        let init = spec.init_containers.as_mut();
        init.expect("it has some").push(named("mesh-init"));
        let found = ["all of container mesh", "all of container mesh-init"];
        assert_eq!(foreign_containers(&spec), found);
    }

    #[test]
    fn quantities_are_read_as_the_api_server_writes_them() {
        assert_eq!(bytes("134217728"), Some(128 << 20));
        assert_eq!(bytes("128Mi"), Some(128 << 20));
        assert_eq!(bytes("1Gi"), Some(1 << 30));
        assert_eq!(bytes("1500m"), None);
        assert_eq!(bytes(""), None);
    }
}
