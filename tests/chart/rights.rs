//! Rights: each account has its few lines, and everything else that the cluster knows is tried and
//! refused.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use system_tests::helm::{command, succeed};
use system_tests::kubernetes::{Account, TestCluster};

/// What the cluster's own verbs are, those that only mean something for roles and accounts included.
const VERBS: [&str; 11] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "bind",
    "escalate",
];
/// Reviews under way at once.
const AT_ONCE: usize = 16;

/// `verb resource` of the core group in the environments' namespace: all that an account may.
fn rights(account: Account) -> &'static [(&'static str, &'static [&'static str])] {
    match account {
        Account::Api => &[],
        Account::Terminal => &[("pods/exec", &["get", "create"])],
        Account::Worker => &[
            ("pods", &["create", "get", "list", "watch", "delete"]),
            ("pods/log", &["get"]),
            ("configmaps", &["create", "get", "list", "delete"]),
            ("events", &["list"]),
        ],
        Account::Operator => &[
            ("pods", &["get", "list"]),
            ("pods/log", &["get"]),
            ("configmaps", &["get", "list"]),
        ],
    }
}

const ACCOUNTS: [(Account, &str); 4] = [
    (Account::Api, "carrel-api"),
    (Account::Worker, "carrel-worker"),
    (Account::Terminal, "carrel-terminal"),
    (Account::Operator, "carrel-operator"),
];

/// A kind of thing the cluster has, subresources included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    group: String,
    name: String,
}

#[tokio::test]
async fn each_account_may_do_its_few_things_and_nothing_else_anywhere() {
    let cluster = TestCluster::create().await;
    let exams = cluster.namespace();
    let release = exams.strip_suffix("-exams").unwrap();
    let client = Client::try_default().await.unwrap();
    let resources = all_resources(&client).await;
    assert!(resources.len() > 80, "{resources:?}");
    for place in [exams.as_str(), release, "kube-system", ""] {
        // What the cluster itself grants to every account; checked to be harmless.
        let common = allowed(&client, (release, "nobody"), place, &resources).await;
        for line in &common {
            let is_about_oneself = line.contains(" self") || line.contains("clustertrustbundles");
            assert!(is_about_oneself, "everybody may {line} in {place:?}");
        }
        for (account, name) in ACCOUNTS {
            let found = allowed(&client, (release, name), place, &resources).await;
            let mut wanted = common.clone();
            if place == exams {
                let lines = rights(account).iter();
                wanted.extend(lines.flat_map(|(resource, verbs)| {
                    verbs.iter().map(move |verb| format!("{verb} {resource}"))
                }));
            }
            assert_eq!(found, wanted, "{name} in {place:?}");
        }
    }
    cluster.remove_all().await;
}

/// `verb resource.group` of everything that an account may do in a place.
async fn allowed(
    client: &Client,
    (namespace, account): (&str, &str),
    place: &str,
    resources: &BTreeSet<Resource>,
) -> BTreeSet<String> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let tries = resources
        .iter()
        .flat_map(|resource| VERBS.map(|verb| (verb, resource)));
    let asked = tries.map(|(verb, resource)| {
        let review = review((namespace, account), place, verb, resource);
        let reviews = &reviews;
        async move {
            let answer = reviews.create(&PostParams::default(), &review).await;
            let status = answer.unwrap().status.unwrap();
            let line = match resource.group.as_str() {
                "" => format!("{verb} {}", resource.name),
                group => format!("{verb} {}.{group}", resource.name),
            };
            status.allowed.then_some(line)
        }
    });
    let answers: Vec<_> = stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    answers.into_iter().flatten().collect()
}

