//! Who asks: kubeconfigs with other users, other servers, and accounts of exactly some rights.

use std::io::Write;

use execution_environment::Purpose;
use execution_environment::kubernetes::KubernetesConfig;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::support::{Namespace, kubectl};

/// Verbs on a resource.
pub(crate) type Rule = (&'static str, &'static [&'static str]);

/// What a purpose needs, as the README tells it, and no more.
pub(crate) fn rules(purpose: Purpose) -> Vec<Rule> {
    let (pods, anchors, more): (&[_], &[_], &[Rule]) = match purpose {
        Purpose::Attach => return vec![("pods/exec", &["get", "create"])],
        Purpose::Read => (&["get", "list"], &["get", "list"], &[]),
        Purpose::Destroy => (
            &["get", "list", "watch", "delete"],
            &["get", "list", "delete"],
            &[("events", &["list"])],
        ),
        Purpose::Create => (
            &["get", "list", "watch", "create", "delete"],
            &["get", "list", "create", "delete"],
            &[("events", &["list"])],
        ),
    };
    let always = [
        ("pods", pods),
        ("configmaps", anchors),
        ("pods/log", &["get"]),
    ];
    [&always, more].concat()
}

/// A kubeconfig of the cluster under test, gone with it.
pub(crate) struct Kubeconfig {
    file: NamedTempFile,
}

impl Kubeconfig {
    /// One whose user is another.
    pub(crate) async fn with_user(user: &Value) -> Self {
        let mut document = Self::admin().await;
        document["users"][0]["user"] = user.clone();
        Self::write(&document)
    }

    pub(crate) async fn with_token(token: &str) -> Self {
        Self::with_user(&json!({ "token": token })).await
    }

    /// One whose cluster is another in one respect.
    pub(crate) async fn of_cluster(field: &str, value: &str) -> Self {
        let mut document = Self::admin().await;
        document["clusters"][0]["cluster"][field] = json!(value);
        Self::write(&document)
    }

    async fn admin() -> Value {
        let arguments = "config view --raw --flatten --minify -o json".split(' ');
        let document = kubectl(&arguments.collect::<Vec<_>>(), None).await;
        serde_json::from_str(&document).expect("kubectl writes JSON")
    }

    /// JSON is YAML too.
    fn write(document: &Value) -> Self {
        let mut file = NamedTempFile::new().expect("a file");
        let text = document.to_string();
        file.write_all(text.as_bytes()).expect("it takes text");
        Self { file }
    }

    pub(crate) fn config(&self, namespace: &Namespace) -> KubernetesConfig {
        KubernetesConfig {
            kubeconfig: Some(self.file.path().to_owned()),
            ..namespace.config()
        }
    }
}

impl Namespace {
    /// Makes a service account that may do nothing, and a token of it.
    pub(crate) async fn account(&self, name: &str) -> String {
        self.kubectl(&["create", "serviceaccount", name]).await;
        let token = self.kubectl(&["create", "token", name]).await;
        token.trim().to_owned()
    }

    /// Lets an account do something in this namespace.
    pub(crate) async fn allow(&self, account: &str, rules: &[Rule]) {
        let rules: Vec<Value> = rules
            .iter()
            .map(|(resource, verbs)| json!({ "apiGroups": [""], "resources": [resource], "verbs": verbs }))
            .collect();
        let group = "rbac.authorization.k8s.io";
        let kind = |kind: &str| json!({ "apiVersion": format!("{group}/v1"), "kind": kind, "metadata": { "name": account } });
        let mut role = kind("Role");
        role["rules"] = json!(rules);
        self.apply(&role).await;
        let mut binding = kind("RoleBinding");
        binding["roleRef"] = json!({ "apiGroup": group, "kind": "Role", "name": account });
        binding["subjects"] =
            json!([{ "kind": "ServiceAccount", "name": account, "namespace": self.name }]);
        self.apply(&binding).await;
        let account = format!("system:serviceaccount:{}:{account}", self.name);
        self.until_allowed(&account).await;
    }

    /// The API server learns of a binding a moment after it was made.
    async fn until_allowed(&self, account: &str) {
        let asked = ["auth", "can-i", "--list", "--no-headers", "--as", account];
        self.until(&asked, |answer| answer.contains("pods")).await;
    }
}
