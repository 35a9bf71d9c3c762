//! What an installation finds there: PostgreSQL and two secrets.

use serde_json::json;

use crate::helm::succeed;
use crate::logins::SECRET;
use crate::settings::setting;

/// What the pods call the database; there is no DNS, so they are told its address.
pub(super) const HOST: &str = "database";
const PASSWORD: &str = "carrel";

/// Starts PostgreSQL in a namespace of its own, and returns its Service's address.
pub(super) async fn start_postgres(namespace: &str) -> String {
    let labels = json!({ "app": "postgres" });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "postgres", "namespace": namespace, "labels": labels },
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "postgres",
                "image": setting("CARREL_POSTGRES_IMAGE"),
                // What two replicas of each process need while they are upgraded: deploy/sizing.md.
                "args": ["postgres", "-c", "max_connections=200"],
                "env": [
                    { "name": "POSTGRES_PASSWORD", "value": PASSWORD },
                    { "name": "POSTGRES_DB", "value": "carrel" },
                ],
                // Asking for nothing, it would get nothing where everybody wants the processors.
                "resources": { "requests": { "cpu": "250m", "memory": "128Mi" } },
                // Not before the first start has made the database: until then nobody listens.
                "readinessProbe": { "tcpSocket": { "port": 5432 }, "periodSeconds": 1 },
                "volumeMounts": [{ "name": "data", "mountPath": "/var/lib/postgresql/data" }],
            }],
            // It lives as long as the story and is never killed, so no busy disk shall slow it.
            "volumes": [{ "name": "data", "emptyDir": { "medium": "Memory" } }],
        },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "postgres", "namespace": namespace },
        "spec": { "selector": labels, "ports": [{ "port": 5432 }] },
    });
    succeed("kubectl", &["create", "namespace", namespace], "").await;
    create(&format!("{pod}\n{service}")).await;
    let about = ["--namespace", namespace];
    let wait = [
        "wait",
        "pod/postgres",
        "--for=condition=Ready",
        "--timeout=2m",
    ];
    succeed("kubectl", &[&wait[..], &about].concat(), "").await;
    let address = [
        "get",
        "service/postgres",
        "--output=jsonpath={.spec.clusterIP}",
    ];
    succeed("kubectl", &[&address[..], &about].concat(), "").await
}

/// Where the database is, for whoever can use this host or address.
pub(super) fn database_url(host: &str) -> String {
    format!("postgres://postgres:{PASSWORD}@{host}:5432/carrel")
}

/// Makes the secrets that `values/test-bed.yaml` names.
pub(super) async fn make_secrets(namespace: &str) {
    let secrets = [
        ("carrel-database", "url", database_url(HOST)),
        ("carrel-tokens", "secret", SECRET.to_owned()),
    ];
    for (name, key, value) in secrets {
        create(
            &json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name, "namespace": namespace },
                "stringData": { key: value },
            })
            .to_string(),
        )
        .await;
    }
}

async fn create(documents: &str) {
    succeed("kubectl", &["create", "-f", "-"], documents).await;
}
