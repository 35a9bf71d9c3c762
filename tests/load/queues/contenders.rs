//! Who takes part, how each is driven, and what was measured of it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::floor::Floor;
use crate::programs::{Done, Program, Starts};
use crate::report::{self, Report};
use crate::rounds::Figures;
use crate::server::{ask, run};
use crate::tools;

pub(crate) const CARREL: &str = "carrel";
const APALIS: &str = "apalis";
const GRAPHILE: &str = "graphile-worker";
const PG_BOSS: &str = "pg-boss";
const PROCRASTINATE: &str = "procrastinate";
const FLOOR: &str = "floor";
pub(crate) const NAMES: [&str; 6] = [CARREL, APALIS, GRAPHILE, PG_BOSS, PROCRASTINATE, FLOOR];

/// Beside what a verb measures: starting, connecting, stopping.
const MARGIN: Duration = Duration::from_mins(1);
/// The slowest takes 20 s for 200,000 jobs in calls of a thousand.
const ENQUEUING: Duration = Duration::from_mins(3);

pub(crate) struct Contender {
    /// The end of its database's name.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    means: Means,
    /// Counts the jobs that are not finished.
    unfinished: &'static str,
    pub(crate) figures: Figures,
}

enum Means {
    Program(Program),
    Floor(Floor),
}

impl Contender {
    pub(crate) const fn is_carrel(&self) -> bool {
        matches!(self.key.as_bytes(), [b'c', b'a', b'r', ..])
    }

    pub(crate) async fn setup(&self, url: &str) -> Result<()> {
        match &self.means {
            Means::Program(program) => {
                let _: serde_json::Value = program.run(url, "setup", MARGIN).await?;
                Ok(())
            }
            Means::Floor(floor) => floor.setup(url).await,
        }
    }

    /// `mode` is `single` or `batched`.
    pub(crate) async fn enqueue(&self, url: &str, mode: &str, count: u32) -> Result<Done> {
        match &self.means {
            Means::Program(program) => {
                let verb = format!("enqueue {mode} {count}");
                program.run(url, &verb, ENQUEUING).await
            }
            Means::Floor(floor) => floor.enqueue(url, mode, count).await,
        }
    }

    pub(crate) async fn drain(&self, url: &str, count: u32, cap: Duration) -> Result<Done> {
        match &self.means {
            Means::Program(program) => {
                let verb = format!("drain {count} {}", cap.as_secs());
                program.run(url, &verb, cap + MARGIN).await
            }
            Means::Floor(floor) => floor.drain(url, count, cap).await,
        }
    }

    /// `None` where nothing can flow beside what is measured.
    pub(crate) async fn latency(
        &self,
        url: &str,
        probes: u32,
        background: f64,
    ) -> Result<Option<Starts>> {
        match &self.means {
            Means::Program(program) => {
                let verb = format!("latency {probes} {background:.0}");
                let within = Duration::from_secs(u64::from(probes)) + MARGIN;
                program.run(url, &verb, within).await.map(Some)
            }
            Means::Floor(_) if background > 0.0 => Ok(None),
            Means::Floor(floor) => floor.latency(url, probes).await.map(Some),
        }
    }

    /// Statistics and visibility as a database has them that is in use.
    pub(crate) async fn settle(&self, url: &str) -> Result<()> {
        run(&mut PgConnection::connect(url).await?, "VACUUM ANALYZE").await
    }

    pub(crate) async fn unfinished(&self, url: &str) -> Result<i64> {
        let mut conn = PgConnection::connect(url).await?;
        Ok(ask(&mut conn, self.unfinished).await?.try_get(0)?)
    }
}

/// Makes ready whoever was named, or all. Who cannot take part is told of and left out.
pub(crate) async fn field(only: &[String], report: &mut Report) -> Vec<Contender> {
    let mut field = Vec::new();
    for name in NAMES {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        report::progress(&format!("preparing {name}"));
        match prepare(name).await {
            Ok(contenders) => field.extend(contenders),
            Err(why) => report.note(format!("{name} is left out: {why:#}")),
        }
    }
    field
}

async fn prepare(name: &str) -> Result<Vec<Contender>> {
    Ok(match name {
        CARREL => vec![
            Contender::carrel("carrel_20", "Carrel, 20 slots", carrel("20")?),
            Contender::carrel("carrel_100", "Carrel, 100 slots", carrel("100")?),
        ],
        APALIS => {
            let path = tools::stock_apalis().await?;
            let words = Vec::new();
            vec![Contender::new(
                "apalis",
                "apalis-postgres 1.0.0, 10 at once",
                Means::Program(Program { path, words }),
                "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'",
            )]
        }
        GRAPHILE => vec![
            graphile(
                "graphile_plain",
                "graphile-worker 0.17.3, 10 at once",
                "plain",
            )
            .await?,
            graphile(
                "graphile_tuned",
                "graphile-worker 0.17.3, 24, local queue",
                "tuned",
            )
            .await?,
        ],
        PG_BOSS => vec![Contender::new(
            "pg_boss",
            "pg-boss 10.4.2, batches of 100",
            Means::Program(node("pg-boss.mjs", &[]).await?),
            "SELECT count(*) FROM pgboss.job WHERE name = 'nothing' AND state <> 'completed'",
        )],
        PROCRASTINATE => {
            let path = tools::python().await?;
            let script = tools::source("python/contender.py");
            let words = vec![script.display().to_string()];
            vec![Contender::new(
                "procrastinate",
                "procrastinate 3.10.0, 10 at once",
                Means::Program(Program { path, words }),
                "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
            )]
        }
        _ => vec![Contender::new(
            "floor",
            "floor: pgbench, 8 clients",
            Means::Floor(Floor {
                pgbench: tools::pgbench().await?,
                notify: carrel("1")?,
            }),
            "SELECT count(*) FROM jobs WHERE state <> 'done'",
        )],
    })
}

/// This very program, in the role of a contender.
fn carrel(slots: &str) -> Result<Program> {
    Ok(Program {
        path: std::env::current_exe().context("find this program")?,
        words: vec!["carrel".to_owned(), slots.to_owned()],
    })
}

async fn graphile(key: &'static str, title: &'static str, variant: &str) -> Result<Contender> {
    Ok(Contender::new(
        key,
        title,
        Means::Program(node("graphile-worker.mjs", &[variant]).await?),
        "SELECT count(*) FROM graphile_worker._private_jobs",
    ))
}

async fn node(script: &str, words: &[&str]) -> Result<Program> {
    let script = tools::node().await?.join(script).display().to_string();
    let words = words.iter().map(|&word| word.to_owned());
    Ok(Program {
        path: "node".into(),
        words: std::iter::once(script).chain(words).collect(),
    })
}

impl Contender {
    fn new(key: &'static str, title: &'static str, means: Means, unfinished: &'static str) -> Self {
        let figures = Figures::default();
        Self {
            key,
            title,
            means,
            unfinished,
            figures,
        }
    }

    fn carrel(key: &'static str, title: &'static str, program: Program) -> Self {
        let unfinished = "SELECT count(*) FROM jobs WHERE state <> 'done'";
        Self::new(key, title, Means::Program(program), unfinished)
    }
}
