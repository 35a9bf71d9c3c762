//! Keys at an address: whoever verifies logins, or looks whether they can be, knows it and may reach it.

use serde_json::{Value, json};
use system_tests::helm::{parsed, succeed};

/// `carrel doctor` runs in the operator's pod.
const VERIFIERS: [&str; 3] = ["api", "operator", "terminal"];

const FETCHED: &str =
    "--set=tokens.developmentSecret.existingSecret=,tokens.jwksUrl=https://exam.example/jwks";

async fn rendered(more: &[&str]) -> Vec<Value> {
    let usual = [
        "template",
        "carrel",
        "chart",
        "--values=values/test-bed.yaml",
        FETCHED,
    ];
    parsed(&succeed("helm", &[&usual[..], more].concat(), "").await).await
}

fn pods(documents: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    documents.iter().filter_map(|document| {
        let of = document["metadata"]["labels"]["app.kubernetes.io/component"].as_str()?;
        let pod = &document["spec"]["template"]["spec"];
        pod["containers"].is_array().then_some((of, pod))
    })
}

/// The processes that are given this variable, and its value.
fn told<'a>(documents: &'a [Value], variable: &str) -> Vec<(&'a str, &'a str)> {
    let mut told: Vec<_> = pods(documents)
        .flat_map(|(of, pod)| {
            let variables = pod["containers"][0]["env"].as_array().into_iter().flatten();
            let named = variables.filter(|it| it["name"] == variable);
            named.filter_map(move |it| Some((of, it["value"].as_str()?)))
        })
        .collect();
    told.sort_unstable();
    told
}

fn way_to_issuer(documents: &[Value]) -> &Value {
    let policy = documents
        .iter()
        .find(|document| document["metadata"]["name"] == "carrel-to-issuer");
    &policy.expect("there is a policy")["spec"]
}

#[tokio::test]
async fn who_verifies_logins_is_told_the_address_and_may_reach_it() {
    let documents = rendered(&["--set=networkPolicy.issuer.cidrs={203.0.113.7/32}"]).await;
    let address = "https://exam.example/jwks";
    assert_eq!(
        told(&documents, "CARREL_TOKEN_JWKS_URL"),
        VERIFIERS.map(|it| (it, address))
    );
    let way = way_to_issuer(&documents);
    let components = &way["podSelector"]["matchExpressions"][1]["values"];
    assert_eq!(components, &json!(VERIFIERS));
    assert_eq!(
        way["egress"],
        json!([{
            "ports": [{ "port": 443 }],
            "to": [{ "ipBlock": { "cidr": "203.0.113.7/32" } }],
        }])
    );
    for (_, pod) in pods(&documents) {
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        assert!(
            !volumes.into_iter().any(|it| it["name"] == "tokens"),
            "{pod}"
        );
    }
}

#[tokio::test]
async fn a_private_authority_is_mounted_where_it_is_needed() {
    let documents = rendered(&[
        "--set=networkPolicy.issuer.cidrs={203.0.113.7/32}",
        "--set=tokens.jwksCa.existingConfigMap=exam-ca",
    ])
    .await;
    let file = "/etc/carrel/tokens/ca.crt";
    assert_eq!(
        told(&documents, "CARREL_TOKEN_JWKS_CA_FILE"),
        VERIFIERS.map(|it| (it, file))
    );
    let mut mounted: Vec<_> = pods(&documents)
        .filter(|(_, pod)| pod["volumes"][0]["configMap"]["name"] == "exam-ca")
        .map(|(of, _)| of)
        .collect();
    mounted.sort_unstable();
    assert_eq!(mounted, VERIFIERS);
}

#[tokio::test]
async fn nobody_but_who_verifies_logins_holds_the_secret_that_signs_them() {
    let usual = [
        "template",
        "carrel",
        "chart",
        "--values=values/test-bed.yaml",
    ];
    let documents = parsed(&succeed("helm", &usual, "").await).await;
    let holds = |pod: &Value| {
        let variables = pod["containers"][0]["env"].as_array();
        variables.is_some_and(|all| {
            all.iter()
                .any(|it| it["name"] == "CARREL_TOKEN_HS256_SECRET")
        })
    };
    let mut holders: Vec<_> = pods(&documents)
        .filter(|(_, pod)| holds(pod))
        .map(|(of, _)| of)
        .collect();
    holders.sort_unstable();
    assert_eq!(holders, ["api", "terminal"]);
}

#[tokio::test]
async fn values_of_an_older_installation_render_as_they_did() {
    // What --reuse-values leaves of values that are newer than the installation.
    let older = [
        "--set=networkPolicy.issuer=null,tokens.jwksCa=null,worker.retention=null",
        "--set=worker.noHandlerHours=null",
        "--set=networkPolicy.enabled=false",
    ];
    let documents = rendered(&older).await;
    assert_eq!(told(&documents, "CARREL_TOKEN_JWKS_CA_FILE"), []);
    let kept = [("operator", "400"), ("worker", "400")];
    assert_eq!(told(&documents, "CARREL_ACCESS_LOG_DAYS"), kept);
    let patience = [("worker", "24")];
    assert_eq!(told(&documents, "CARREL_NO_HANDLER_HOURS"), patience);
}

#[tokio::test]
async fn the_worker_is_told_how_long_a_job_waits_for_who_reads_it() {
    let documents = rendered(&[
        "--set=networkPolicy.issuer.cidrs={203.0.113.7/32}",
        "--set=worker.noHandlerHours=72",
    ])
    .await;
    let patience = [("worker", "72")];
    assert_eq!(told(&documents, "CARREL_NO_HANDLER_HOURS"), patience);
}
