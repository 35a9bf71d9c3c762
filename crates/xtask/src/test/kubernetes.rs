//! The cluster of a run, or none, said plainly.

use anyhow::Result;
use clap::ValueEnum;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::images::{self, Products};
use crate::kube::{self, Choice, ClusterArgs};
use crate::shell;
use crate::stop::Stop;
use crate::suites::{Feature, Suites};
use crate::workspace::Workspace;

const COMMAND: &str = "cargo xtask test";

/// Whether the suites on a cluster are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wish {
    /// Where a cluster is given or can be started.
    Auto,
    /// Always; where there is no cluster, the run fails.
    Required,
    /// Never.
    None,
}

/// Which cluster a run will have. It is decided, and its binary built, before anything else.
#[derive(Debug)]
pub(crate) enum Plan {
    /// None of the suites needs one.
    Idle,
    /// There is none.
    LeftOut,
    /// There is one.
    Chosen(Choice),
}

impl Plan {
    /// Decides, and says so where suites are left out.
    pub(crate) fn make(
        workspace: &Workspace,
        suites: &Suites,
        wish: Wish,
        args: &ClusterArgs,
    ) -> Result<Self> {
        if !suites.need_a_cluster() {
            return Ok(Self::Idle);
        }
        let obstacle = match wish {
            Wish::None => Some(Failure::new("--kubernetes none says so")),
            Wish::Auto | Wish::Required => args.obstacle(workspace, COMMAND),
        };
        let Some(obstacle) = obstacle else {
            return Choice::make(workspace, args, COMMAND).map(Self::Chosen);
        };
        if wish == Wish::Required {
            return Err(obstacle.into());
        }
        shell::say(&format!(
            "  ✗ the {} suites on Kubernetes are left out: {obstacle}",
            suites.left_out(&[])
        ));
        for line in [obstacle.why(), obstacle.next()].into_iter().flatten() {
            shell::say(&format!("    {line}"));
        }
        Ok(Self::LeftOut)
    }

    /// The features whose suites it allows.
    pub(crate) fn features(&self) -> &'static [Feature] {
        match self {
            Self::Idle | Self::LeftOut => &[],
            Self::Chosen(Choice::Given { .. }) => &[Feature::Cluster],
            Self::Chosen(Choice::Own(..)) => &[Feature::Cluster, Feature::TestBed],
        }
    }

    /// Makes the cluster ready, with these images in it and those of our own programs.
    pub(crate) fn carry_out(
        self,
        workspace: &Workspace,
        engine: &Engine,
        products: &Products,
        images: &[&str],
        stop: &Stop,
    ) -> Result<Cluster> {
        let Self::Chosen(choice) = self else {
            return Ok(Cluster::default());
        };
        let make = |name| images::ensure_with(workspace, engine.client(), name, products);
        let keeper = make(images::KEEPER)?;
        let processes = make(images::CARREL)?;
        let images = [images, &[&keeper, &processes]].concat();
        let cluster = choice.make_ready(engine, &images, stop)?;
        let mut environment = environment(&cluster);
        environment.extend([("CARREL_KEEPER_IMAGE", keeper), ("CARREL_IMAGE", processes)]);
        Ok(Cluster {
            environment,
            _running: Some(cluster),
        })
    }
}

/// What the suites are told about the cluster. Dropped, one that was started for this run ends.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// Variables for the suites.
    pub(crate) environment: Vec<(&'static str, String)>,
    _running: Option<kube::Cluster>,
}

fn environment(cluster: &kube::Cluster) -> Vec<(&'static str, String)> {
    let folder = cluster.folder.as_deref();
    let folder = folder.map(|path| ("CARREL_CLUSTER_DIR", path.display().to_string()));
    let paths = [
        ("KUBECONFIG", cluster.kubeconfig.as_path()),
        ("CARREL_CLUSTER_BIN", cluster.binary.path()),
    ];
    let paths = paths.map(|(name, path)| (name, path.display().to_string()));
    paths.into_iter().chain(folder).collect()
}
