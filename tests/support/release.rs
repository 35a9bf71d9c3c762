//! The chart really installed: two replicas of each process in pods, PostgreSQL outside of it.

mod diagnosis;
mod outside;
mod sessions;

use execution_environment::install_id;
use serde_json::{Value, json};
use session_identity::InstallId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::{Mutex, MutexGuard};

use crate::helm::{objects, succeed};
use crate::invariants;
use crate::kubernetes::TestCluster;
use crate::runtime::TestRuntime;
use crate::settings::setting;
use crate::wait::{STARTUP, on_own_thread, until};
use crate::{Taken, Weight, take_places};

/// What the release is called in its namespace; all names of the chart begin with it.
const NAME: &str = "carrel";
const VALUES: &str = "values/test-bed.yaml";
/// Where `values/test-bed.yaml` puts the page and the terminals.
const PAGE: &str = "http://10.96.0.40:8080";
const TERMINAL: &str = "10.96.0.40:8081";
const FRONT: &str = "10.96.0.40";
/// Two replicas of three processes are replaced one by one; each leaves within its grace period.
const HELM_WAITS: &str = "5m";

/// Two processors carry one installation, and its address is fixed.
static TURN: Mutex<()> = Mutex::const_new(());

/// An installation. Dropped, it is removed with all that it left on the cluster.
#[derive(Debug)]
pub struct Release {
    /// Its namespaces.
    pub cluster: TestCluster,
    /// Where its processes find PostgreSQL.
    database: String,
    /// For the test's own looks at its database.
    pub pool: PgPool,
    _turn: MutexGuard<'static, ()>,
    _place: Taken,
}

impl Release {
    /// Prepares what the chart asks for, and installs it.
    pub async fn install() -> Self {
        let turn = TURN.lock().await;
        let place = take_places(Weight::Light).await;
        let cluster = TestCluster::for_release().await;
        // From here on, whatever breaks off is cleared away.
        let mut release = Self {
            cluster,
            database: String::new(),
            pool: nowhere(),
            _turn: turn,
            _place: place,
        };
        release.restrict().await;
        release.database = outside::start_postgres(&release.cluster.surroundings()).await;
        let url = outside::database_url(&release.database);
        release.pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy(&url)
            .expect("the address is sound");
        outside::make_secrets(release.namespace()).await;
        release.await_free_address().await;
        release.helm("install", &[]).await;
        release
    }

    /// Installs it, with the sample exam applied.
    pub async fn with_exam() -> Self {
        let release = Self::install().await;
        release.apply_exam().await;
        release
    }

    /// Installs or upgrades, with values beside those of the test bed, and waits until Helm is
    /// content.
    pub async fn helm(&self, verb: &str, more: &[&str]) {
        let given = [verb, NAME, "chart", "--namespace", self.namespace()];
        let values = ["--values", VALUES, "--values", "-"];
        let wait = ["--wait", "--timeout", HELM_WAITS];
        let arguments = [&given[..], &values, &wait, more].concat();
        succeed("helm", &arguments, &self.values().to_string()).await;
    }

    /// Removes the release as an administrator does.
    pub async fn uninstall(&self) {
        let arguments = ["uninstall", NAME, "--namespace", self.namespace(), "--wait"];
        succeed("helm", &arguments, "").await;
    }

    /// Runs a command that the release's notes show; `<namespace>` and all are as printed there.
    pub async fn as_noted(&self, part: &str, input: &str) -> String {
        let arguments = ["get", "notes", NAME, "--namespace", self.namespace()];
        let notes = succeed("helm", &arguments, "").await;
        let mut lines = notes.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with("kubectl") && line.contains(part));
        let line = line.unwrap_or_else(|| panic!("no command with {part} in {notes}"));
        let command = line.split(" < ").next().unwrap_or(line);
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        succeed("kubectl", &words, input).await
    }

    /// Deployments, pods or whatever else is in the release's namespace.
    pub async fn listed(&self, kind: &str) -> Vec<Value> {
        objects(&["get", kind, "--namespace", self.namespace()]).await
    }

    /// Names its pods, those that are about to end too.
    pub async fn pod_names(&self) -> Vec<String> {
        let pods = self.listed("pods").await;
        pods.iter().map(name).collect()
    }

    /// The namespace of its processes.
    pub fn namespace(&self) -> &str {
        self.cluster.release_namespace()
    }

    /// Where the page is, which is its origin too.
    pub fn page(&self) -> &'static str {
        PAGE
    }

    /// Waits until no job is left, and asserts that nothing is where it should not be.
    pub async fn assert_invariants(&self) {
        let runtime = TestRuntime::Cluster(self.cluster.clone());
        invariants::assert_none_broken(&self.pool, self.install_id().await, &runtime).await;
    }

    async fn install_id(&self) -> InstallId {
        let mut conn = self.pool.acquire().await.expect("the database answers");
        install_id(&mut conn).await.expect("the schema is there")
    }

    /// What differs from one run to the next.
    fn values(&self) -> Value {
        json!({
            "image": {
                "carrel": setting("CARREL_IMAGE"),
                "keeper": setting("CARREL_KEEPER_IMAGE"),
                // No registry has them.
                "pullPolicy": "Never",
            },
            "pods": { "hostAliases": [{ "ip": self.database, "hostnames": [outside::HOST] }] },
            "exams": {
                "namespace": self.cluster.namespace(),
                "isolationProbes": [format!("{}:5432", self.database)],
            },
        })
    }

    /// As the notes advise, before anything is there that might not keep to it.
    async fn restrict(&self) {
        let label = "pod-security.kubernetes.io/enforce=restricted";
        succeed(
            "kubectl",
            &["label", "namespace", self.namespace(), label],
            "",
        )
        .await;
    }

    /// What a killed run left may take a while to go.
    async fn await_free_address(&self) {
        until("the fixed address is free", STARTUP, async || {
            let services = objects(&["get", "services", "--all-namespaces"]).await;
            let taken = |service: &Value| service["spec"]["clusterIP"] == FRONT;
            (!services.iter().any(taken)).then_some(())
        })
        .await;
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if std::thread::panicking() {
            diagnosis::print(&self.cluster);
        }
        let cluster = self.cluster.clone();
        on_own_thread(move || async move { remove(&cluster).await });
    }
}

/// Removes the namespaces and what is cluster-wide, and waits until the next may come.
async fn remove(cluster: &TestCluster) {
    cluster.remove_all().await;
    let (exams, outside) = (cluster.namespace(), cluster.surroundings());
    until("the namespaces are gone", STARTUP, async || {
        let names = [cluster.release_namespace(), &exams, &outside];
        let left = objects(&[&["get", "namespaces"][..], &names].concat()).await;
        left.is_empty().then_some(())
    })
    .await;
}

fn name(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str();
    name.expect("an object has a name").to_owned()
}

/// Stands for the database until there is one; nobody asks it.
fn nowhere() -> PgPool {
    let pool = PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/none");
    pool.expect("the address is sound")
}
