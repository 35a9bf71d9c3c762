//! Every suite, on parts that are made ready first, and the totals over all of them.

mod kubernetes;
mod parts;
mod times;
mod totals;
mod watch;

use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::kubernetes::{Plan, Wish};
use self::parts::Parts;
use self::times::Times;
use self::totals::{Runner, Totals};
use self::watch::watch;
use crate::kube::ClusterArgs;
use crate::packages::{self, Need, find_program};
use crate::page;
use crate::settings::Settings;
use crate::shell;
use crate::stop::Stop;
use crate::suites::Suites;
use crate::workspace::{Workspace, require_space};

/// The browser of the page's flow.
const BROWSER: Need = Need {
    program: "chromium",
    package: "chromium",
};
/// What lets a process believe that it is another time of day.
const CLOCK: Need = Need {
    program: "faketime",
    package: "faketime",
};
/// A debug build of everything with its tests.
const SPACE_MIB: u64 = 4096;

/// The measure of the queue's stories; the system tests read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Intensity {
    /// Seconds of outage, thousands of jobs: fit for every change.
    Brief,
    /// Minutes of outage, a hundred thousand jobs: before a release.
    Full,
}

impl Intensity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Brief => "brief",
            Self::Full => "full",
        }
    }
}

/// Which part of the suites to run.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leaves out the page's own tests.
    #[arg(long)]
    no_frontend: bool,
    /// Whether suites on Kubernetes are run; `auto` leaves them out, and says so, where no cluster
    /// is given and none can be started.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHETHER")]
    kubernetes: Wish,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How long and with how many the faults of the queue are told.
    #[arg(long, value_enum, default_value = "brief", value_name = "MEASURE")]
    intensity: Intensity,
    /// Passed on to `cargo test`, such as `-p job-queue` or a test's name; all suites where empty.
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// `cargo xtask test`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings, args: &TestArgs) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let mut times = Times::default();
    let outcome = run_suites(workspace, settings, args, &stop, &mut times);
    if stop.is_asked() {
        shell::say("  stopped; what this command started has ended");
        return Ok(ExitCode::FAILURE);
    }
    let totals = outcome?;
    if args.cargo.is_empty() {
        for row in times.slowest() {
            shell::say(&row);
        }
    }
    shell::say(&totals.closing_line());
    Ok(if totals.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_suites(
    workspace: &Workspace,
    settings: &Settings,
    args: &TestArgs,
    stop: &Stop,
    times: &mut Times,
) -> Result<Totals> {
    require_space(&workspace.target, SPACE_MIB, "building the tests")?;
    packages::ensure("the browser tests", &[BROWSER])?;
    packages::ensure("the story of wrong clocks", &[CLOCK])?;
    let suites = Suites::taken_by(workspace, &args.cargo)?;
    let plan = Plan::make(workspace, &suites, args.kubernetes, &args.cluster)?;
    let features = suites.features(plan.features());
    let mut totals = Totals::default();
    totals.leave_out(suites.left_out(plan.features()));
    let parts = Parts::prepare(workspace, settings, plan, &built(args, &features), stop)?;

    let runner = |more: &[&str]| {
        let mut cargo = cargo_test(workspace, args, &features, more);
        let intensity = args.intensity.as_str();
        parts
            .give_to(&mut cargo)
            .env("CARREL_TEST_INTENSITY", intensity);
        cargo
    };
    // Of a part the build would be told only when it is over.
    if args.cargo.is_empty() {
        times.expect_suites_of(&mut runner(&["--no-run"]));
    }
    totals.add(&watch(Runner::Cargo, &mut runner(&[]), stop, times)?);
    if !args.no_frontend {
        let folder = page::install(workspace)?;
        let mut npm = page::npm(&folder);
        totals.add(&watch(
            Runner::Vitest,
            parts.give_to(npm.arg("test")),
            stop,
            times,
        )?);
    }
    if args.cargo.is_empty() && find_program("go").is_some() {
        let mut go = of_the_cluster(workspace);
        totals.add(&watch(Runner::Go, &mut go, stop, times)?);
    }
    Ok(totals)
}

/// What is built before the parts are started. The tests are among it where all of them are run: what
/// only tests depend on decides with which features everything else is built, so that the binaries
/// alone would be built twice, with all below them, and replaced under the cluster's images.
fn built(args: &TestArgs, features: &[String]) -> Vec<String> {
    let targets: &[&str] = if args.cargo.is_empty() {
        &["--bins", "--tests", "--examples"]
    } else {
        &["--bins"]
    };
    let targets = targets.iter().map(|it| (*it).to_owned());
    targets.chain(features.iter().cloned()).collect()
}

/// Cargo's own runner over the suites that were asked for, each started by a script that knows which of
/// them wait more than they work.
fn cargo_test(
    workspace: &Workspace,
    args: &TestArgs,
    features: &[String],
    more: &[&str],
) -> Command {
    let started_by = workspace.root.join("crates/xtask/src/test/runner.sh");
    let started_by = started_by.display().to_string();
    let mut cargo = workspace.cargo();
    cargo
        .arg("--config")
        .arg(format!(
            "target.'cfg(unix)'.runner = ['sh', {started_by:?}]"
        ))
        .args(["test", "--no-fail-fast"])
        .args(more)
        .args(features);
    if args.cargo.is_empty() {
        cargo.arg("--workspace");
    }
    cargo.args(&args.cargo);
    cargo
}

/// The tests of the cluster's own enforcer of policies; with the build's settings, and without the
/// vetting that would have Go compile Kubernetes once more.
fn of_the_cluster(workspace: &Workspace) -> Command {
    let mut go = Command::new("go");
    go.current_dir(workspace.root.join("tests/cluster"))
        .args(["test", "-vet=off", "-trimpath", "-v", "./netpol"])
        .env("CGO_ENABLED", "0");
    go
}
