//! What is rendered: every pod as "restricted" wants it and bounded, no secret, no wide right.

use serde_json::{Value, json};
use system_tests::helm::{parsed, succeed};

/// Processes that hold an account's token, since they ask the cluster.
const WITH_TOKEN: [&str; 3] = ["operator", "terminal", "worker"];
/// Processes that candidates depend on.
const PROCESSES: [&str; 3] = ["api", "terminal", "worker"];

/// Everything of the chart that a bare cluster knows.
async fn everything() -> Vec<Value> {
    let images = r#"prePull.images=[{"name":"sample","image":"exam:1","command":["/bin/true"]}]"#;
    let egress =
        r#"exams.egress=[{"exam":"sql","to":[{"cidr":"10.0.0.9/32","ports":[{"port":5432}]}]}]"#;
    let arguments = [
        "template",
        "carrel",
        "chart",
        "--namespace=release",
        "--values=values/test-bed.yaml",
        "--api-versions=admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
        "--set=prePull.enabled=true,api.autoscaling.max=5,worker.autoscaling.kind=external",
        "--set=ingress.enabled=true,ingress.host=10.96.0.40",
        "--set=terminal.recordings.signingKey.existingSecret=signs-recordings",
        "--set-json",
        images,
        "--set-json",
        egress,
    ];
    parsed(&succeed("helm", &arguments, "").await).await
}

fn kind(document: &Value) -> &str {
    document["kind"].as_str().unwrap_or_default()
}

fn name(document: &Value) -> &str {
    document["metadata"]["name"].as_str().unwrap_or_default()
}

fn component(document: &Value) -> &str {
    let labels = &document["metadata"]["labels"];
    labels["app.kubernetes.io/component"]
        .as_str()
        .unwrap_or_default()
}

fn of_kinds<'a>(documents: &'a [Value], kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    documents
        .iter()
        .filter(move |document| kinds.contains(&kind(document)))
}

/// Each pod's template, beside its owner.
fn pods(documents: &[Value]) -> Vec<(&Value, &Value)> {
    let owners = of_kinds(documents, &["Deployment", "DaemonSet", "Job"]);
    let pods: Vec<_> = owners
        .map(|owner| (owner, &owner["spec"]["template"]["spec"]))
        .collect();
    assert_eq!(
        pods.len(),
        6,
        "api, terminal, worker, operator, migrate, pre-pull"
    );
    pods
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|key| pod[key].as_array().into_iter().flatten())
}

#[tokio::test]
async fn every_container_is_restricted_bounded_and_writes_nowhere() {
    let documents = everything().await;
    for (owner, pod) in pods(&documents) {
        let whose = name(owner);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{whose}");
        let seccomp = &pod["securityContext"]["seccompProfile"]["type"];
        assert_eq!(seccomp, "RuntimeDefault", "{whose}");
        for shared in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[shared], Value::Null, "{whose}");
        }
        for container in containers(pod) {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{whose}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{whose}");
            assert_eq!(
                context["capabilities"],
                json!({ "drop": ["ALL"] }),
                "{whose}"
            );
            for bound in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    let stated = &container["resources"][bound][resource];
                    assert!(!stated.is_null(), "{whose}: {bound} of {resource}");
                }
            }
        }
    }
}

#[tokio::test]
async fn whatever_lasts_says_that_it_lives_and_that_it_is_ready() {
    let documents = everything().await;
    for (owner, pod) in pods(&documents) {
        if kind(owner) == "Job" {
            continue;
        }
        for container in pod["containers"].as_array().unwrap() {
            for probe in ["livenessProbe", "readinessProbe"] {
                assert!(container[probe].is_object(), "{}: {probe}", name(owner));
            }
        }
    }
}

#[tokio::test]
async fn only_those_who_ask_the_cluster_hold_a_token() {
    let documents = everything().await;
    for (owner, pod) in pods(&documents) {
        let holds = pod["automountServiceAccountToken"].as_bool();
        let should = WITH_TOKEN.contains(&component(owner));
        assert_eq!(holds, Some(should), "{}", name(owner));
    }
    for account in of_kinds(&documents, &["ServiceAccount"]) {
        assert_eq!(
            account["automountServiceAccountToken"],
            false,
            "{}",
            name(account)
        );
    }
}

#[tokio::test]
async fn whoever_asks_the_cluster_judges_environments_by_one_set_of_settings() {
    let documents = everything().await;
    for (owner, pod) in pods(&documents) {
        if !WITH_TOKEN.contains(&component(owner)) {
            continue;
        }
        let variables = pod["containers"][0]["env"].as_array().into_iter().flatten();
        let pids = variables.filter(|it| it["name"] == "CARREL_NODE_PIDS");
        let pids: Vec<_> = pids.map(|variable| &variable["value"]).collect();
        assert_eq!(pids, ["256"], "{}", name(owner));
    }
}

#[tokio::test]
async fn every_process_has_two_replicas_that_go_one_at_a_time_after_another_has_come() {
    let documents = everything().await;
    for process in PROCESSES {
        let its = |wanted| {
            let mut found = of_kinds(&documents, std::slice::from_ref(wanted))
                .filter(|document| component(document) == process);
            found
                .next()
                .unwrap_or_else(|| panic!("no {wanted} of {process}"))
        };
        let deployment = its(&"Deployment");
        let replicas = deployment["spec"]["replicas"].as_i64();
        let scaled = of_kinds(&documents, &["HorizontalPodAutoscaler"])
            .find(|scaler| component(scaler) == process)
            .and_then(|scaler| scaler["spec"]["minReplicas"].as_i64());
        assert_eq!(
            replicas.xor(scaled),
            Some(2),
            "{process}: counted by one alone"
        );
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(rolling["maxUnavailable"], 0, "{process}");
        assert_eq!(
            its(&"PodDisruptionBudget")["spec"]["maxUnavailable"],
            1,
            "{process}"
        );
        let spread = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        assert_eq!(spread.as_array().map(Vec::len), Some(2), "{process}");
    }
}

