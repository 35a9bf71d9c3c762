//! Kubeconfigs: the administrator's, and those of the chart's service accounts.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::{TestCluster, kubeconfig};

/// Longer than any test runs.
const TOKEN_SECONDS: i64 = 7200;

/// Whose rights a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Of the api, which has none.
    Api,
    /// Of the worker.
    Worker,
    /// Of the terminal process.
    Terminal,
    /// Of the operator's command line.
    Operator,
}

impl Account {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Api => "carrel-api",
            Self::Worker => "carrel-worker",
            Self::Terminal => "carrel-terminal",
            Self::Operator => "carrel-operator",
        }
    }
}

impl TestCluster {
    /// Writes a kubeconfig with exactly one account's rights into a folder.
    pub async fn kubeconfig_of(&self, account: Account, folder: &Path) -> PathBuf {
        let user = json!({ "token": self.token(account).await });
        let path = folder.join(format!("{}.kubeconfig", account.name()));
        write(&path, &cluster_of(&read_admin()), &user);
        path
    }

    async fn token(&self, account: Account) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.release);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(account.name(), &kube::api::PostParams::default(), &request)
            .await
            .expect("the account exists");
        let token = answer.status.and_then(|status| status.token);
        token.expect("the answer holds a token")
    }
}

/// Writes a kubeconfig whose requests go to a plain address, without any credentials.
pub(crate) fn write_plain(path: &Path, server: &str) {
    write(path, &json!({ "server": server }), &json!({}));
}

/// JSON is YAML too.
fn write(path: &Path, cluster: &Value, user: &Value) {
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "test", "user": user }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        "current-context": "test",
    });
    std::fs::write(path, document.to_string()).expect("the folder takes a file");
}

pub(super) async fn admin() -> Config {
    Config::from_custom_kubeconfig(read_admin(), &KubeConfigOptions::default())
        .await
        .expect("the kubeconfig names a cluster")
}

fn read_admin() -> Kubeconfig {
    // Paths in it are made absolute.
    Kubeconfig::read_from(kubeconfig()).expect("KUBECONFIG can be read")
}

/// The cluster that the current context names.
fn cluster_of(config: &Kubeconfig) -> Value {
    let context = config
        .contexts
        .iter()
        .find(|context| Some(&context.name) == config.current_context.as_ref());
    let context = context.and_then(|context| context.context.as_ref());
    let name = &context.expect("there is a current context").cluster;
    let cluster = config.clusters.iter().find(|cluster| cluster.name == *name);
    let cluster = cluster.and_then(|cluster| cluster.cluster.as_ref());
    serde_json::to_value(cluster.expect("the context names a cluster")).expect("it is data")
}
