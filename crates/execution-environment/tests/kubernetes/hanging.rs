//! A pod that does not go when it is deleted, on a node that answers.

use execution_environment::{Destroyed, EnvironmentSpec, Phase};
use serde_json::{Value, json};

use super::support::Namespace;

#[tokio::test]
async fn a_pod_that_was_never_ready_is_not_on_a_lost_node_while_its_node_answers() {
    let namespace = Namespace::permissive().await;
    namespace
        .with(async {
            let bench = namespace.bench().await;
            let spec = bench.spec();
            let name = spec.runtime_name();
            namespace.apply(&stubborn(&spec)).await;
            bench.until(&name, |phase| *phase == Phase::Running).await;
            let delete = ["delete", "pod", name.as_str(), "--wait=false"];
            namespace.kubectl(&delete).await;
            let mut seen = bench.until(&name, |_| true).await;
            // A busy node may answer late.
            for _ in 0..10 {
                if !seen.is_place_lost {
                    break;
                }
                seen = bench.until(&name, |_| true).await;
            }
            assert!(seen.going_since.is_some(), "it goes: {seen:?}");
            assert!(!seen.is_place_lost, "{seen:?}");
            let forced = bench.runtime.destroy_by_force(&name, &seen.uid).await;
            assert_eq!(forced.expect("it is ours"), Destroyed::Gone);
        })
        .await;
}

/// A pod of ours that is never ready and does not end when it is told to.
fn stubborn(spec: &EnvironmentSpec) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": spec.runtime_name(), "labels": spec.labels().to_map() },
        "spec": {
            "terminationGracePeriodSeconds": 600,
            "containers": [{
                "name": "environment",
                "image": spec.exam.image,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
                "readinessProbe": { "exec": { "command": ["/bin/false"] } },
            }],
        },
    })
}
