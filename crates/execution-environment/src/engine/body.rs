//! From a specification to the container that is asked for.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::EngineHardening;
use crate::isolation::{DESCRIPTORS, PROCESSES_PER_USER};
use crate::scratch::SHARED_MEMORY;
use crate::{EnvironmentSpec, ExamDefinition, Protection, ScratchVolume, scratch_volumes};

/// A log of this size holds what a snapshot takes of it many times over.
const LOG_SIZE: &str = "1m";
/// Seconds between asking the keeper to end and killing it, when an engine is asked to stop it.
const STOP_SECONDS: i64 = 1;

/// Describes the container of one attempt.
pub(super) fn container(
    spec: &EnvironmentSpec,
    keeper: &Path,
    hardening: &EngineHardening,
) -> ContainerCreateBody {
    let exam = &spec.exam;
    let (entrypoint, cmd) = command(exam, hardening);
    let user = if hardening.has(Protection::OrdinaryUser) {
        (exam.user.uid, exam.user.gid)
    } else {
        (0, 0)
    };
    ContainerCreateBody {
        image: Some(exam.image.clone()),
        user: Some(format!("{}:{}", user.0, user.1)),
        hostname: Some("carrel".to_owned()),
        entrypoint: Some(entrypoint),
        cmd: Some(cmd),
        env: Some(environment(exam)),
        working_dir: Some(exam.workdir.clone()),
        labels: Some(spec.labels().to_map().into_iter().collect()),
        stop_timeout: Some(STOP_SECONDS),
        host_config: Some(host_config(exam, keeper, hardening)),
        ..ContainerCreateBody::default()
    }
}

fn command(exam: &ExamDefinition, hardening: &EngineHardening) -> (Vec<String>, Vec<String>) {
    let keeper = carrel_keeper::BINARY_PATH;
    let mut arguments: Vec<String> = [
        "run",
        "--socket",
        carrel_keeper::SOCKET_PATH,
        "--workdir",
        &exam.workdir,
        "--",
    ]
    .map(str::to_owned)
    .into();
    arguments.extend(exam.shell.iter().cloned());
    if hardening.has(Protection::KeeperFirst) {
        return (vec![keeper.to_owned()], arguments);
    }
    let script = format!("{keeper} \"$@\"; exit $?");
    (
        vec![
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            script,
            "sh".to_owned(),
        ],
        arguments,
    )
}

fn environment(exam: &ExamDefinition) -> Vec<String> {
    crate::inside::variables(exam)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn host_config(exam: &ExamDefinition, keeper: &Path, hardening: &EngineHardening) -> HostConfig {
    let has = |protection| hardening.has(protection);
    let volumes = scratch_volumes(exam);
    HostConfig {
        cap_drop: has(Protection::NoCapabilities).then(|| vec!["ALL".to_owned()]),
        security_opt: Some(security_options(hardening)),
        readonly_rootfs: Some(has(Protection::ReadOnlyRoot)),
        network_mode: Some(
            if has(Protection::NoNetwork) {
                "none"
            } else {
                "host"
            }
            .to_owned(),
        ),
        pid_mode: (!has(Protection::OwnNamespaces)).then(|| "host".to_owned()),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        privileged: Some(false),
        binds: Some(binds(keeper, hardening)),
        tmpfs: Some(tmpfs(&volumes, hardening)),
        shm_size: volumes
            .iter()
            .find(|volume| volume.path == SHARED_MEMORY)
            .map(|volume| signed(volume.size_bytes)),
        log_config: Some(log_config(hardening)),
        restart_policy: Some(restart_policy(hardening)),
        devices: (!has(Protection::NoDevices)).then(extra_device),
        auto_remove: Some(false),
        init: Some(false),
        ..resources(exam, hardening)
    }
}

fn security_options(hardening: &EngineHardening) -> Vec<String> {
    let mut options = Vec::new();
    if hardening.has(Protection::NoNewPrivileges) {
        options.push("no-new-privileges".to_owned());
    }
    // Without a word about seccomp the engine's default profile applies.
    if !hardening.has(Protection::SeccompFilter) {
        options.push("seccomp=unconfined".to_owned());
    }
    options
}

fn binds(keeper: &Path, hardening: &EngineHardening) -> Vec<String> {
    let mode = if hardening.has(Protection::KeeperReadOnly) {
        "ro"
    } else {
        "rw"
    };
    let mut binds = vec![format!(
        "{}:{}:{mode}",
        keeper.display(),
        carrel_keeper::BINARY_PATH
    )];
    if !hardening.has(Protection::NoForeignMounts) {
        binds.push("/etc/hostname:/etc/carrel-foreign:ro".to_owned());
    }
    binds
}

/// `/dev/shm` is sized by the engine itself; all other volumes are mounts of ours.
///
/// Podman knows no owner of a tmpfs, and there is one user inside, so the mode opens it to all.
fn tmpfs(volumes: &[ScratchVolume], hardening: &EngineHardening) -> HashMap<String, String> {
    let bounded = hardening.has(Protection::BoundedScratch);
    volumes
        .iter()
        .filter(|volume| volume.path != SHARED_MEMORY)
        .map(|volume| {
            let size = if bounded {
                format!(",size={}", volume.size_bytes)
            } else {
                String::new()
            };
            (
                volume.path.clone(),
                format!("rw,nosuid,nodev,mode=1777{size}"),
            )
        })
        .collect()
}

fn resources(exam: &ExamDefinition, hardening: &EngineHardening) -> HostConfig {
    let limits = &exam.limits;
    let memory = hardening
        .has(Protection::MemoryLimit)
        .then(|| signed(limits.memory_bytes()));
    HostConfig {
        memory,
        // Memory and swap together: equal to memory means no swap.
        memory_swap: memory,
        nano_cpus: hardening
            .has(Protection::CpuLimit)
            .then(|| i64::from(limits.cpu_millis) * 1_000_000),
        pids_limit: hardening
            .has(Protection::PidsLimit)
            .then(|| i64::from(limits.pids)),
        ulimits: Some(ulimits(hardening)),
        ..HostConfig::default()
    }
}

/// Explicit, since an engine's own defaults can be above what the machine allows it to give, and
/// then nothing starts.
fn ulimits(hardening: &EngineHardening) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, soft, hard| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(signed(soft)),
        hard: Some(signed(hard)),
    };
    let more = if hardening.has(Protection::ResourceLimits) {
        1
    } else {
        2
    };
    vec![
        limit("nofile", DESCRIPTORS / 2, DESCRIPTORS * more),
        limit("nproc", PROCESSES_PER_USER, PROCESSES_PER_USER),
    ]
}

/// The keeper writes diagnostics, never terminal output; even so a log without end fills a disk.
fn log_config(hardening: &EngineHardening) -> HostConfigLogConfig {
    let size = hardening
        .has(Protection::BoundedLog)
        .then(|| HashMap::from([("max-size".to_owned(), LOG_SIZE.to_owned())]));
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: size,
    }
}

fn restart_policy(hardening: &EngineHardening) -> RestartPolicy {
    let name = if hardening.has(Protection::NoRestart) {
        RestartPolicyNameEnum::NO
    } else {
        RestartPolicyNameEnum::ALWAYS
    };
    RestartPolicy {
        name: Some(name),
        maximum_retry_count: None,
    }
}

fn extra_device() -> Vec<DeviceMapping> {
    vec![DeviceMapping {
        path_on_host: Some("/dev/zero".to_owned()),
        path_in_container: Some("/dev/carrel-extra".to_owned()),
        cgroup_permissions: Some("r".to_owned()),
    }]
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
