//! The container that installs the keeper, and the one the candidate is in.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use carrel_keeper::report::METADATA;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::{CONTAINER, KubernetesHardening, KubernetesRuntime};
use super::{security, volumes};
use crate::isolation::{DESCRIPTORS, PROCESSES_PER_USER};
use crate::{ExamDefinition, Protection};

/// The container that installs the keeper.
pub(in super::super) const KEEPER_CONTAINER: &str = "keeper";
/// Where the node's own agent listens.
const NODE_PORT: u16 = 10250;

/// The keeper looks at the network again for this long while anything answers: policies may be
/// enforced a moment after a pod starts.
const PROVE_WITHIN_MS: &str = "10000";
/// The log, and nothing else: all that can be written otherwise is memory.
const DISK: &str = "64Mi";
/// Environments that share one processor's worth of their limits.
const SHARERS: u32 = 50;
/// Copying two megabytes into memory takes little of either.
const INSTALLER_CPU_MILLIS: u32 = 100;
const INSTALLER_MEMORY_MIB: u32 = 64;
/// The node's address, as the kubelet knows it.
const NODE: &str = "CARREL_NODE";

pub(super) fn keeper(image: &str, exam: &ExamDefinition) -> Container {
    Container {
        name: KEEPER_CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(vec![
            "install".to_owned(),
            carrel_keeper::BINARY_PATH.to_owned(),
        ]),
        security_context: Some(security::of_installer()),
        volume_mounts: Some(volumes::installer_mounts()),
        // Never more than the environment asks for, or a pod would need more than its exam says.
        resources: Some(resources(
            Some(exam.limits.cpu_millis.min(INSTALLER_CPU_MILLIS)),
            Some(exam.limits.memory_mib.min(INSTALLER_MEMORY_MIB)),
        )),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

pub(super) fn environment(runtime: &KubernetesRuntime, exam: &ExamDefinition) -> Container {
    let hardening = &runtime.hardening;
    let has = |protection| hardening.has(protection);
    let (command, args) = command(runtime, exam);
    Container {
        name: CONTAINER.to_owned(),
        image: Some(exam.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command),
        args: Some(args),
        working_dir: Some(exam.workdir.clone()),
        env: Some(environment_variables(exam)),
        security_context: Some(security::of_environment(hardening)),
        volume_mounts: Some(volumes::mounts(exam, hardening)),
        resources: Some(resources(
            has(Protection::CpuLimit).then_some(exam.limits.cpu_millis),
            has(Protection::MemoryLimit).then_some(exam.limits.memory_mib),
        )),
        // A file of the node, open to everyone and without a limit: it lies in what was sealed.
        termination_message_path: Some(format!("{}/termination", carrel_keeper::SEALED_PATH)),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn command(runtime: &KubernetesRuntime, exam: &ExamDefinition) -> (Vec<String>, Vec<String>) {
    let keeper = carrel_keeper::BINARY_PATH;
    let arguments = arguments(runtime, exam);
    if runtime.hardening.has(Protection::KeeperFirst) {
        return (vec![keeper.to_owned()], arguments);
    }
    let script = format!("{keeper} \"$@\"; exit $?");
    let shell = ["/bin/sh", "-c", &script, "sh"].map(str::to_owned);
    (shell.into(), arguments)
}

/// `$(NAME)` is replaced by the kubelet.
fn arguments(runtime: &KubernetesRuntime, exam: &ExamDefinition) -> Vec<String> {
    let descriptors = descriptors(&runtime.hardening).to_string();
    let processes = PROCESSES_PER_USER.to_string();
    let pids = runtime
        .node_pids
        .unwrap_or_default()
        .max(exam.limits.pids.into())
        .to_string();
    let instance = format!("$({})", carrel_keeper::INSTANCE_VARIABLE);
    let pairs = [
        ("--socket", carrel_keeper::SOCKET_PATH),
        ("--workdir", &exam.workdir),
        ("--instance", &instance),
        ("--prove-within-ms", PROVE_WITHIN_MS),
        ("--open-files", &descriptors),
        ("--processes", &processes),
        ("--pids", &pids),
    ];
    let pairs = pairs.map(|(flag, value)| (flag, value.to_owned()));
    let probes = probes(runtime).into_iter().map(|probe| ("--probe", probe));
    let flags = pairs.into_iter().chain(probes);
    std::iter::once("run".to_owned())
        .chain(flags.flat_map(|(flag, value)| [flag.to_owned(), value]))
        .chain(std::iter::once("--".to_owned()))
        .chain(exam.shell.iter().map(|word| verbatim(word)))
        .collect()
}

fn descriptors(hardening: &KubernetesHardening) -> u64 {
    let more = if hardening.has(Protection::ResourceLimits) {
        1
    } else {
        2
    };
    DESCRIPTORS * more
}

/// The exam's own words are not the kubelet's to replace. It takes two dollars for one wherever they
/// stand, so each is doubled and not only those before a bracket.
pub(super) fn verbatim(word: &str) -> String {
    word.replace('$', "$$")
}

/// What the keeper tries: the node's agent, the API server by its Service, and what is known here.
fn probes(runtime: &KubernetesRuntime) -> Vec<String> {
    let mut probes = vec![
        format!("$({NODE}):{NODE_PORT}"),
        "$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)".to_owned(),
    ];
    probes.extend(known(runtime).map(|address| address.to_string()));
    probes
}

/// The addresses that no environment may reach, of those whose numbers are known outside.
fn known(runtime: &KubernetesRuntime) -> impl Iterator<Item = SocketAddr> {
    let server = runtime.config.cluster_url.authority();
    let server = server.and_then(|server| {
        let host = server.host().trim_start_matches('[').trim_end_matches(']');
        let ip: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(ip, server.port_u16().unwrap_or(443)))
    });
    // An address of this machine's own loopback is another machine's inside.
    let server = server.filter(|server| !server.ip().is_loopback());
    server
        .into_iter()
        .chain(runtime.isolation_probes.iter().copied())
}

/// What must have been tried inside a pod and must not have answered.
pub(in super::super) fn must_not_answer(runtime: &KubernetesRuntime, pod: &Pod) -> Vec<String> {
    let status = pod.status.as_ref();
    let node = status.and_then(|status| status.host_ip.as_deref()?.parse::<IpAddr>().ok());
    let node = node.map(|ip| SocketAddr::new(ip, NODE_PORT));
    node.into_iter()
        .chain([METADATA])
        .chain(known(runtime))
        .map(|address| address.to_string())
        .collect()
}

fn environment_variables(exam: &ExamDefinition) -> Vec<EnvVar> {
    let fixed = crate::inside::variables(exam).map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(verbatim(&value)),
        value_from: None,
    });
    let fields = [
        (carrel_keeper::INSTANCE_VARIABLE, "metadata.uid"),
        (NODE, "status.hostIP"),
    ];
    let fields = fields.map(|(name, path)| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    });
    fixed.into_iter().chain(fields).collect()
}

fn quantities(cpu_millis: Option<u32>, memory_mib: Option<u32>) -> BTreeMap<String, Quantity> {
    [
        ("cpu", cpu_millis.map(|millis| format!("{millis}m"))),
        ("memory", memory_mib.map(|mib| format!("{mib}Mi"))),
        ("ephemeral-storage", Some(DISK.to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, quantity)| Some((name.to_owned(), Quantity(quantity?))))
    .collect()
}

/// Memory and disk are promised to one environment only. Processors are shared: who types needs one
/// for moments, so a node takes [`SHARERS`] environments for each that it has.
fn resources(cpu_millis: Option<u32>, memory_mib: Option<u32>) -> ResourceRequirements {
    let limits = quantities(cpu_millis, memory_mib);
    let mut requests = limits.clone();
    if let Some(limit) = cpu_millis {
        let share = limit.div_ceil(SHARERS);
        requests.insert("cpu".to_owned(), Quantity(format!("{share}m")));
    }
    ResourceRequirements {
        limits: Some(limits),
        requests: Some(requests),
        claims: None,
    }
}
