//! Pods that are not Carrel's.

use serde_json::json;
use system_tests::exams;

/// A pod as the namespace allows it, which never ends of itself.
pub(crate) fn sleeping(name: &str) -> serde_json::Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 1000,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "foreign",
                "image": exams::sample().image,
                "command": ["/bin/sleep", "3600"],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}
