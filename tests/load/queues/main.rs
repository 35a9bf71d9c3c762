//! Measures Carrel's queue beside others on one PostgreSQL in one run, and prints tables in Markdown.

mod carrel;
mod claims;
mod contenders;
mod contract;
mod floor;
mod machine;
mod measures;
mod programs;
mod report;
mod rounds;
mod server;
mod tools;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use self::report::Report;
use self::rounds::Bounds;
use self::server::Server;

/// Compares queues on the PostgreSQL that `DATABASE_URL` names, as its superuser.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Address of the server, with the right to create databases. Those it creates begin with
    /// `queues_bench_` and are dropped again.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Backlogs that are drained, in jobs; the first in every round, the others after round one.
    #[arg(long, value_delimiter = ',', default_values_t = [20_000, 200_000])]
    jobs: Vec<u32>,
    /// Contenders to measure; all, if none is named. Ratios need Carrel among them.
    #[arg(long, value_delimiter = ',', value_parser = contenders::NAMES)]
    only: Vec<String>,
    /// Rounds of what is cheap; contenders take turns within each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Jobs whose start is timed, over all rounds, on an idle worker and again under load.
    #[arg(long, default_value_t = 300)]
    probes: u32,
    /// Seconds after which a drain is cut off; its rate is then that of what it did.
    #[arg(long, default_value_t = 60)]
    cap: u64,
    /// Minutes after which nothing more is begun.
    #[arg(long, default_value_t = 25)]
    minutes: u64,
    /// A smoke of about a minute: one round, a small backlog, and fsync may be off.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Subcommand)]
enum Role {
    /// Carrel's contender, started by the harness in a process of its own.
    #[command(hide = true)]
    Carrel {
        slots: usize,
        #[arg(trailing_var_arg = true)]
        words: Vec<String>,
    },
}

impl Args {
    fn bounds(&self) -> Bounds {
        let begun = Instant::now();
        if self.quick {
            return Bounds {
                backlogs: vec![2_000],
                rounds: 1,
                probes: 20,
                singles: 200,
                cap: Duration::from_secs(5),
                end: begun + Duration::from_mins(2),
            };
        }
        Bounds {
            backlogs: self.jobs.clone(),
            rounds: self.rounds,
            probes: self.probes.div_ceil(self.rounds),
            singles: 2_000,
            cap: Duration::from_secs(self.cap),
            end: begun + Duration::from_mins(self.minutes),
        }
    }

    /// The same once more, without the address, which may hold a password.
    fn words(&self) -> String {
        let jobs: Vec<String> = self.jobs.iter().map(u32::to_string).collect();
        let mut words = format!(
            "--jobs {} --rounds {} --probes {} --cap {} --minutes {}",
            jobs.join(","),
            self.rounds,
            self.probes,
            self.cap,
            self.minutes
        );
        if !self.only.is_empty() {
            words = format!("{words} --only {}", self.only.join(","));
        }
        if self.quick {
            words.push_str(" --quick");
        }
        words
    }

    fn claim_sizes(&self) -> &'static [claims::Size] {
        let is_carrel_measured =
            self.only.is_empty() || self.only.iter().any(|name| name == contenders::CARREL);
        match (is_carrel_measured, self.quick) {
            (false, _) => &[],
            (true, true) => &claims::SIZES[..1],
            (true, false) => &claims::SIZES,
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let args = Args::parse();
    match &args.role {
        Some(Role::Carrel { slots, words }) => {
            let measured = carrel::run(&args.database_url, *slots, words).await;
            report::print(&measured.map_err(anyhow::Error::from_boxed)?.to_string());
            Ok(())
        }
        None => Box::pin(measure(&args)).await,
    }
}

async fn measure(args: &Args) -> Result<()> {
    ensure!(!args.jobs.is_empty(), "--jobs names no backlog");
    let mut server = Server::connect(&args.database_url).await?;
    let mut report = Report::new(machine::load_average());
    doubt(&mut server, args, &mut report).await?;
    // Compiling and installing is no part of what is measured, nor of its time.
    let mut field = contenders::field(&args.only, &mut report).await;
    ensure!(!field.is_empty(), "nobody can take part");
    let bounds = args.bounds();
    // Before the rounds, of which some may be left out for want of time.
    let claims = claims::measure(&mut server, args.claim_sizes(), bounds.end, &mut report).await?;
    rounds::measure(&mut server, &mut field, &bounds, &mut report).await?;
    report::tables(&field, &bounds);
    if !args.claim_sizes().is_empty() {
        report::below("Carrel's claim of 10 jobs", &claims);
    }
    report.notes();
    report::below(
        "The machine",
        &machine::facts(&mut server, &args.words()).await?,
    );
    Ok(())
}

/// Refuses what would make all figures meaningless, except for a smoke, and tells of what is missing.
async fn doubt(server: &mut Server, args: &Args, report: &mut Report) -> Result<()> {
    let doubts = [
        (
            !server.is_durable().await?,
            "fsync is off, so that commits cost nothing",
        ),
        (cfg!(debug_assertions), "Carrel is not built with --release"),
    ];
    for (_, doubt) in doubts.iter().filter(|(is_so, _)| *is_so) {
        ensure!(
            args.quick,
            "{doubt}: nothing would be compared; a smoke (--quick) may run"
        );
        report.note(format!("**A smoke, whose figures mean nothing: {doubt}.**"));
    }
    if !server.sees_cpu() {
        report
            .note("PostgreSQL's CPU is left out: its processes are not this machine's".to_owned());
    }
    if !server.sees_statements() {
        report.note("Database time is left out: pg_stat_statements is not preloaded".to_owned());
    }
    Ok(())
}
