//! Behind a pooler every process is told where PostgreSQL itself is, and may reach both.

use serde_json::{Value, json};
use system_tests::helm::{parsed, succeed};

const PROCESSES: [&str; 5] = ["api", "migrate", "operator", "terminal", "worker"];

async fn rendered(more: &[&str]) -> Vec<Value> {
    let usual = [
        "template",
        "carrel",
        "chart",
        "--values=values/test-bed.yaml",
    ];
    parsed(&succeed("helm", &[&usual[..], more].concat(), "").await).await
}

/// The processes that are told of the direct address, and by which key of the secret.
fn told(documents: &[Value]) -> Vec<(&str, &str)> {
    let mut told: Vec<_> = documents
        .iter()
        .flat_map(|document| {
            let of = &document["metadata"]["labels"]["app.kubernetes.io/component"];
            let containers = &document["spec"]["template"]["spec"]["containers"];
            let variables = containers
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|container| container["env"].as_array().into_iter().flatten());
            variables
                .filter(|it| it["name"] == "CARREL_DIRECT_DATABASE_URL")
                .map(|it| {
                    let key = &it["valueFrom"]["secretKeyRef"]["key"];
                    (of.as_str().unwrap(), key.as_str().unwrap())
                })
        })
        .collect();
    told.sort_unstable();
    told
}

fn ports_of_database(documents: &[Value]) -> &Value {
    let policy = documents
        .iter()
        .find(|document| document["metadata"]["name"] == "carrel-to-database");
    &policy.unwrap()["spec"]["egress"][0]["ports"]
}

#[tokio::test]
async fn every_process_is_told_of_the_direct_address_where_there_is_one() {
    let pooled = "--set=database.directKey=direct,networkPolicy.database.port=6432";
    let documents = rendered(&[pooled]).await;
    assert_eq!(told(&documents), PROCESSES.map(|it| (it, "direct")));
    let ports = ports_of_database(&documents);
    assert_eq!(ports, &json!([{ "port": 6432 }, { "port": 5432 }]));

    let documents = rendered(&[]).await;
    assert_eq!(told(&documents), []);
    let ports = ports_of_database(&documents).as_array().unwrap();
    assert_eq!(ports.len(), 1);
}
