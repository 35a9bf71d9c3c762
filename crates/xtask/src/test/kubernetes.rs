//! The cluster of a run: a given one, else one of our own, else none, said plainly.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::images::{self, Products};
use crate::kube::{self, Bed, Binary, Claim, Guard};
use crate::packages;
use crate::shell;
use crate::stop::Stop;
use crate::suites::{Feature, Suites};
use crate::workspace::Workspace;

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
    /// A person's.
    Given {
        /// The way in.
        kubeconfig: PathBuf,
        /// For kubectl and helm.
        binary: Binary,
    },
    /// Ours: started for this run, or by `cargo xtask kube up` before it.
    Own(Bed, Claim),
}

impl Plan {
    /// Decides, and says so where suites are left out.
    pub(crate) fn make(
        workspace: &Workspace,
        suites: &Suites,
        wish: Wish,
        kubeconfig: Option<&Path>,
    ) -> Result<Self> {
        if !suites.need_a_cluster() {
            return Ok(Self::Idle);
        }
        let Some(obstacle) = obstacle(workspace, wish, kubeconfig) else {
            return Self::of_a_cluster(workspace, kubeconfig);
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

    fn of_a_cluster(workspace: &Workspace, kubeconfig: Option<&Path>) -> Result<Self> {
        let Some(kubeconfig) = kubeconfig else {
            let bed = Bed::new(workspace, Path::new(kube::DEFAULT_FOLDER))?;
            let claim = Claim::take(bed.folder(), "cargo xtask test")?;
            return Ok(Self::Own(bed, claim));
        };
        if !kubeconfig.is_file() {
            return Err(Failure::new("the given cluster cannot be used")
                .because(format!("there is no file {}", kubeconfig.display()))
                .mend("`unset KUBECONFIG` to have a cluster started for the run")
                .into());
        }
        if let Some(folder) = kube::folder_of(kubeconfig) {
            let bed = Bed::new(workspace, &folder)?;
            let claim = Claim::take(bed.folder(), "cargo xtask test")?;
            return Ok(Self::Own(bed, claim));
        }
        Ok(Self::Given {
            kubeconfig: kubeconfig.to_owned(),
            binary: Binary::ensure(workspace)?,
        })
    }

    /// The features whose suites it allows.
    pub(crate) fn features(&self) -> &'static [Feature] {
        match self {
            Self::Idle | Self::LeftOut => &[],
            Self::Given { .. } => &[Feature::Cluster],
            Self::Own(..) => &[Feature::Cluster, Feature::TestBed],
        }
    }

    /// Makes the images, starts the cluster if it is ours, and gives it the images.
    pub(crate) fn carry_out(
        self,
        workspace: &Workspace,
        engine: &Engine,
        products: &Products,
        exam: &str,
        stop: &Stop,
    ) -> Result<Cluster> {
        if matches!(self, Self::Idle | Self::LeftOut) {
            return Ok(Cluster::default());
        }
        let make = |name| images::ensure_with(workspace, engine.client(), name, products);
        let images = Images {
            exam: exam.to_owned(),
            keeper: make(images::KEEPER)?,
            processes: make(images::CARREL)?,
        };
        match self {
            Self::Own(bed, claim) => Cluster::of_our_own(&bed, claim, engine, &images, stop),
            Self::Given { kubeconfig, binary } => Ok(Cluster::given(&kubeconfig, &binary, &images)),
            Self::Idle | Self::LeftOut => Ok(Cluster::default()),
        }
    }
}

/// Why there can be no cluster, if so.
fn obstacle(workspace: &Workspace, wish: Wish, kubeconfig: Option<&Path>) -> Option<Failure> {
    if wish == Wish::None {
        return Some(Failure::new("--kubernetes none says so"));
    }
    if kubeconfig.is_none() && !packages::is_root() {
        return Some(
            Failure::new("no cluster is given, and starting one needs root").mend(
                "to have them: export KUBECONFIG=<a cluster's>, or run `cargo xtask test` as root",
            ),
        );
    }
    kube::obstacle_to_build(workspace)
}

struct Images {
    exam: String,
    keeper: String,
    processes: String,
}

/// What the suites are told about the cluster. Dropped, one that was started for this run ends.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// Variables for the suites.
    pub(crate) environment: Vec<(&'static str, String)>,
    // Ended before the claim is given back.
    _guard: Option<Guard>,
    _claim: Option<Claim>,
}

impl Cluster {
    fn of_our_own(
        bed: &Bed,
        claim: Claim,
        engine: &Engine,
        images: &Images,
        stop: &Stop,
    ) -> Result<Self> {
        let ours = !bed.runs()?;
        // Before the start: what a killed run had started by then must end too.
        let guard = ours.then(|| bed.guard()).transpose()?;
        bed.up(stop)?;
        for name in [&images.exam, &images.keeper, &images.processes] {
            kube::load_image(bed, engine.client(), name)?;
        }
        shell::done("images", "in the cluster");
        let mut environment = images.environment(&bed.kubeconfig(), bed.binary());
        environment.push(("CARREL_CLUSTER_DIR", bed.folder().display().to_string()));
        Ok(Self {
            environment,
            _guard: guard,
            _claim: Some(claim),
        })
    }

    fn given(kubeconfig: &Path, binary: &Binary, images: &Images) -> Self {
        shell::done("cluster", &format!("of {}", kubeconfig.display()));
        shell::say("  its nodes must have these images, which no registry has:");
        for name in [&images.exam, &images.keeper, &images.processes] {
            shell::say(&format!("    {name}"));
        }
        Self {
            environment: images.environment(kubeconfig, binary.path()),
            _guard: None,
            _claim: None,
        }
    }
}

impl Images {
    fn environment(&self, kubeconfig: &Path, binary: &Path) -> Vec<(&'static str, String)> {
        vec![
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("CARREL_CLUSTER_BIN", binary.display().to_string()),
            ("CARREL_KEEPER_IMAGE", self.keeper.clone()),
            ("CARREL_IMAGE", self.processes.clone()),
        ]
    }
}
