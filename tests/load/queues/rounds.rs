//! The order of measuring: contenders take turns, each in databases that are new.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::contenders::Contender;
use crate::programs::Done;
use crate::report::Report;
use crate::server::Server;

/// The part of what a queue can run that flows while starts are timed.
const LOAD: f64 = 0.3;

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) backlogs: Vec<u32>,
    pub(crate) rounds: u32,
    /// Starts that are timed in each round.
    pub(crate) probes: u32,
    /// Jobs enqueued one by one.
    pub(crate) singles: u32,
    pub(crate) cap: Duration,
    /// After this nothing more is begun.
    pub(crate) end: Instant,
}

/// What was measured of one contender over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Jobs a second.
    pub(crate) singles: Vec<f64>,
    pub(crate) batched: Vec<f64>,
    pub(crate) drains: Vec<Drained>,
    /// Milliseconds.
    pub(crate) idle: Vec<f64>,
    pub(crate) loaded: Vec<f64>,
    /// Jobs a second that flowed beside.
    pub(crate) background: Vec<f64>,
}

/// One backlog, drained or cut off.
#[derive(Debug)]
pub(crate) struct Drained {
    pub(crate) backlog: u32,
    pub(crate) done: Done,
    /// Of the server's processes, for each job, in seconds.
    pub(crate) server_cpu: Option<f64>,
    /// In statements, for each job, in milliseconds.
    pub(crate) statements: Option<f64>,
}

impl Drained {
    pub(crate) const fn is_cut_off(&self) -> bool {
        self.done.jobs < self.backlog
    }
}

/// Measures what is cheap in every round and the larger backlogs once.
pub(crate) async fn measure(
    server: &mut Server,
    field: &mut [Contender],
    bounds: &Bounds,
    report: &mut Report,
) -> Result<()> {
    for round in 1..=bounds.rounds {
        for contender in &mut *field {
            let what = format!("round {round}: {}", contender.title);
            if report.begins(&what, bounds.end) {
                let measured = take_turn(server, contender, bounds).await;
                report.note_failure(&what, measured);
            }
        }
        if round == 1 {
            drain_larger(server, field, bounds, report).await;
        }
    }
    for contender in field {
        server.drop_database(contender.key).await?;
    }
    Ok(())
}

async fn drain_larger(
    server: &mut Server,
    field: &mut [Contender],
    bounds: &Bounds,
    report: &mut Report,
) {
    for &backlog in bounds.backlogs.iter().skip(1) {
        for contender in &mut *field {
            let what = format!("{backlog} jobs: {}", contender.title);
            if report.begins(&what, bounds.end) {
                let measured = drain_new(server, contender, backlog, bounds.cap).await;
                report.note_failure(&what, measured.map(|_| ()));
            }
        }
    }
}

async fn take_turn(server: &mut Server, contender: &mut Contender, bounds: &Bounds) -> Result<()> {
    let Some(&backlog) = bounds.backlogs.first() else {
        return Ok(());
    };
    let rate = drain_new(server, contender, backlog, bounds.cap).await?;
    let url = server.fresh(contender.key).await?;
    contender.setup(&url).await?;
    server.checkpoint().await?;
    let singles = contender.enqueue(&url, "single", bounds.singles).await?;
    contender.figures.singles.push(singles.rate());
    // Starts are timed in a database that has been used and knows its statistics.
    contender.settle(&url).await?;
    contender.drain(&url, singles.jobs, bounds.cap).await?;
    contender.settle(&url).await?;
    server.checkpoint().await?;
    if let Some(starts) = contender.latency(&url, bounds.probes, 0.0).await? {
        contender.figures.idle.extend(starts.millis);
    }
    let load = (rate * LOAD).max(1.0);
    if let Some(starts) = contender.latency(&url, bounds.probes, load).await? {
        contender.figures.loaded.extend(starts.millis);
        contender.figures.background.push(starts.background);
    }
    Ok(())
}

/// Fills a new database and drains it, and returns the rate of the latter.
async fn drain_new(
    server: &mut Server,
    contender: &mut Contender,
    backlog: u32,
    cap: Duration,
) -> Result<f64> {
    let url = server.fresh(contender.key).await?;
    contender.setup(&url).await?;
    server.checkpoint().await?;
    let filled = contender.enqueue(&url, "batched", backlog).await?;
    contender.figures.batched.push(filled.rate());
    contender.settle(&url).await?;
    server.checkpoint().await?;
    let cpu = server.cpu_seconds();
    let statements = server.statement_millis(contender.key).await?;
    let done = contender.drain(&url, backlog, cap).await?;
    ensure!(done.jobs > 0, "nothing was run within {cap:?}");
    let each =
        |before: Option<f64>, after: Option<f64>| Some((after? - before?) / f64::from(done.jobs));
    let drained = Drained {
        backlog,
        done,
        server_cpu: each(cpu, server.cpu_seconds()),
        statements: each(statements, server.statement_millis(contender.key).await?),
    };
    let left = contender.unfinished(&url).await?;
    ensure!(
        drained.is_cut_off() || left == 0,
        "{left} of {backlog} jobs are said to be done and are not"
    );
    contender.figures.drains.push(drained);
    Ok(done.rate())
}
