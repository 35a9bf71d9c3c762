//! A real single-node Kubernetes on this machine: built once, started in seconds, gone without a
//! trace. What it consists of lies under `tests/cluster/`.

mod bed;
mod binary;
mod choice;
mod claim;
mod component;
mod engine_image;
mod running;

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::bed::{Bed, DEFAULT_FOLDER};
use self::binary::Binary;
pub(crate) use self::choice::{Choice, ClusterArgs};
use self::claim::Claim;
use self::component::{Component, Signalled, State};
use self::engine_image::load as load_image;
pub(crate) use self::running::Cluster;
use crate::engine::Engine;
use crate::settings::Settings;
use crate::shell;
use crate::stop::Stop;
use crate::workspace::Workspace;

/// What to do with the cluster, and where it is.
#[derive(Debug, Args)]
pub(crate) struct KubeArgs {
    /// Folder of the cluster: an absolute path of at most 60 plain characters, since sockets lie
    /// in it.
    #[arg(long, global = true, env = "CARREL_CLUSTER_DIR", value_name = "DIR", default_value = DEFAULT_FOLDER)]
    dir: PathBuf,
    #[command(subcommand)]
    verb: KubeVerb,
}

#[derive(Debug, Subcommand)]
enum KubeVerb {
    /// Starts the cluster; one that runs is left as it is, the ruins of one are cleared first.
    Up,
    /// Ends the cluster in whatever state it is; only its logs stay.
    Down,
    /// Tells of each component whether it runs; exit code 1 unless all do.
    Status {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Asks one component to end and waits until it has.
    Stop {
        /// The component.
        component: Component,
        /// Ends it at once, by SIGKILL.
        #[arg(long)]
        kill: bool,
    },
    /// Starts one component with the settings it had, and waits until it does its work.
    Start {
        /// The component.
        component: Component,
    },
    /// Stops one component and starts it again.
    Restart {
        /// The component.
        component: Component,
        /// Ends it at once, by SIGKILL.
        #[arg(long)]
        kill: bool,
    },
    /// Gives the cluster an image of the container engine, or a folder as one.
    LoadImage {
        /// Its name, with a tag other than `latest`: Kubernetes would try to pull that.
        name: String,
        /// Makes the image of this root file system instead.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// What an image of a folder runs.
        #[arg(last = true, requires = "folder")]
        entrypoint: Vec<String>,
    },
    /// Runs kubectl on the cluster, as its administrator.
    Kubectl {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs helm on the cluster, as its administrator.
    Helm {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Builds the cluster's binary and prints where it lies, for `CARREL_CLUSTER_BIN`.
    Build,
}

/// `cargo xtask kube`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings, args: &KubeArgs) -> Result<ExitCode> {
    let bed = || Bed::new(workspace, &args.dir);
    match &args.verb {
        KubeVerb::Up => up(&bed()?),
        KubeVerb::Down => {
            let bed = bed()?;
            let _claim = Claim::take(bed.folder(), "cargo xtask kube down")?;
            bed.down()?;
            shell::done("cluster", "nothing is left of it");
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::Status { json } => status(&bed()?, *json),
        KubeVerb::Stop { component, kill } => {
            bed()?.stop(*component, Signalled::by(*kill))?;
            shell::done(component.name(), "stopped");
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::Start { component } => {
            start(&bed()?, *component)?;
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::Restart { component, kill } => {
            let bed = bed()?;
            bed.stop(*component, Signalled::by(*kill))?;
            start(&bed, *component)?;
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::LoadImage {
            name,
            folder: Some(folder),
            entrypoint,
        } => {
            bed()?.load_folder(name, folder, entrypoint)?;
            shell::done("image", name);
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::LoadImage { name, .. } => {
            let engine = Engine::find_or_start(settings)?;
            load_image(&bed()?, engine.client(), name)?;
            shell::done("image", name);
            Ok(ExitCode::SUCCESS)
        }
        KubeVerb::Kubectl { arguments } => Err(client(&bed()?, "kubectl", arguments)),
        KubeVerb::Helm { arguments } => Err(client(&bed()?, "helm", arguments)),
        KubeVerb::Build => {
            shell::say(&Binary::ensure(workspace)?.path().display().to_string());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn up(bed: &Bed) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let _claim = Claim::take(bed.folder(), "cargo xtask kube up")?;
    bed.up(&stop)?;
    shell::say(&format!(
        "  export KUBECONFIG={}",
        bed.kubeconfig().display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn start(bed: &Bed, component: Component) -> Result<()> {
    let step = shell::Step::begin(format!("{} to do its work", component.name()));
    bed.start(component)?;
    step.done_in(&format!("{} started", component.name()));
    Ok(())
}

fn status(bed: &Bed, json: bool) -> Result<ExitCode> {
    let states = bed.status()?;
    for state in &states {
        shell::say(&if json {
            serde_json::to_string(state)?
        } else {
            state.to_string()
        });
    }
    Ok(if states.iter().all(State::runs) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Becomes the client, so that its terminal, its signals and its exit code are its own; returns
/// only if it cannot.
fn client(bed: &Bed, name: &str, arguments: &[String]) -> anyhow::Error {
    let mut client = bed.client(name);
    client.args(arguments).exec().into()
}
