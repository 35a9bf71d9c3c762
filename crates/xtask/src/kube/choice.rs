//! Which cluster a command uses: a given one, else that of `cargo xtask kube up` where it runs,
//! else one that ends with the command.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};

use super::bed::{Bed, DEFAULT_FOLDER, folder_of};
use super::binary::{self, Binary};
use super::claim::Claim;
use super::running::{Cluster, client};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::packages;
use crate::shell;
use crate::stop::Stop;
use crate::workspace::Workspace;

/// The setting that gives a cluster.
#[derive(Debug, Default, Args)]
pub(crate) struct ClusterArgs {
    /// Cluster to use. Without one: that of `cargo xtask kube up` where it runs, else one for this
    /// run.
    // Also taken empty, which is how a shell sets a variable aside for one command.
    #[arg(
        long,
        env = "KUBECONFIG",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    kubeconfig: Option<PathBuf>,
}

impl ClusterArgs {
    /// The way into a given cluster.
    pub(crate) fn given(&self) -> Option<&Path> {
        let given = self.kubeconfig.as_deref();
        given.filter(|path| !path.as_os_str().is_empty())
    }

    /// Why there can be no cluster for a command, if that can be told without trying.
    pub(crate) fn obstacle(&self, workspace: &Workspace, command: &str) -> Option<Failure> {
        lacks_root(self.given(), packages::is_root(), command)
            .or_else(|| binary::obstacle(workspace))
    }
}

fn lacks_root(given: Option<&Path>, is_root: bool, command: &str) -> Option<Failure> {
    (given.is_none() && !is_root).then(|| {
        Failure::new("no cluster is given, and starting one needs root").mend(format!(
            "export KUBECONFIG=<a cluster's>, or sudo --preserve-env=HOME,PATH {command}"
        ))
    })
}

/// The cluster of a command. It is chosen, and its binary built, before anything is started.
#[derive(Debug)]
pub(crate) enum Choice {
    /// A person's, which answers.
    Given {
        /// The way in.
        kubeconfig: PathBuf,
        /// For kubectl and helm.
        binary: Binary,
    },
    /// Ours: started for this command, or by `cargo xtask kube up` before it.
    Own(Bed, Claim),
}

impl Choice {
    /// Chooses for a command, which is named to whoever wants the same cluster meanwhile.
    pub(crate) fn make(workspace: &Workspace, args: &ClusterArgs, command: &str) -> Result<Self> {
        if let Some(obstacle) = args.obstacle(workspace, command) {
            return Err(obstacle.into());
        }
        let Some(kubeconfig) = args.given() else {
            return Self::own(workspace, Path::new(DEFAULT_FOLDER), command);
        };
        require_file(kubeconfig)?;
        if let Some(folder) = folder_of(kubeconfig) {
            return Self::own(workspace, &folder, command);
        }
        let binary = Binary::ensure(workspace)?;
        require_answer(&binary, kubeconfig)?;
        Ok(Self::Given {
            kubeconfig: kubeconfig.to_owned(),
            binary,
        })
    }

    fn own(workspace: &Workspace, folder: &Path, command: &str) -> Result<Self> {
        let bed = Bed::new(workspace, folder)?;
        let claim = Claim::take(bed.folder(), command)?;
        Ok(Self::Own(bed, claim))
    }

    /// Starts the cluster if it is ours and does not run, and sees to its images: ours are copied
    /// into it, a given one's nodes must have them.
    pub(crate) fn make_ready(
        self,
        engine: &Engine,
        images: &[&str],
        stop: &Stop,
    ) -> Result<Cluster> {
        match self {
            Self::Own(bed, claim) => Cluster::of_our_own(bed, claim, engine, images, stop),
            Self::Given { kubeconfig, binary } => Ok(Cluster::given(kubeconfig, binary, images)),
        }
    }
}

/// Several files may be given, in the way of `PATH`; clients skip those that are not there.
fn require_file(kubeconfig: &Path) -> Result<()> {
    if std::env::split_paths(kubeconfig).any(|file| file.is_file()) {
        return Ok(());
    }
    Err(Failure::new("the given cluster cannot be used")
        .because(format!("there is no file {}", kubeconfig.display()))
        .mend("`unset KUBECONFIG` to have a cluster started for the run")
        .into())
}

fn require_answer(binary: &Binary, kubeconfig: &Path) -> Result<()> {
    let ask = ["get", "--raw", "/readyz", "--request-timeout=5s"];
    let answer = shell::run_quietly(client(binary, "kubectl", kubeconfig).args(ask));
    answer.map(drop).map_err(|error| {
        let file = kubeconfig.display();
        Failure::new(format!("the cluster of {file} does not answer"))
            .because(Failure::reason_of(&error))
            .mend(format!(
                "start it, or name another: `kubectl --kubeconfig {file} get --raw /readyz` must \
                 answer ok; `unset KUBECONFIG` to have a cluster started for the run"
            ))
            .into()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        cluster: ClusterArgs,
    }

    #[test]
    fn an_empty_kubeconfig_gives_no_cluster() {
        let given = |file| {
            let line = Line::parse_from(["up", "--kubeconfig", file]);
            line.cluster.given().map(Path::to_owned)
        };
        assert_eq!(given(""), None);
        assert_eq!(given("/a/config"), Some(PathBuf::from("/a/config")));
    }

    #[test]
    fn who_is_not_root_and_gives_no_cluster_is_told_what_to_type() {
        let command = "cargo xtask up --runtime kubernetes";
        let failure = lacks_root(None, false, command).unwrap();
        assert!(failure.next().unwrap().ends_with(command));
        assert!(lacks_root(None, true, command).is_none());
        assert!(lacks_root(Some(Path::new("/a/config")), false, command).is_none());
    }

    #[test]
    fn one_of_several_files_is_enough_and_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        let absent = folder.path().join("absent");
        std::fs::write(&there, "").unwrap();
        let both = std::env::join_paths([&absent, &there]).unwrap();
        require_file(Path::new(&both)).unwrap();
        let error = require_file(&absent).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert!(failure.why().unwrap().ends_with("/absent"), "{failure:?}");
        assert!(failure.next().unwrap().contains("unset KUBECONFIG"));
    }
}
