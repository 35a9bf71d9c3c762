//! Values: the samples are sound, and wrong ones are refused in words that help.

use system_tests::helm::{refused, succeed};

const SAMPLES: [&str; 3] = [
    "values/test-bed.yaml",
    "values/k3s.yaml",
    "values/managed.yaml",
];

/// A setting that cannot be, and what the refusal must name.
const REFUSED: [(&str, &[&str]); 42] = [
    ("databse.existingSecret=x", &["databse", "not allowed"]),
    (
        "database.url=postgres://x",
        &["/database", "url", "not allowed"],
    ),
    (
        "database.existingSecret=",
        &["database.existingSecret is needed", "kubectl create secret"],
    ),
    (
        "database.connections.api=0",
        &["/database/connections/api", "want 1"],
    ),
    ("image.carrel=carrel", &["image.carrel", "name:tag"]),
    (
        "image.carrel=carrel:latest",
        &["image.carrel", "latest", "fixed tag"],
    ),
    (
        "image.keeper=host:5000/keeper",
        &["image.keeper", "name:tag"],
    ),
    (
        "image.pullPolicy=Sometimes",
        &["/image/pullPolicy", "IfNotPresent"],
    ),
    (
        "public.pageUrl=exam.example",
        &["public.pageUrl", "https://host"],
    ),
    (
        "public.pageUrl=https://exam.example/",
        &["public.pageUrl", "without a path"],
    ),
    ("public.pageUrl=", &["public.pageUrl is needed"]),
    (
        "public.moreOrigins={ftp://x}",
        &["public.moreOrigins", "https://host"],
    ),
    (
        "tokens.developmentSecret.existingSecret=",
        &["tokens.existingSecret is needed", "tokens.jwksUrl"],
    ),
    ("tokens.existingSecret=keys", &["both set", "unset one"]),
    (
        "tokens.jwksUrl=https://exam.example/jwks",
        &["both set", "shared secret"],
    ),
    (
        "tokens.jwksUrl=https://exam.example/jwks,tokens.existingSecret=keys,tokens.developmentSecret.existingSecret=",
        &["keys come from one place"],
    ),
    (
        "tokens.jwksUrl=http://exam.example/jwks",
        &["/tokens/jwksUrl", "https://"],
    ),
    (
        "tokens.jwksUrl=https://exam.example/jwks,tokens.developmentSecret.existingSecret=",
        &["networkPolicy.issuer is needed", "203.0.113.7/32"],
    ),
    (
        "tokens.jwksUrl=https://exam.example/jwks,tokens.developmentSecret.existingSecret=,networkPolicy.issuer=null",
        &["networkPolicy.issuer is needed"],
    ),
    (
        "tokens.jwksCa.existingConfigMap=ca",
        &["tokens.jwksCa.existingConfigMap", "without tokens.jwksUrl"],
    ),
    ("worker.pseudonyms.days=29", &["/worker/pseudonyms/days"]),
    (
        "worker.pseudonyms.days=30",
        &["worker.pseudonyms.existingSecret is needed"],
    ),
    (
        "worker.retention.accessLogDays=29",
        &["/worker/retention/accessLogDays", "want 30"],
    ),
    (
        "worker.noHandlerHours=0",
        &["/worker/noHandlerHours", "want 1"],
    ),
    (
        "networkPolicy.issuer.cidrs={203.0.113.7}",
        &["networkPolicy.issuer.cidrs", "10.1.2.3/32"],
    ),
    ("api.replicas=0", &["/api/replicas", "want 1"]),
    ("api.replicas=two", &["/api/replicas", "want integer"]),
    (
        "api.autoscaling.min=3",
        &["/api/autoscaling", "'max' required"],
    ),
    (
        "api.resources.limits.memory=lots",
        &["/api/resources/limits/memory", "lots"],
    ),
    (
        "terminal.maxTerminals=4001",
        &["/terminal/maxTerminals", "want 4,000"],
    ),
    (
        "worker.autoscaling.kind=hpa",
        &["/worker/autoscaling/kind", "'keda'"],
    ),
    (
        "worker.autoscaling.kind=keda",
        &["worker.autoscaling.existingSecret is needed"],
    ),
    ("worker.autoscaling.max=1", &["min is 2", "max, which is 1"]),
    (
        "networkPolicy.database.cidrs={10.0.0.1}",
        &["networkPolicy.database.cidrs", "10.1.2.3/32"],
    ),
    (
        "networkPolicy.kubernetesApi.cidrs=null",
        &[
            "kubernetesApi.cidrs is needed",
            "kubectl get endpointslices",
        ],
    ),
    ("exams.namespace=Exams", &["/exams/namespace", "Exams"]),
    (
        "exams.namespace=carrel-release",
        &["exams.namespace", "release's own namespace"],
    ),
    (
        "exams.isolationProbes={database:5432}",
        &["exams.isolationProbes", "cannot be looked up"],
    ),
    ("exams.nodePids=0", &["/exams/nodePids", "want 1"]),
    (
        "ingress.enabled=true,ingress.host=other.example",
        &["ingress.host", "not the host of public.pageUrl"],
    ),
    ("gateway.enabled=true", &["/gateway/parentRefs"]),
    ("prePull.enabled=true", &["prePull.images is empty"]),
];

#[tokio::test]
async fn the_chart_lints_with_every_sample() {
    for sample in SAMPLES {
        succeed(
            "helm",
            &["lint", "--strict", "chart", "--values", sample],
            "",
        )
        .await;
    }
}

#[tokio::test]
async fn wrong_values_are_refused_in_words_that_name_the_field_and_the_mend() {
    for (wrong, words) in REFUSED {
        let complaint = template(&["--set", wrong]).await;
        for word in words {
            assert!(
                complaint.contains(word),
                "{wrong}: no {word:?} in {complaint}"
            );
        }
    }
}

#[tokio::test]
async fn an_exam_s_egress_is_addresses_and_ports() {
    for (egress, word) in [
        (r#"[{"exam":"sql"}]"#, "missing property 'to'"),
        (
            r#"[{"exam":"sql","to":[{"cidr":"db","ports":[{"port":1}]}]}]"#,
            "10.1.2.3/32",
        ),
        (
            r#"[{"exam":"sql","to":[{"cidr":"10.0.0.1/32","ports":[]}]}]"#,
            "minItems",
        ),
        (r#"[{"exam":"SQL exam","to":[]}]"#, "SQL exam"),
    ] {
        let set = format!("exams.egress={egress}");
        let complaint = template(&["--set-json", &set]).await;
        assert!(complaint.contains(word), "{egress}: {complaint}");
    }
}

#[tokio::test]
async fn a_policy_that_is_required_is_missed_where_the_cluster_cannot_have_it() {
    let complaint = template(&["--set", "exams.execPolicy=required"]).await;
    assert!(
        complaint.contains("ValidatingAdmissionPolicy"),
        "{complaint}"
    );
}

async fn template(more: &[&str]) -> String {
    let arguments = [
        &[
            "template",
            "carrel",
            "chart",
            "--namespace",
            "carrel-release",
        ],
        &["--values", SAMPLES[0]][..],
        more,
    ]
    .concat();
    refused("helm", &arguments, "").await
}
