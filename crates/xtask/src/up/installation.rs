//! What environments need on a cluster: the chart's own namespace, policies, limits and rights, in
//! two namespaces of one run.

mod account;
mod left;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

pub(crate) use self::account::Account;
use self::left::Left;
use super::random::random;
use super::run_state::write_private;
use crate::failure::Failure;
use crate::kube::Cluster;
use crate::shell::{self, Step};
use crate::workspace::Workspace;

/// What a system on this machine needs of the chart; its processes are children of ours.
const TEMPLATES: [&str; 5] = [
    "templates/exams/namespace.yaml",
    "templates/exams/network-policies.yaml",
    "templates/exams/limits.yaml",
    "templates/exams/exec-policy.yaml",
    "templates/rights.yaml",
];
/// What the whole chart insists on; none of it is in the templates that are taken.
const VALUES: [&str; 4] = [
    "database.existingSecret=database",
    "tokens.existingSecret=tokens",
    "public.pageUrl=https://exam.example",
    "networkPolicy.enabled=false",
];
/// `podPidsLimit` of our own cluster's node; more than the sample exam declares.
const OWN_NODE_PIDS: u64 = 256;
/// The default account of a new namespace takes a moment; seen: under 1 s.
const ACCOUNT_LIMIT: &str = "--timeout=30s";

/// The namespaces of a run. They are removed when it is dropped, with all that is in them.
#[derive(Debug)]
pub(crate) struct Installation {
    left: Left,
    keeper_image: String,
    node_pids: Option<u64>,
    folder: PathBuf,
    cluster: Cluster,
}

impl Installation {
    /// Makes the namespaces and a kubeconfig for each account; those of a killed run go.
    pub(crate) fn make(
        workspace: &Workspace,
        cluster: Cluster,
        keeper_image: String,
        node_pids: Option<u64>,
        folder: &Path,
    ) -> Result<Self> {
        Left::clear(cluster.binary.path(), folder);
        let step = Step::begin("the namespaces to be made");
        let release = format!("carrel-up-{}-{}", workspace.fingerprint(), random::<2>()?);
        let installation = Self {
            // On disk before anything is in the cluster: a killed run must be known to the next.
            left: Left::remember(release, &cluster.kubeconfig, folder)?,
            keeper_image,
            node_pids: allowed_pids(node_pids, cluster.folder.is_some()),
            folder: folder.to_owned(),
            cluster,
        };
        let installed = installation.install(&workspace.root.join("deploy/chart"));
        installed.map_err(|error| installation.refused(&error))?;
        installation.write_kubeconfigs()?;
        step.done("namespaces", &installation.left.release);
        Ok(installation)
    }

    /// What every process is told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("CARREL_RUNTIME", "kubernetes".to_owned()),
            ("CARREL_KUBE_CONTEXT", account::CONTEXT.to_owned()),
            ("CARREL_KUBE_NAMESPACE", self.left.environments()),
            ("CARREL_KEEPER_IMAGE", self.keeper_image.clone()),
        ];
        settings.extend(
            self.node_pids
                .map(|it| ("CARREL_NODE_PIDS", it.to_string())),
        );
        settings
    }

    /// The way in with one account's rights.
    pub(crate) fn kubeconfig_of(&self, account: Account) -> PathBuf {
        self.folder.join(format!("{}.kubeconfig", account.name()))
    }

    fn install(&self, chart: &Path) -> Result<()> {
        let mut objects = tempfile::NamedTempFile::new()?;
        objects.write_all(&self.rendered(chart)?)?;
        let release = self.left.release.as_str();
        self.kubectl(&["create", "namespace", release])?;
        let file = objects.path().to_string_lossy().into_owned();
        self.kubectl(&["create", "--filename", &file])?;
        // A pod without its namespace's default account is refused.
        let namespace = self.left.environments();
        let account = ["wait", "--for=create", "serviceaccount/default"];
        let within = ["--namespace", &namespace, ACCOUNT_LIMIT];
        self.kubectl(&[account, within].concat()).map(drop)
    }

    fn refused(&self, error: &anyhow::Error) -> anyhow::Error {
        let kubeconfig = self.cluster.kubeconfig.display();
        Failure::new("the namespaces could not be made")
            .because(Failure::reason_of(error))
            .mend(format!(
                "have an administrator's kubeconfig in {kubeconfig}, or `unset KUBECONFIG` to \
                 have a cluster started for the run"
            ))
            .into()
    }

    fn rendered(&self, chart: &Path) -> Result<Vec<u8>> {
        let mut helm = self.cluster.client("helm");
        helm.args(["template", "carrel"])
            .arg(chart)
            .args(["--namespace", &self.left.release])
            // The server's own word on which kinds it has.
            .arg("--dry-run=server")
            .arg("--set")
            .arg(format!("exams.namespace={}", self.left.environments()))
            .args(VALUES.iter().flat_map(|value| ["--set", value]))
            .args(TEMPLATES.iter().flat_map(|path| ["--show-only", path]));
        Ok(shell::run_quietly(&mut helm)?.stdout)
    }

    fn write_kubeconfigs(&self) -> Result<()> {
        let view = ["config", "view", "--raw", "--minify", "--flatten"];
        let admin = self.kubectl(&[&view[..], &["--output", "json"]].concat())?;
        let admin: Value = serde_json::from_slice(&admin)?;
        for account in Account::ALL {
            let service_account = format!("carrel-{}", account.name());
            let create = ["create", "token", &service_account];
            let of = ["--namespace", &self.left.release, account::LIFETIME];
            let token = self.kubectl(&[create, of].concat())?;
            let token = String::from_utf8_lossy(&token);
            let document = account::kubeconfig(&admin, token.trim());
            write_private(&self.kubeconfig_of(account), &document.to_string())?;
        }
        Ok(())
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut kubectl = self.cluster.client("kubectl");
        Ok(shell::run_quietly(kubectl.args(arguments))?.stdout)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        for account in Account::ALL {
            fs::remove_file(self.kubeconfig_of(account)).ok();
        }
        if self.cluster.ends_with_us() {
            self.left.forget();
        } else {
            let _step = Step::begin("the namespaces to be removed");
            self.left
                .remove(self.cluster.binary.path(), left::Pace::UntilGone);
        }
    }
}

/// What is known of a given cluster's nodes is what the person says.
fn allowed_pids(said: Option<u64>, is_ours: bool) -> Option<u64> {
    said.or(is_ours.then_some(OWN_NODE_PIDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_our_own_cluster_it_is_known_what_nodes_allow() {
        assert_eq!(allowed_pids(None, true), Some(OWN_NODE_PIDS));
        assert_eq!(allowed_pids(None, false), None);
        assert_eq!(allowed_pids(Some(512), false), Some(512));
        assert_eq!(allowed_pids(Some(64), true), Some(64));
    }

    #[test]
    fn our_own_cluster_allows_what_is_said_of_it() {
        let configuration = include_str!("../../../../tests/cluster/configuration.sh");
        let line = format!("\npodPidsLimit: {OWN_NODE_PIDS}\n");
        assert!(configuration.contains(&line));
    }

    #[test]
    fn every_template_that_is_taken_is_in_the_chart() {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart");
        for template in TEMPLATES {
            assert!(chart.join(template).is_file(), "{template}");
        }
    }
}
