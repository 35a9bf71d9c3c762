//! What keeps a cluster from being used is named, with what mends it, and nothing is made meanwhile.

use execution_environment::kubernetes::{KubernetesConfig, KubernetesRuntime};
use execution_environment::{EnvironmentRuntime, Purpose, RuntimeFinding};
use serde_json::json;

use super::accounts::{Kubeconfig, rules};
use super::support::{Namespace, exam};

const PURPOSES: [Purpose; 4] = [
    Purpose::Create,
    Purpose::Attach,
    Purpose::Read,
    Purpose::Destroy,
];

async fn connect(config: &KubernetesConfig) -> KubernetesRuntime {
    KubernetesRuntime::connect(config).await.expect("connect")
}

/// The only finding, which must be of this code and say these words.
fn only<'a>(found: &'a [RuntimeFinding], code: &str, words: &[&str]) -> &'a RuntimeFinding {
    let [finding] = found else {
        panic!("not one finding {code}: {found:#?}");
    };
    assert_eq!(finding.code, code, "{finding}");
    for word in words {
        assert!(finding.to_string().contains(word), "{word:?}: {finding}");
    }
    finding
}

#[tokio::test]
async fn a_sound_cluster_is_found_sound_for_every_purpose() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let runtime = namespace.runtime().await;
            for purpose in PURPOSES {
                assert_eq!(runtime.check(purpose).await, [], "{purpose:?}");
            }
            assert_eq!(runtime.check_exam(&exam()).await, []);
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn an_absent_namespace_is_named_and_not_taken_for_missing_rights() {
    let mut config = Namespace::admin_config();
    config.namespace = format!("carrel-test-absent-{}", uuid::Uuid::new_v4().simple());
    let runtime = connect(&config).await;
    for purpose in PURPOSES {
        let found = runtime.check(purpose).await;
        let words = [&config.namespace[..], "--kube-namespace"];
        only(&found, "cluster.namespace", &words);
    }
    let found = runtime.check_exam(&exam()).await;
    only(&found, "cluster.namespace", &[&config.namespace]);
}

#[tokio::test]
async fn a_namespace_on_its_way_out_is_no_place_for_environments() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            namespace.hold("held").await;
            namespace.delete().await;
            let runtime = namespace.runtime().await;
            for purpose in PURPOSES {
                let found = runtime.check(purpose).await;
                only(&found, "cluster.namespace", &["is being deleted"]);
            }
            namespace.release("held").await;
        })
        .await;
}

#[tokio::test]
async fn each_missing_right_is_named_and_the_listed_ones_suffice() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            for (purpose, account) in PURPOSES.into_iter().zip(["make", "enter", "look", "end"]) {
                let token = namespace.account(account).await;
                let kubeconfig = Kubeconfig::with_token(&token).await;
                let runtime = connect(&kubeconfig.config(&namespace)).await;
                let found = runtime.check(purpose).await;
                let wanted = rules(purpose);
                for (resource, verbs) in &wanted {
                    for verb in *verbs {
                        only(&found, "cluster.rights", &[&format!("{verb} {resource}")]);
                    }
                }
                only(&found, "cluster.rights", &[&namespace.name, "Role"]);
                namespace.allow(account, &wanted).await;
                assert_eq!(runtime.check(purpose).await, [], "{purpose:?}");
            }
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn credentials_that_are_wrong_or_no_longer_count_are_named() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let ended = namespace.account("ended").await;
            namespace
                .kubectl(&["delete", "serviceaccount", "ended"])
                .await;
            let users = [
                json!({ "token": ended }),
                json!({ "token": "never-was-one" }),
                json!({}),
            ];
            for user in users {
                let kubeconfig = Kubeconfig::with_user(&user).await;
                let runtime = connect(&kubeconfig.config(&namespace)).await;
                for purpose in PURPOSES {
                    let found = runtime.check(purpose).await;
                    only(&found, "cluster.unauthorized", &["renew", "--kubeconfig"]);
                }
            }
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_or_not_the_right_one_is_named() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            for (field, value, code, word) in [
                (
                    "server",
                    "https://127.0.0.1:9",
                    "cluster.unreachable",
                    "--kube-context",
                ),
                (
                    "tls-server-name",
                    "elsewhere.example",
                    "cluster.untrusted",
                    "certificate-authority",
                ),
            ] {
                let kubeconfig = Kubeconfig::of_cluster(field, value).await;
                let runtime = connect(&kubeconfig.config(&namespace)).await;
                for purpose in PURPOSES {
                    only(&runtime.check(purpose).await, code, &[word]);
                }
            }
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn what_the_cluster_has_not_got_for_an_exam_is_named() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let runtime = namespace.runtime().await;
            let mut boxed = exam();
            boxed.runtime_class = Some("carrel-absent".to_owned());
            let found = runtime.check_exam(&boxed).await;
            let words = ["carrel-absent", &boxed.name, "kubectl get runtimeclass"];
            only(&found, "cluster.runtime_class", &words);

            let mut huge = exam();
            huge.user.uid = u32::MAX;
            let found = runtime.check_exam(&huge).await;
            only(&found, "cluster.spec", &["runAsUser", &huge.name]);
            namespace.assert_empty().await;
        })
        .await;
}

#[tokio::test]
async fn a_full_namespace_is_no_fault_and_one_that_is_too_small_is() {
    let namespace = Namespace::restricted().await;
    namespace
        .with(async {
            let runtime = namespace.runtime().await;
            namespace
                .apply(&json!({
                    "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "full" },
                    "spec": { "hard": { "pods": "0" } },
                }))
                .await;
            let hard = ["get", "quota", "full", "-o", "jsonpath={.status.hard.pods}"];
            namespace.until(&hard, |answer| answer == "0").await;
            assert_eq!(runtime.check(Purpose::Create).await, []);
            namespace.kubectl(&["delete", "quota", "full"]).await;
            namespace
                .apply(&json!({
                    "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "small" },
                    "spec": { "limits": [{ "type": "Container", "max": { "memory": "100Mi" } }] },
                }))
                .await;
            assert_eq!(runtime.check(Purpose::Create).await, []);
            let found = runtime.check_exam(&exam()).await;
            only(&found, "cluster.limits", &["100Mi", "LimitRange"]);
            namespace.assert_empty().await;
        })
        .await;
}
