//! Measures how fast sessions become ready, what they cost the cluster, and how fast a terminal is,
//! each beside the same thing done without Carrel in the same run, and prints tables in Markdown.

mod by_hand;
mod exam;
mod figures;
mod history;
mod lines;
mod report;
mod requests;
mod starts;
mod terminals;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use system_tests::wait::in_time;
use system_tests::{Place, Plan, TestSystem, Weight, exams};

use self::report::Report;

/// Seen: 3 minutes on the engine and 10 on the cluster, on two shared processors.
const LIMIT: Duration = Duration::from_mins(40);

/// Measures sessions on a runtime, inside the environment of `cargo xtask test`.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// What runs the sessions.
    #[arg(long, value_enum, default_value_t = Runtime::Engine)]
    runtime: Runtime,
    /// How many are made at once.
    #[arg(long, default_value_t = 50)]
    sessions: usize,
    /// How many worker processes prepare them.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// What is measured; everything the runtime has, if none is named.
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    Engine,
    Kubernetes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From created to ready, beside the same made by hand; then nobody sees another's canary.
    Starts,
    /// Echo and bulk.
    Terminals,
    /// Requests to the API server for a session.
    Requests,
    /// What a thousand ended sessions cost.
    History,
}

impl Runtime {
    fn place(self) -> Place {
        match self {
            Self::Engine => Place::Engine,
            Self::Kubernetes => Place::Cluster,
        }
    }

    /// Only a cluster has an API server to be spared.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::Engine => &[Part::Starts, Part::Terminals],
            Self::Kubernetes => Part::value_variants(),
        }
    }
}

impl Args {
    async fn system(&self, is_api_proxied: bool) -> TestSystem {
        let plan = Plan {
            workers: self.workers,
            weight: Weight::Machine,
            place: self.runtime.place(),
            is_api_proxied,
            ..Plan::default()
        };
        let system = TestSystem::planned(plan).await;
        exams::apply(system.pool(), &exam::slim()).await;
        system
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args = Args::parse();
    in_time("all measurements", LIMIT, Box::pin(measure(&args))).await;
}

async fn measure(args: &Args) {
    let mut report = Report::new();
    for part in args.runtime.parts() {
        if !args.only.is_empty() && !args.only.contains(part) {
            continue;
        }
        match part {
            Part::Starts => {
                let system = args.system(false).await;
                starts::measure(&system, args.sessions, &mut report).await;
            }
            Part::Terminals => {
                let system = args.system(false).await;
                terminals::measure(&system, &mut report).await;
            }
            Part::Requests => requests::measure(&args.system(true).await, &mut report).await,
            Part::History => history::measure(&mut args.system(true).await, &mut report).await,
        }
    }
    report.end();
}
