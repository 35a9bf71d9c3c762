//! The whole system on this machine, with a demo session to open in a browser.

mod demo;
mod installation;
mod parts;
mod process;
mod random;
mod run_state;
mod system;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::kube::{Choice, ClusterArgs};
use crate::settings::Settings;
use crate::shell;
use crate::stop::{Stop, Waited};
use crate::workspace::{Workspace, require_space};

use self::parts::Parts;
use self::run_state::RunState;
use self::system::System;

/// Room for a cold debug build, the images and a small database.
const SPACE_MIB: u64 = 3072;
/// What to type for environments on a cluster.
const COMMAND: &str = "cargo xtask up --runtime kubernetes";

/// Where things listen, and for how long.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Loopback port of the api and the page.
    #[arg(long, default_value_t = 8080)]
    pub(crate) api_port: u16,
    /// Loopback port of the terminal process.
    #[arg(long, default_value_t = 8081)]
    pub(crate) terminal_port: u16,
    /// First of three loopback ports for probes and metrics: api, worker, terminal.
    #[arg(long, default_value_t = 9180)]
    pub(crate) admin_port: u16,
    /// Begins with an empty database; what an earlier `up` kept is lost.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Ends everything as soon as the demo session is ready, for automatic runs.
    #[arg(long)]
    pub(crate) once: bool,
    /// Where environments run.
    #[arg(long, value_enum, default_value = "engine")]
    pub(crate) runtime: Runtime,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Processes that the nodes of a given cluster allow a pod (podPidsLimit), where that is more
    /// than exams declare.
    #[arg(long, env = "CARREL_NODE_PIDS", value_name = "COUNT")]
    pub(crate) node_pids: Option<u64>,
}

/// Where environments run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// Containers of the engine.
    Engine,
    /// Pods of a cluster, in namespaces of this run.
    Kubernetes,
}

impl UpArgs {
    fn choose_cluster(&self, workspace: &Workspace) -> Result<Option<Choice>> {
        match self.runtime {
            Runtime::Engine => Ok(None),
            Runtime::Kubernetes => Choice::make(workspace, &self.cluster, COMMAND).map(Some),
        }
    }
}

/// `cargo xtask up`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings, args: &UpArgs) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let outcome = start_and_stay(workspace, settings, args, &stop);
    // What was interrupted on request did not fail.
    match outcome {
        Err(_) if stop.is_asked() => {
            shell::say("  stopped before everything was up; nothing is left running");
            Ok(ExitCode::FAILURE)
        }
        outcome => outcome,
    }
}

fn start_and_stay(
    workspace: &Workspace,
    settings: &Settings,
    args: &UpArgs,
    stop: &Stop,
) -> Result<ExitCode> {
    let mut state = RunState::take(&workspace.root.join("target/up"))?;
    system::require_free_ports(args)?;
    require_space(&workspace.target, SPACE_MIB, "a build and a database")?;
    let choice = args.choose_cluster(workspace)?;
    let parts = Parts::prepare(workspace, settings, args, choice, &mut state, stop)?;
    let mut system = System::start(&parts, args, &mut state, stop)?;
    let demo = system.start_demo(stop)?;
    state.show_link(&demo.link)?;
    shell::say("");
    shell::say(&format!("  Open   {}", demo.link));
    let environment = workspace.root.join("target/up/environment");
    let environment = environment
        .strip_prefix(std::env::current_dir()?)
        .unwrap_or(&environment)
        .display();
    shell::say(&format!(
        "  Then   . {environment}     carrel sessions show {}     carrel jobs list",
        demo.session_id
    ));
    shell::say("         kill the worker and watch it come back");
    if let Some(applying) = parts.applying() {
        shell::say(&format!("  Exams  {applying}"));
    }
    let mut outcome = Ok(());
    if !args.once {
        shell::say("  Ctrl-C ends everything that this command started, and nothing else.");
        outcome = stay(&mut system, &mut state, stop);
        shell::say("");
    }
    system.end(&demo);
    drop(parts);
    shell::say("  everything that this command started has ended");
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Keeps the processes running until the end is asked for.
fn stay(system: &mut System<'_>, state: &mut RunState, stop: &Stop) -> Result<()> {
    loop {
        let day = Duration::from_hours(24);
        let waited = stop.wait_until(day, || system.revive(state).map(|()| false))?;
        if waited == Waited::Stopped {
            return Ok(());
        }
    }
}
