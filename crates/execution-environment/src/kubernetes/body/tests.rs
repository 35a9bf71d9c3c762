//! What every pod that is asked for has, without a cluster.

mod kubelet;

use std::io::Write as _;

use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

use super::*;
use crate::ExamDefinition;
use crate::kubernetes::{CONTAINER, KubernetesConfig, Placement};
use k8s_openapi::api::core::v1::Container;

const KEEPER_IMAGE: &str = "localhost/carrel-keeper:1";
const ANCHOR: &str = "57a4ce61-6eff-45a2-ba0b-4ad18ba6b543";
/// An address for documentation, which nothing is sent to.
const KUBECONFIG: &str = r#"{
    "current-context": "a",
    "contexts": [{ "name": "a", "context": { "cluster": "a" } }],
    "clusters": [{ "name": "a", "cluster": { "server": "https://192.0.2.1:6443" } }]
}"#;

/// A runtime that asks nobody anything.
async fn runtime(change: impl FnOnce(&mut KubernetesConfig)) -> KubernetesRuntime {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(KUBECONFIG.as_bytes())
        .expect("it takes text");
    let mut config = KubernetesConfig {
        kubeconfig: Some(file.path().to_owned()),
        context: None,
        namespace: "exams".to_owned(),
        keeper_image: Some(KEEPER_IMAGE.to_owned()),
        isolation_probes: Vec::new(),
        node_pids: None,
        placement: Placement::default(),
    };
    change(&mut config);
    KubernetesRuntime::connect(&config).await.expect("a client")
}

fn spec() -> EnvironmentSpec {
    let exam = ExamDefinition::parse(include_str!("../../../tests/exam.json"));
    EnvironmentSpec {
        install_id: InstallId::generate(),
        session_id: ExamSessionId::generate(),
        user_id: UserId::parse("candidate-1").expect("a name"),
        environment_id: ExecutionEnvironmentId::generate(),
        attempt: 2,
        exam: exam.expect("the sample is sound"),
        deadline: None,
        avoid: Vec::new(),
    }
}

async fn made(spec: &EnvironmentSpec) -> Pod {
    pod(&runtime(|_| {}).await, spec, KEEPER_IMAGE, ANCHOR)
}

fn containers(pod: &Pod) -> (&Container, &Container) {
    let spec = pod.spec.as_ref().expect("it has one");
    let installers = spec.init_containers.as_deref().unwrap_or_default();
    let ([keeper], [environment]) = (installers, &spec.containers[..]) else {
        panic!("one container installs, and one is the environment: {spec:?}");
    };
    assert_eq!(environment.name, CONTAINER);
    (keeper, environment)
}

#[tokio::test]
async fn every_container_is_restricted_and_no_namespace_is_shared() {
    let pod = made(&spec()).await;
    let body = pod.spec.as_ref().expect("it has one");
    let whole = body.security_context.as_ref().expect("it has one");
    assert_eq!(whole.run_as_non_root, Some(true));
    assert_eq!(
        (whole.run_as_user, whole.run_as_group),
        (Some(1000), Some(1000))
    );
    let seccomp = whole.seccomp_profile.as_ref().expect("it has one");
    assert_eq!(seccomp.type_, "RuntimeDefault");
    let (keeper, environment) = containers(&pod);
    for container in [keeper, environment] {
        let own = container.security_context.as_ref().expect("it has one");
        assert_eq!(own.allow_privilege_escalation, Some(false));
        assert_eq!(own.read_only_root_filesystem, Some(true));
        assert_eq!(own.privileged, Some(false));
        let capabilities = own.capabilities.as_ref().expect("it has some");
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(capabilities.add, None);
        assert_ne!(own.run_as_user, Some(0));
    }
    let shared = [
        body.host_pid,
        body.host_ipc,
        body.host_network,
        body.share_process_namespace,
    ];
    assert_eq!(shared, [None; 4]);
}

#[tokio::test]
async fn a_pod_has_no_token_no_links_no_names_and_never_starts_again() {
    let pod = made(&spec()).await;
    let body = pod.spec.as_ref().expect("it has one");
    assert_eq!(body.automount_service_account_token, Some(false));
    assert_eq!(body.enable_service_links, Some(false));
    assert_eq!(body.restart_policy.as_deref(), Some("Never"));
    assert_eq!(body.dns_policy.as_deref(), Some("None"));
    assert_eq!(body.termination_grace_period_seconds, Some(1));
    // An exam that may reach something may also look up its name.
    let mut spec = spec();
    spec.exam.egress = vec!["192.0.2.9:443".to_owned()];
    let pod = made(&spec).await;
    assert_eq!(pod.spec.expect("it has one").dns_policy, None);
}

#[tokio::test]
async fn whose_it_is_stands_on_the_pod_and_on_its_anchor() {
    let spec = spec();
    let pod = made(&spec).await;
    let anchor = anchor(&runtime(|_| {}).await, &spec);
    assert_eq!(anchor.immutable, Some(true));
    for meta in [&pod.metadata, &anchor.metadata] {
        assert_eq!(meta.name.as_deref(), Some(spec.runtime_name().as_str()));
        assert_eq!(meta.namespace.as_deref(), Some("exams"));
        let labels = meta.labels.as_ref().expect("it has some");
        for (key, value) in spec.labels().to_map() {
            assert_eq!(labels.get(&key), Some(&value), "{key}");
        }
        assert_eq!(labels.get(EXAM), Some(&spec.exam.name));
        let notes = meta.annotations.as_ref().expect("it has some");
        assert_eq!(notes["carrel.user-id"], "candidate-1");
        assert!(!notes.contains_key("carrel.deadline"));
        // A finalizer would outlive whoever could take it away.
        assert_eq!(meta.finalizers, None);
    }
    let owners = pod.metadata.owner_references.expect("it has one");
    let [owner] = &owners[..] else {
        panic!("{owners:?}");
    };
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str()),
        ("ConfigMap", ANCHOR)
    );
    assert_eq!(Some(&owner.name), anchor.metadata.name.as_ref());
}

