//! What the server itself allows: pgbench claims one job by one statement and marks it done by
//! another, and a bare NOTIFY wakes a listener.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::process::Command;

use crate::machine::ended_children_cpu_seconds;
use crate::programs::{Done, Program, Starts};
use crate::server::{ask, run};
use crate::tools::source;

const CLIENTS: u32 = 8;
const BATCH: u32 = 1000;
const ENQUEUING: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) pgbench: PathBuf,
    /// Carrel's contender, for the bare notifications.
    pub(crate) notify: Program,
}

impl Floor {
    pub(crate) async fn setup(&self, url: &str) -> Result<()> {
        let mut conn = PgConnection::connect(url).await?;
        run(&mut conn, include_str!("pgbench/schema.sql")).await
    }

    pub(crate) async fn enqueue(&self, url: &str, mode: &str, count: u32) -> Result<Done> {
        let calls = if mode == "single" {
            count
        } else {
            count.div_ceil(BATCH)
        };
        let script = format!("pgbench/{mode}.sql");
        self.bench(url, &script, 1, calls, ENQUEUING).await
    }

    /// Ends early where nothing is left, and is ended at the cap.
    pub(crate) async fn drain(&self, url: &str, count: u32, cap: Duration) -> Result<Done> {
        let calls = count.div_ceil(CLIENTS);
        self.bench(url, "pgbench/claim.sql", CLIENTS, calls, cap)
            .await
    }

    pub(crate) async fn latency(&self, url: &str, probes: u32) -> Result<Starts> {
        let within = Duration::from_mins(2);
        self.notify
            .run(url, &format!("notify {probes}"), within)
            .await
    }

    /// So many calls by each client; what was done is counted in the table.
    async fn bench(
        &self,
        url: &str,
        script: &str,
        clients: u32,
        calls: u32,
        within: Duration,
    ) -> Result<Done> {
        let mut command = Command::new(&self.pgbench);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--transactions={calls}"))
            .arg("--file")
            .arg(source(script))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let (begun, cpu) = (Instant::now(), ended_children_cpu_seconds());
        let mut child = command.spawn().context("start pgbench")?;
        match tokio::time::timeout(within, child.wait()).await {
            Ok(ended) => ensure!(ended?.success(), "pgbench failed with {script}"),
            Err(_) => child.kill().await?,
        }
        let (seconds, cpu_seconds) = (
            begun.elapsed().as_secs_f64(),
            ended_children_cpu_seconds() - cpu,
        );
        let state = if clients == 1 { "ready" } else { "done" };
        let mut conn = PgConnection::connect(url).await?;
        let counted = format!("SELECT count(*) FROM jobs WHERE state = '{state}'");
        let jobs: i64 = ask(&mut conn, &counted).await?.try_get(0)?;
        Ok(Done {
            jobs: u32::try_from(jobs)?,
            seconds,
            cpu_seconds,
        })
    }
}
