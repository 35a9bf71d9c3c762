//! Every suite, on parts that are made ready first, and the totals over all of them.

mod kubernetes;
mod lanes;
mod output;
mod parts;
mod runners;
mod side_by_side;
mod times;
mod totals;
mod watch;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::kubernetes::{Plan, Wish};
use self::lanes::Lane;
use self::output::Shown;
use self::parts::Parts;
use self::runners::Runners;
use self::side_by_side::run_at_once;
use self::times::Names;
use self::totals::Runner;
use self::watch::{Results, watch};
use crate::kube::ClusterArgs;
use crate::packages::{self, Need};
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
/// What lays a cable between two networks of a test's own, and takes it away.
const NETWORK: Need = Need {
    program: "ip",
    package: "iproute2",
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

impl TestArgs {
    /// Whether all suites are asked for.
    fn is_whole(&self) -> bool {
        self.cargo.is_empty()
    }
}

/// `cargo xtask test`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings, args: &TestArgs) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let outcome = run_suites(workspace, settings, args, &stop);
    if stop.is_asked() {
        shell::say("  stopped; what this command started has ended");
        return Ok(ExitCode::FAILURE);
    }
    let Results { totals, times } = outcome?;
    if args.is_whole() {
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
) -> Result<Results> {
    require_space(&workspace.target, SPACE_MIB, "building the tests")?;
    packages::ensure("the browser tests", &[BROWSER])?;
    packages::ensure("the story of wrong clocks", &[CLOCK])?;
    packages::ensure("the story of vanished packets", &[NETWORK])?;
    let suites = Suites::taken_by(workspace, &args.cargo)?;
    let plan = Plan::make(workspace, &suites, args.kubernetes, &args.cluster)?;
    let there = plan.features();
    let features = suites.features(there);
    let left_out = suites.left_out(there);
    let chosen = lanes::chosen(&suites, there);
    let lanes = if args.is_whole() { chosen.len() } else { 1 };
    let built = built(args, &features);
    let runners = Runners {
        workspace,
        args,
        features,
        parts: Parts::prepare(workspace, settings, plan, &built, lanes, stop)?,
    };
    let mut results = if args.is_whole() {
        run_lanes(&runners, chosen, settings.database_url.is_some(), stop)
    } else {
        run_part(&runners, stop)
    };
    results.totals.leave_out(left_out);
    Ok(results)
}

/// What is built before the parts are started. The tests are among it where all of them are run: what
/// only tests depend on decides with which features everything else is built, so that the binaries
/// alone would be built twice, with all below them, and replaced under the cluster's images.
fn built(args: &TestArgs, features: &[String]) -> Vec<String> {
    let targets: &[&str] = if args.is_whole() {
        &["--bins", "--tests", "--examples"]
    } else {
        &["--bins"]
    };
    let targets = targets.iter().map(|it| (*it).to_owned());
    targets.chain(features.iter().cloned()).collect()
}

/// Runs what was asked for, and nothing beside it.
fn run_part(runners: &Runners<'_>, stop: &Stop) -> Results {
    let cargo = runners.cargo(0, &[]);
    let mut results = watch(Runner::Cargo, cargo, stop, Shown::AtOnce);
    for (runner, command) in runners.others(0, &mut results) {
        results.add(&watch(runner, command, stop, Shown::AtOnce));
    }
    results
}

/// Runs all suites, in lanes at once unless they share a server.
fn run_lanes(
    runners: &Runners<'_>,
    chosen: BTreeMap<Lane, Vec<Vec<String>>>,
    is_server_shared: bool,
    stop: &Stop,
) -> Results {
    let mut results = Results::default();
    let names = Names::of_suites(&mut runners.cargo(0, &["--no-run".to_owned()]));
    let mut lanes = Vec::new();
    for (number, (lane, runs)) in chosen.into_iter().enumerate() {
        let runs = runs.iter().map(|run| runners.cargo(number, run));
        let mut steps: Vec<_> = runs.map(|cargo| (Runner::Cargo, cargo)).collect();
        if lane == Lane::Systems {
            steps.extend(runners.others(number, &mut results));
        }
        lanes.push(steps);
    }
    if is_server_shared {
        lanes = vec![lanes.into_iter().flatten().collect()];
    }
    results.add(&run_at_once(lanes, stop, Shown::BySuite(&names)));
    results
}
