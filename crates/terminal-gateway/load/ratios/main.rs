//! Measures a terminal through the gateway beside the same stream without it, what terminals cost,
//! and how soon one ends; prints tables in Markdown.
//!
//! The shells are played by an exec server in this process, over plain TCP, and the gateway runs in
//! a process of its own: what is measured is the gateway, not a container engine or a cluster.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded to be read")]

mod attached;
mod child;
mod cost;
mod database;
mod direct;
mod ends;
mod gateway;
mod keeper;
mod keepers;
mod pattern;
mod pods;
mod reconnects;
mod report;
mod samples;
mod serving;
mod sitter;
mod soak;
mod speed;
mod streams;
mod takeover;
mod typing;

#[path = "../../tests/attach/browser.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod browser;
#[path = "../../tests/attach/door.rs"]
mod door;
#[path = "../../tests/attach/keeper_process.rs"]
mod keeper_process;
#[path = "../../tests/attach/network.rs"]
#[expect(dead_code, reason = "only the suite loses packets")]
mod network;
#[path = "../../tests/attach/raw.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod raw;
#[path = "../../tests/attach/rows.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod rows;
#[path = "../../tests/attach/seat.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod seat;
#[path = "../../tests/attach/steady.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod steady;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::database::Database;
use crate::report::Report;
use crate::serving::ServingArgs;

#[derive(Debug, Parser)]
#[command(subcommand_negates_reqs = true)]
struct Args {
    /// A server on which a database may be made
    #[arg(long, env = "DATABASE_URL", required = true)]
    database_url: Option<String>,
    /// What is measured; everything, if nothing is named
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Few rounds, to see that it works
    #[arg(long)]
    quick: bool,
    /// How long the soak lasts, in minutes; a login and a session of it last an hour
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=50))]
    minutes: u64,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this process is, if not the one that measures.
#[derive(Debug, Subcommand)]
enum Role {
    /// The gateway: says its addresses, and ends when its input does
    #[command(hide = true)]
    Gateway(ServingArgs),
    /// A client with streams of kube's own into pods
    #[command(hide = true)]
    Attached {
        /// Leads to the pods
        #[arg(long)]
        kubeconfig: PathBuf,
        /// How many streams, after a few
        #[arg(long)]
        count: usize,
    },
    /// A shell that prints
    #[command(hide = true)]
    Shell {
        /// What is there once it may
        #[arg(long)]
        go: PathBuf,
        /// How many bytes
        #[arg(long)]
        length: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Echo, alone and among floods, and bulk.
    Speed,
    /// Memory and files of terminals: idle, stuck, attacked.
    Cost,
    /// Bulk and memory beside kube's own streams.
    Streams,
    /// An interrupt into a stalled terminal, and the end of a session.
    Ends,
    /// Both streams over many forced reconnects.
    Reconnects,
    /// Recorded shells whose process is killed, until another one reads them.
    ReadOn,
    /// A crowd for a while.
    Soak,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) keys: usize,
    pub(crate) bulks: usize,
    pub(crate) idle: usize,
    pub(crate) stuck: usize,
    pub(crate) ends: usize,
    pub(crate) reconnects: usize,
    pub(crate) read_on: usize,
    pub(crate) crowd: usize,
    pub(crate) soak: Duration,
}

impl Rounds {
    const FULL: Self = Self {
        keys: 3_000,
        bulks: 7,
        idle: 1_000,
        stuck: 50,
        ends: 200,
        reconnects: 1_000,
        read_on: 300,
        crowd: 1_000,
        soak: Duration::from_mins(20),
    };
    const QUICK: Self = Self {
        keys: 100,
        bulks: 2,
        idle: 50,
        stuck: 5,
        ends: 8,
        reconnects: 20,
        read_on: 20,
        crowd: 50,
        soak: Duration::from_secs(40),
    };

    const fn of(args: &Args) -> Self {
        if args.quick {
            return Self::QUICK;
        }
        Self {
            soak: Duration::from_mins(args.minutes),
            ..Self::FULL
        }
    }
}

fn main() {
    let args = Args::parse();
    if let Some(Role::Shell { go, length }) = &args.role {
        return keepers::print(go, *length);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(args));
}

async fn run(args: Args) {
    // Streams over TLS need one to be named.
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().unwrap();
    let rounds = Rounds::of(&args);
    match args.role {
        Some(Role::Gateway(args)) => serving::serve(args).await,
        Some(Role::Attached { kubeconfig, count }) => attached::hold(&kubeconfig, count).await,
        Some(Role::Shell { .. }) | None => {
            let database = Database::make(&args.database_url.unwrap_or_default()).await;
            measure(&args.only, &database, rounds).await;
            database.remove().await;
        }
    }
}

/// Each terminal has two sockets here: a browser's and an exec's.
fn allow_files() {
    let most = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

async fn measure(only: &[Part], database: &Database, rounds: Rounds) {
    allow_files();
    let mut report = Report::new();
    for part in Part::value_variants() {
        if !only.is_empty() && !only.contains(part) {
            continue;
        }
        match part {
            Part::Speed => speed::measure(database, rounds, &mut report).await,
            Part::Cost => cost::measure(database, rounds, &mut report).await,
            Part::Streams => streams::measure(database, rounds, &mut report).await,
            Part::Ends => ends::measure(database, rounds, &mut report).await,
            Part::Reconnects => reconnects::measure(database, rounds, &mut report).await,
            Part::ReadOn => takeover::measure(database, rounds, &mut report).await,
            Part::Soak => soak::measure(database, rounds, &mut report).await,
        }
    }
    report.end();
}