fn review(
    (namespace, account): (&str, &str),
    place: &str,
    verb: &str,
    resource: &Resource,
) -> SubjectAccessReview {
    let (name, subresource) = match resource.name.split_once('/') {
        Some((name, subresource)) => (name, Some(subresource.to_owned())),
        None => (resource.name.as_str(), None),
    };
    let groups = [
        "system:authenticated".to_owned(),
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ];
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{namespace}:{account}")),
            groups: Some(groups.to_vec()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(place.to_owned()),
                verb: Some(verb.to_owned()),
                group: Some(resource.group.clone()),
                resource: Some(name.to_owned()),
                subresource,
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

/// Everything the cluster says it has, and what is only ever checked, never served.
async fn all_resources(client: &Client) -> BTreeSet<Resource> {
    let mut found: BTreeSet<Resource> = ["users", "groups", "serviceaccounts"]
        .map(|name| Resource {
            group: String::new(),
            name: name.to_owned(),
        })
        .into();
    let core = client.list_core_api_resources("v1").await.unwrap();
    found.extend(core.resources.into_iter().map(|resource| Resource {
        group: String::new(),
        name: resource.name,
    }));
    for group in client.list_api_groups().await.unwrap().groups {
        for version in &group.versions {
            let list = client
                .list_api_group_resources(&version.group_version)
                .await;
            found.extend(
                list.unwrap()
                    .resources
                    .into_iter()
                    .map(|resource| Resource {
                        group: group.name.clone(),
                        name: resource.name,
                    }),
            );
        }
    }
    found
}

/// What nobody of ours may.
const EVERYBODY: [&str; 9] = [
    "get secrets -n RELEASE",
    "get secrets -n EXAMS",
    "get pods -A",
    "get nodes",
    "get namespaces",
    "delete networkpolicy carrel-default-deny -n EXAMS",
    "create token carrel-worker -n RELEASE",
    "label namespace EXAMS pod-security.kubernetes.io/enforce-",
    "get --raw /metrics",
];

/// What lies near to an account's own work, and is not its own.
fn own(account: Account) -> &'static [&'static str] {
    match account {
        Account::Api => &["get pods -n EXAMS", "exec -n EXAMS victim -- true"],
        Account::Worker => &[
            "exec -n EXAMS victim -- true",
            "label pod victim -n EXAMS a=b",
        ],
        // kubectl looks at a pod before it enters it.
        Account::Terminal => &["get pod victim -n EXAMS", "exec -n EXAMS victim -- true"],
        Account::Operator => &["delete pod victim -n EXAMS", "exec -n EXAMS victim -- true"],
    }
}

#[tokio::test]
async fn what_is_tried_with_their_own_tokens_is_refused_by_the_cluster_itself() {
    let cluster = TestCluster::create().await;
    let exams = cluster.namespace();
    let release = exams.strip_suffix("-exams").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let victim = pod("victim", "{}");
    succeed("kubectl", &["create", "-n", &exams, "-f", "-"], &victim).await;
    let ready = [
        "wait",
        "-n",
        &exams,
        "pod/victim",
        "--for=condition=Ready",
        "--timeout=120s",
    ];
    succeed("kubectl", &ready, "").await;
    for (account, _) in ACCOUNTS {
        let kubeconfig = cluster.kubeconfig_of(account, folder.path()).await;
        for call in EVERYBODY.iter().chain(own(account)) {
            let call = call.replace("RELEASE", release).replace("EXAMS", &exams);
            let words: Vec<&str> = call.split(' ').collect();
            let mut tried = command("kubectl", &words);
            let done = tried.env("KUBECONFIG", &kubeconfig).output().await.unwrap();
            let complaint = String::from_utf8_lossy(&done.stderr);
            assert!(!done.status.success(), "{account:?} may {call}");
            let is_forbidden = complaint.contains("orbidden");
            assert!(is_forbidden, "{account:?} {call}: {complaint}");
        }
    }
    cluster.remove_all().await;
}

#[tokio::test]
async fn the_worker_s_own_right_to_make_pods_makes_restricted_ones_only() {
    let cluster = TestCluster::create().await;
    let exams = cluster.namespace();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = cluster.kubeconfig_of(Account::Worker, folder.path()).await;
    for context in [
        r#"{"privileged": true, "allowPrivilegeEscalation": true}"#,
        r#"{"runAsUser": 0, "runAsNonRoot": false}"#,
        r#"{"capabilities": {"add": ["NET_ADMIN"]}}"#,
        r#"{"allowPrivilegeEscalation": true}"#,
    ] {
        let path = folder.path().join("pod.json");
        std::fs::write(&path, pod("weak", context)).unwrap();
        let path = path.display().to_string();
        let mut call = command("kubectl", &["create", "-n", &exams, "-f", &path]);
        let done = call.env("KUBECONFIG", &kubeconfig).output().await.unwrap();
        let complaint = String::from_utf8_lossy(&done.stderr);
        // Some clusters have no privileged pods at all, whatever the namespace's level.
        let refusals = ["violates PodSecurity", "disallowed by cluster policy"];
        let is_refused = refusals.iter().any(|words| complaint.contains(words));
        assert!(is_refused, "{context}: {complaint}");
    }
    cluster.remove_all().await;
}

/// A pod as an environment's, with something of its container's context put in its place.
fn pod(name: &str, context: &str) -> String {
    let mut security = serde_json::json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
    });
    let change: serde_json::Value = serde_json::from_str(context).unwrap();
    for (key, value) in change.as_object().unwrap() {
        security[key] = value.clone();
    }
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 1000,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "environment",
                "image": system_tests::settings::setting("CARREL_TEST_IMAGE"),
                "command": ["sleep", "3600"],
                "securityContext": security,
            }],
        },
    })
    .to_string()
}
