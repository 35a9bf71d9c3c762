//! What is refused before, or instead of, anything being made or entered.

use std::sync::Arc;
use std::time::Duration;

use carrel_keeper::frames::RefusalCode;
use carrel_keeper::{Decoder, KeeperFrame};
use execution_environment::conformance::Bench;
use execution_environment::kubernetes::KubernetesRuntime;
use execution_environment::{
    AttachRequest, AttachStreams, Destroyed, EnvironmentRuntime, RuntimeUid,
};
use tokio::io::AsyncReadExt;

use super::accounts::Kubeconfig;
use super::support::{Namespace, exam};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn without_a_keeper_nothing_is_created() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let mut config = namespace.config();
            config.keeper_image = None;
            let bench = namespace.bench_with(&config).await;
            let refused = bench.runtime.create(&bench.spec()).await;
            let refused = refused.expect_err("created without a keeper");
            assert_eq!(refused.signal.kind(), "config_invalid");
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn who_may_not_create_leaves_nothing_behind() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let token = namespace.account("nobody").await;
            for (token, kind) in [
                (token.as_str(), "policy_denied"),
                ("never-was-one", "runtime_unauthorized"),
            ] {
                let kubeconfig = Kubeconfig::with_token(token).await;
                let bench = namespace.bench_with(&kubeconfig.config(&namespace)).await;
                let refused = bench.runtime.create(&bench.spec()).await;
                let refused = refused.expect_err("created without a right");
                assert_eq!(refused.signal.kind(), kind, "{refused:?}");
            }
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_transient() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let kubeconfig = Kubeconfig::of_cluster("server", "https://127.0.0.1:9").await;
            let bench = namespace.bench_with(&kubeconfig.config(&namespace)).await;
            let spec = bench.spec();
            let refused = bench.runtime.create(&spec).await;
            let refused = refused.expect_err("created without a cluster");
            assert!(refused.is_transient(), "{refused:?}");
            let refused = bench.runtime.observe(&spec.runtime_name()).await;
            let refused = refused.expect_err("observed without a cluster");
            assert_eq!(refused.signal.kind(), "runtime_unavailable");
        })
        .await;
}

/// The anchor is there before the pod, so that what is left of a refused creation is found.
#[tokio::test]
async fn what_a_refused_creation_leaves_is_listed_and_destroyed_by_name() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            let mut spec = bench.spec();
            spec.exam.runtime_class = Some("carrel-absent".to_owned());
            let refused = bench.runtime.create(&spec).await;
            let refused = refused.expect_err("created with an absent RuntimeClass");
            assert_eq!(refused.signal.kind(), "policy_denied", "{refused:?}");
            let name = spec.runtime_name();
            let listed = bench.runtime.list(bench.install_id).await.expect("list");
            assert_eq!(listed.len(), 1, "{listed:?}");
            assert_eq!(
                (&listed[0].name, &listed[0].labels),
                (&name, &spec.labels())
            );
            let destroyed = bench.runtime.destroy(&name, None).await.expect("destroy");
            assert_eq!(destroyed, Destroyed::Gone);
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn a_pod_of_another_uid_is_not_entered() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let bench = Bench::new(Arc::new(namespace.runtime().await), exam());
            let spec = bench.spec();
            bench.running(&spec).await;
            let other = RuntimeUid::from_runtime(uuid::Uuid::new_v4().to_string());
            let request = AttachRequest { epoch: 1 };
            let name = spec.runtime_name();
            let streams = bench.runtime.attach(&name, &other, &request).await;
            let refusal = first_frame(streams.expect("attach")).await;
            let KeeperFrame::Refused(refused) = refusal else {
                panic!("not refused: {refusal:?}");
            };
            assert_eq!(refused.code, RefusalCode::OtherInstance);
        })
        .await;
}

async fn first_frame(mut streams: AttachStreams) -> KeeperFrame {
    let mut decoder = Decoder::new();
    let frame = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(frame) = decoder.next_frame().expect("frames in step") {
                return frame;
            }
            let mut piece = [0; 1024];
            let length = streams.reader.read(&mut piece).await.expect("read");
            assert_ne!(length, 0, "the stream ended without a frame");
            decoder.push(&piece[..length]);
        }
    });
    frame.await.expect("a frame in time")
}

/// The kubelet replaces variables in arguments; an exam's words are none of its business.
#[tokio::test]
async fn an_exam_s_words_reach_the_keeper_as_they_were_written() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let mut bench = namespace.bench().await;
            let script = "true || echo $(HOME) $$(HOME) $$ $é ${A} 5$; exec sleep 600";
            bench.exam.shell = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
            let spec = bench.spec();
            bench.running(&spec).await;
            let name = spec.runtime_name();
            let read = ["exec", name.as_str(), "-c", "environment", "--", "cat"];
            let read = [&read[..], &["/proc/1/cmdline"]].concat();
            let words = namespace.kubectl(&read).await;
            let last = words.trim_end_matches('\0').rsplit('\0').next();
            assert_eq!(last, Some(script), "{words:?}");
        })
        .await;
}

/// A runtime of nobody's rights cannot even be looked through.
#[tokio::test]
async fn who_holds_no_right_learns_nothing_of_others() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            let spec = bench.spec();
            bench.runtime.create(&spec).await.expect("create");
            let token = namespace.account("nobody").await;
            let kubeconfig = Kubeconfig::with_token(&token).await;
            let config = kubeconfig.config(&namespace);
            let nobody = KubernetesRuntime::connect(&config).await.expect("connect");
            let name = spec.runtime_name();
            let refused = [
                nobody.observe(&name).await.err(),
                nobody.list(bench.install_id).await.err(),
                nobody.destroy(&name, None).await.err(),
            ];
            for refused in refused {
                let refused = refused.expect("it was let in");
                assert_eq!(refused.signal.kind(), "policy_denied", "{refused:?}");
            }
            let (uid, request) = (RuntimeUid::from_runtime("x"), AttachRequest { epoch: 1 });
            let streams = nobody.attach(&name, &uid, &request);
            let refused = streams.await.expect_err("it was let in");
            assert_eq!(refused.signal.kind(), "exec_forbidden", "{refused:?}");
        })
        .await;
}