#[test]
fn the_cluster_s_own_end_lies_behind_the_session_s_and_is_never_at_once() {
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let ends_in = |seconds| backstop(Some(now + TimeDelta::seconds(seconds)), Some(now));
    assert_eq!(ends_in(7200), Some(7200 + 600));
    assert_eq!(ends_in(-540), Some(60));
    assert_eq!(ends_in(-86_400), Some(SHORTEST));
    assert_eq!(backstop(None, Some(now)), None);
    assert_eq!(backstop(Some(now), None), None);
}

#[tokio::test]
async fn whatever_can_be_written_is_memory_of_a_size() {
    let spec = spec();
    let pod = made(&spec).await;
    let volumes = pod.spec.as_ref().and_then(|body| body.volumes.clone());
    let volumes = volumes.expect("it has some");
    let size = |name: &str| {
        let volume = volumes.iter().find(|volume| volume.name == name);
        let memory = volume
            .and_then(|volume| volume.empty_dir.as_ref())
            .expect(name);
        assert_eq!(memory.medium.as_deref(), Some("Memory"), "{name}");
        let limit = memory.size_limit.as_ref().expect(name);
        limit.0.parse::<u64>().expect("whole bytes")
    };
    let (keeper, environment) = containers(&pod);
    let mounts = environment.volume_mounts.as_deref().expect("it has some");
    let scratch = crate::scratch_volumes(&spec.exam);
    assert_eq!(mounts.len(), scratch.len() + 1);
    assert_eq!(volumes.len(), mounts.len());
    for place in scratch {
        let mount = mounts.iter().find(|mount| mount.mount_path == place.path);
        assert_eq!(size(&mount.expect(&place.path).name), place.size_bytes);
    }
    let of_keeper = |mounts: &[k8s_openapi::api::core::v1::VolumeMount]| {
        let mut found = mounts
            .iter()
            .filter(|mount| mount.mount_path == keeper_folder());
        found.next().expect("it is mounted").read_only
    };
    assert_eq!(of_keeper(mounts), Some(true));
    let installed = keeper.volume_mounts.as_deref().expect("it has some");
    assert_eq!((of_keeper(installed), installed.len()), (None, 1));
}

#[tokio::test]
async fn memory_and_disk_are_promised_whole_and_processors_are_shared() {
    let pod = made(&spec()).await;
    let (keeper, environment) = containers(&pod);
    let amounts = |container: &Container| {
        let resources = container.resources.clone().expect("it has some");
        let (limits, requests) = (resources.limits, resources.requests);
        let (limits, requests) = (limits.expect("limits"), requests.expect("requests"));
        for whole in ["memory", "ephemeral-storage"] {
            assert_eq!(limits[whole], requests[whole], "{whole}");
        }
        let of = |all: &BTreeMap<_, k8s_openapi::apimachinery::pkg::api::resource::Quantity>,
                  what: &str| { all[what].0.clone() };
        [
            of(&limits, "memory"),
            of(&limits, "cpu"),
            of(&requests, "cpu"),
        ]
    };
    assert_eq!(amounts(environment), ["128Mi", "500m", "10m"]);
    assert_eq!(amounts(keeper), ["64Mi", "100m", "2m"]);
    // Not even a small exam's pod needs more for the keeper than it has anyhow.
    let mut small = spec();
    small.exam.limits.memory_mib = 32;
    small.exam.limits.cpu_millis = 50;
    let pod = made(&small).await;
    let (keeper, environment) = containers(&pod);
    assert_eq!(amounts(keeper), amounts(environment));
}

#[tokio::test]
async fn what_an_exam_asks_for_beyond_that_is_passed_on() {
    let mut spec = spec();
    let body = made(&spec).await.spec.expect("it has one");
    assert_eq!((body.runtime_class_name, body.host_users), (None, None));
    spec.exam.runtime_class = Some("gvisor".to_owned());
    spec.exam.user_namespaces = true;
    let body = made(&spec).await.spec.expect("it has one");
    assert_eq!(body.runtime_class_name.as_deref(), Some("gvisor"));
    assert_eq!(body.host_users, Some(false));
}

#[tokio::test]
async fn the_keeper_tries_every_address_that_is_known_to_be_forbidden() {
    let runtime = runtime(|config| {
        config.isolation_probes = vec!["198.51.100.7:5432".parse().expect("an address")];
        config.node_pids = Some(4096);
    });
    let mut pod = pod(&runtime.await, &spec(), KEEPER_IMAGE, ANCHOR);
    let (_, environment) = containers(&pod);
    let words = environment.args.clone().expect("it has some");
    insta::assert_snapshot!(words.join(" "), @"run --socket /run/carrel/keeper.sock --workdir /home/candidate --instance $(CARREL_INSTANCE) --prove-within-ms 10000 --open-files 2048 --processes 16384 --pids 4096 --probe $(CARREL_NODE):10250 --probe $(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT) --probe 192.0.2.1:6443 --probe 198.51.100.7:5432 -- /bin/bash -i");
    // Of which the node's is only known once it has one.
    pod.status = Some(k8s_openapi::api::core::v1::PodStatus {
        host_ip: Some("203.0.113.5".to_owned()),
        ..Default::default()
    });
    let runtime = self::runtime(|_| {}).await;
    let tried = must_not_answer(&runtime, &pod);
    let forbidden = ["203.0.113.5:10250", "169.254.169.254:80", "192.0.2.1:6443"];
    assert_eq!(tried, forbidden);
}
