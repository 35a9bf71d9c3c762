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

mod cost;
mod database;
mod direct;
mod ends;
mod gateway;
mod keeper;
mod reconnects;
mod report;
mod speed;

#[path = "../../tests/attach/browser.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod browser;
#[path = "../../tests/attach/door.rs"]
mod door;
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
mod steady;

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};

use crate::database::Database;
use crate::report::Report;

#[derive(Debug, Parser)]
struct Args {
    /// A server on which a database may be made.
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    /// What is measured; everything, if nothing is named.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Few rounds, to see that it works.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this process is, if not the one that measures.
#[derive(Debug, Subcommand)]
enum Role {
    /// The gateway: says its address, and ends when its input does.
    #[command(hide = true)]
    Gateway {
        #[arg(long)]
        keeper: SocketAddr,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Echo, alone and among floods, and bulk.
    Speed,
    /// Memory and files of terminals: idle, stuck, attacked.
    Cost,
    /// An interrupt into a stalled terminal, and the end of a session.
    Ends,
    /// Both streams over many forced reconnects.
    Reconnects,
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
}

impl Rounds {
    const FULL: Self = Self {
        keys: 3_000,
        bulks: 7,
        idle: 1_000,
        stuck: 50,
        ends: 200,
        reconnects: 1_000,
    };
    const QUICK: Self = Self {
        keys: 100,
        bulks: 2,
        idle: 50,
        stuck: 5,
        ends: 8,
        reconnects: 20,
    };
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args = Args::parse();
    if let Some(Role::Gateway { keeper }) = args.role {
        return gateway::serve(&args.database_url, keeper).await;
    }
    let database = Database::make(&args.database_url).await;
    let rounds = if args.quick {
        Rounds::QUICK
    } else {
        Rounds::FULL
    };
    let mut report = Report::new();
    for part in Part::value_variants() {
        if !args.only.is_empty() && !args.only.contains(part) {
            continue;
        }
        match part {
            Part::Speed => speed::measure(&database, rounds, &mut report).await,
            Part::Cost => cost::measure(&database, rounds, &mut report).await,
            Part::Ends => ends::measure(&database, rounds, &mut report).await,
            Part::Reconnects => reconnects::measure(&database, rounds, &mut report).await,
        }
    }
    report.end();
    database.remove().await;
}
