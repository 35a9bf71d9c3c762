//! The proof of isolation with each protection removed in turn.

use execution_environment::kubernetes::KubernetesHardening;
use execution_environment::{ExamDefinition, Protection, judge};
use futures_util::StreamExt;

use super::support::Namespace;
use execution_environment::conformance::Bench;

/// What a pod can be made without and is seen to be without. Of the other four, the network is its
/// namespace's and the limit of processes its node's, ids are mapped only where an exam asks for it
/// (each has a test below), and the kubelet bounds every log.
const REMOVABLE: [Protection; 16] = [
    Protection::OrdinaryUser,
    Protection::NoCapabilities,
    Protection::NoNewPrivileges,
    Protection::SeccompFilter,
    Protection::ReadOnlyRoot,
    Protection::BoundedScratch,
    Protection::MemoryLimit,
    Protection::CpuLimit,
    Protection::ResourceLimits,
    Protection::KeeperFirst,
    Protection::KeeperReadOnly,
    Protection::NoDevices,
    Protection::NoForeignMounts,
    Protection::OwnNamespaces,
    Protection::NoPlatformToken,
    Protection::NoRestart,
];
/// Environments at once; each takes some seconds.
const AT_ONCE: usize = 3;

/// What is missing of an environment that is made by one definition and judged by another.
async fn gaps(bench: &Bench, judged_by: &ExamDefinition) -> Vec<Protection> {
    let spec = bench.spec();
    let uid = bench.running(&spec).await;
    let name = spec.runtime_name();
    let report = bench.runtime.verify(&name, &uid, judged_by).await;
    bench.clear().await;
    let report = report.expect("verify");
    let gaps = judge(&report, judged_by).into_iter();
    gaps.map(|gap| gap.protection).collect()
}

#[tokio::test]
async fn an_environment_without_any_one_protection_is_never_proven() {
    let namespace = Namespace::permissive().await;
    namespace
        .with(async {
            let looked_at = futures_util::stream::iter(REMOVABLE).map(async |protection| {
                let hardening = KubernetesHardening::default().without(protection);
                let bench = namespace.bench_without(hardening).await;
                (protection, gaps(&bench, &bench.exam).await)
            });
            let found: Vec<_> = looked_at.buffer_unordered(AT_ONCE).collect().await;
            let missed: Vec<_> = found
                .iter()
                .filter(|(protection, gaps)| !gaps.contains(protection))
                .collect();
            assert!(missed.is_empty(), "not noticed: {missed:#?}");
        })
        .await;
}

#[tokio::test]
async fn a_namespace_for_any_pod_takes_nothing_from_a_sound_environment() {
    let namespace = Namespace::permissive().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            assert_eq!(gaps(&bench, &bench.exam).await, []);
        })
        .await;
}

#[tokio::test]
async fn a_pod_that_has_a_network_is_not_proven() {
    let namespace = Namespace::open().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            assert_eq!(gaps(&bench, &bench.exam).await, [Protection::NoNetwork]);
        })
        .await;
}

#[tokio::test]
async fn a_node_that_allows_more_processes_than_the_exam_is_not_proven_unless_it_is_accepted() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let mut bench = namespace.bench().await;
            let node = bench.exam.limits.pids;
            bench.exam.limits.pids = node / 2;
            assert_eq!(gaps(&bench, &bench.exam).await, [Protection::PidsLimit]);

            let mut config = namespace.config();
            config.node_pids = Some(node.into());
            let mut accepting = namespace.bench_with(&config).await;
            accepting.exam.limits.pids = node / 2;
            assert_eq!(gaps(&accepting, &accepting.exam).await, []);
        })
        .await;
}

#[tokio::test]
async fn ids_that_are_not_mapped_are_noticed_where_an_exam_wants_them_mapped() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            let mut wanted = bench.exam.clone();
            wanted.user_namespaces = true;
            assert_eq!(gaps(&bench, &wanted).await, [Protection::UserNamespace]);
        })
        .await;
}
