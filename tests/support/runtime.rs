//! Whatever runs environments, as the tests see it: past Carrel, straight at what is there.

use execution_environment::Listed;
use session_identity::InstallId;

use crate::engine::TestEngine;
use crate::kubernetes::TestCluster;

/// The runtime of one system.
#[derive(Debug, Clone)]
pub enum TestRuntime {
    /// The run's container engine.
    Engine(TestEngine),
    /// A namespace of its own on the run's cluster.
    Cluster(TestCluster),
}

/// What a command inside an environment wrote and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Standard output and standard error as they came.
    pub text: String,
    /// How it ended.
    pub exit_code: Option<i64>,
}

impl TestRuntime {
    /// Lists the environments of one database, running or not.
    pub async fn environments(&self, install_id: InstallId) -> Vec<Listed> {
        match self {
            Self::Engine(engine) => engine.environments(install_id).await,
            Self::Cluster(cluster) => cluster.environments(install_id).await,
        }
    }

    /// Names what was made beside environments, to own them, and is there.
    pub async fn anchors(&self, install_id: InstallId) -> Vec<String> {
        match self {
            Self::Engine(_) => Vec::new(),
            Self::Cluster(cluster) => cluster.anchors(install_id).await,
        }
    }

    /// Removes one environment: without a word to what runs inside.
    pub async fn remove(&self, uid: &str) {
        match self {
            Self::Engine(engine) => engine.remove(uid).await,
            Self::Cluster(cluster) => cluster.remove(uid).await,
        }
    }

    /// Removes every environment of one database, and all that was made for them.
    pub async fn remove_all(&self, install_id: InstallId) {
        match self {
            Self::Engine(engine) => engine.remove_all(install_id).await,
            Self::Cluster(cluster) => cluster.remove_all().await,
        }
    }

    /// Runs a script inside an environment, as the environment's own user.
    pub async fn run_inside(&self, uid: &str, script: &str) -> Said {
        match self {
            Self::Engine(engine) => engine.run_inside(uid, script).await,
            Self::Cluster(cluster) => cluster.run_inside(uid, script).await,
        }
    }

    /// The engine, for what only an engine can do.
    pub fn engine(&self) -> &TestEngine {
        match self {
            Self::Engine(engine) => engine,
            Self::Cluster(_) => panic!("this system runs on the cluster"),
        }
    }

    /// The cluster, for what only a cluster can do.
    pub fn cluster(&self) -> &TestCluster {
        match self {
            Self::Engine(_) => panic!("this system runs on the engine"),
            Self::Cluster(cluster) => cluster,
        }
    }
}