#[tokio::test]
async fn no_secret_is_rendered_and_every_right_is_one_namespace_s() {
    let documents = everything().await;
    for document in &documents {
        let wide = ["Secret", "ClusterRole", "ClusterRoleBinding"];
        assert!(!wide.contains(&kind(document)), "{}", name(document));
        assert!(
            !document.to_string().contains("postgres://"),
            "{}",
            name(document)
        );
    }
    for role in of_kinds(&documents, &["Role", "RoleBinding"]) {
        assert_eq!(
            role["metadata"]["namespace"],
            "carrel-exams",
            "{}",
            name(role)
        );
        let text = role["rules"].to_string();
        assert!(!text.contains('*') && !text.contains("secrets"), "{text}");
    }
}

#[tokio::test]
async fn both_namespaces_let_nothing_through_that_is_not_named() {
    let documents = everything().await;
    let denies = of_kinds(&documents, &["NetworkPolicy"]).filter(|policy| {
        let spec = &policy["spec"];
        let rules = [&spec["ingress"], &spec["egress"]];
        spec["podSelector"] == json!({})
            && spec["policyTypes"] == json!(["Ingress", "Egress"])
            && rules.iter().all(|rule| rule.is_null())
    });
    let mut namespaces: Vec<_> = denies
        .map(|policy| &policy["metadata"]["namespace"])
        .collect();
    namespaces.sort_by_key(ToString::to_string);
    // The release's objects name no namespace: they go where the release goes, or whoever reads
    // them here, which is the administrator's default.
    assert_eq!(namespaces, [&json!("carrel-exams"), &json!("default")]);
    let egress =
        of_kinds(&documents, &["NetworkPolicy"]).find(|it| name(it) == "carrel-egress-sql");
    let spec = &egress.expect("the exam's egress has a policy")["spec"];
    assert_eq!(
        spec["podSelector"]["matchLabels"],
        json!({ "carrel.exam": "sql" })
    );
    assert_eq!(spec["egress"][0]["to"][0]["ipBlock"]["cidr"], "10.0.0.9/32");
}

#[tokio::test]
async fn what_protects_exams_that_still_run_outlives_the_release() {
    let documents = everything().await;
    let kept: Vec<_> = documents
        .iter()
        .filter(|document| document["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep")
        .map(|document| (kind(document), name(document)))
        .collect();
    assert_eq!(
        kept,
        [
            ("Namespace", "carrel-exams"),
            ("NetworkPolicy", "carrel-default-deny")
        ]
    );
}

#[tokio::test]
async fn only_terminals_have_a_disk_for_recordings_and_it_holds_what_they_are_told() {
    let documents = everything().await;
    for (document, pod) in pods(&documents) {
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        let disks: Vec<_> = volumes.filter(|it| it["emptyDir"].is_object()).collect();
        if component(document) != "terminal" {
            assert!(disks.is_empty(), "{}", name(document));
            continue;
        }
        assert_eq!(disks.len(), 1);
        assert_eq!(disks[0]["emptyDir"]["sizeLimit"], "1088Mi");
        let container = &pod["containers"][0];
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mut mounts = mounts.filter(|it| it["name"] == disks[0]["name"]);
        let mount = mounts.next().unwrap();
        let variables = container["env"].as_array().into_iter().flatten();
        let told = |wanted: &str| {
            let mut named = variables.clone().filter(|it| it["name"] == wanted);
            named.next().and_then(|it| it["value"].as_str())
        };
        let folder = told("CARREL_RECORDING_SPOOL").unwrap();
        assert!(folder.starts_with(mount["mountPath"].as_str().unwrap()));
        assert_eq!(told("CARREL_RECORDING_SPOOL_MIB"), Some("1024"));
    }
}

#[tokio::test]
async fn only_terminals_hold_the_key_that_signs_recordings_and_nobody_else_may_read_it() {
    let documents = everything().await;
    for (document, pod) in pods(&documents) {
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        let mut keys = volumes.filter(|it| it["secret"]["secretName"] == "signs-recordings");
        let Some(key) = keys.next() else {
            assert_ne!(component(document), "terminal");
            continue;
        };
        assert_eq!(component(document), "terminal", "{}", name(document));
        // The process takes no key that others could read; its group is the pod's.
        assert_eq!(key["secret"]["defaultMode"], 0o440);
        assert!(pod["securityContext"]["fsGroup"].is_number());
        let container = &pod["containers"][0];
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mut mounts = mounts.filter(|it| it["name"] == key["name"]);
        let folder = mounts.next().unwrap()["mountPath"].as_str().unwrap();
        let variables = container["env"].as_array().into_iter().flatten();
        let mut told = variables.filter(|it| it["name"] == "CARREL_RECORDING_SIGNING_KEY_FILE");
        let file = told.next().unwrap()["value"].as_str().unwrap();
        let within = file.strip_prefix(folder).unwrap().strip_prefix('/');
        assert_eq!(within, key["secret"]["items"][0]["path"].as_str());
    }
}
