//! `carrel bench`: what this queue does on this database, with its own code alone.

mod measure;

use std::time::Duration;

use clap::{Args, ValueEnum};
use command_line::{CliError, DirectDatabaseArgs, Document, GlobalArgs};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use measure::{Bench, BenchError, QUEUE, Starts};

/// Measures the queue on an empty database: enqueueing, running and starting.
///
/// It writes its own jobs and deletes them at the end, those of an interrupted one before it begins.
/// Nothing else may be in the table, since figures beside other work say nothing, and work beside a
/// benchmark suffers.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// How much is measured, where no number says otherwise.
    #[arg(long, value_enum, default_value = "standard")]
    profile: Profile,
    /// No-op jobs to enqueue and to run, 1,000 to 1,000,000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    jobs: Option<u32>,
    /// Jobs run at once, 1 to 1000.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    slots: Option<u16>,
    /// Starts on an idle worker to time, 10 to 10,000, about 20 a second.
    #[arg(long, value_parser = clap::value_parser!(u16).range(10..=10_000))]
    probes: Option<u16>,
    /// Where its worker listens.
    #[command(flatten)]
    direct: DirectDatabaseArgs,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    /// Seconds: 2,000 jobs, 20 at once, 40 starts
    Quick,
    /// 20,000 jobs, 100 at once, 200 starts
    Standard,
    /// Minutes, figures to publish: 200,000 jobs, 100 at once, 2,000 starts
    Thorough,
}

/// The numbers of a measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    jobs: u32,
    slots: u16,
    probes: u16,
}

impl Profile {
    const fn size(self) -> Size {
        let (jobs, slots, probes) = match self {
            Self::Quick => (2_000, 20, 40),
            Self::Standard => (20_000, 100, 200),
            Self::Thorough => (200_000, 100, 2_000),
        };
        Size {
            jobs,
            slots,
            probes,
        }
    }
}

/// What decides how fast a server commits.
#[derive(Debug, Serialize)]
struct ServerFacts {
    version: String,
    fsync: String,
    synchronous_commit: String,
    shared_buffers: String,
}

impl BenchArgs {
    /// Measures and tells.
    ///
    /// # Errors
    /// A conflict where the table holds jobs; whatever the database says.
    pub async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let direct = self.direct.options(&globals.database)?;
        let server = prepare(&mut *pool.acquire().await?).await?;
        let size = self.size();
        let bench = Bench::new(pool.clone(), direct, usize::from(size.slots));
        let measured = measure(size, &bench).await;
        let cleared = clear(&mut *pool.acquire().await?).await;
        let (enqueue_one, enqueue_many, run, starts) = measured?;
        cleared?;
        let data = json!({
            "jobs": size.jobs, "slots": size.slots, "probes": size.probes,
            "enqueued_one_by_one_per_second": enqueue_one,
            "enqueued_in_batches_per_second": enqueue_many,
            "run_per_second": run,
            "idle_start_milliseconds": starts,
            "server": server,
        });
        let Starts { p50, p99, max } = starts;
        let text = format!(
            "enqueued one by one   {enqueue_one:>10.0} /s\n\
             enqueued in batches   {enqueue_many:>10.0} /s\n\
             run, {:>4} at once    {run:>10.0} /s\n\
             enqueue to start, idle  p50 {p50:.1} ms  p99 {p99:.1} ms  max {max:.1} ms\n\
             PostgreSQL {}, fsync {}, synchronous_commit {}, shared_buffers {}",
            size.slots,
            server.version,
            server.fsync,
            server.synchronous_commit,
            server.shared_buffers,
        );
        Ok(Document::new("job-queue/bench.v1", data).with_text(text))
    }

    fn size(&self) -> Size {
        let usual = self.profile.size();
        Size {
            jobs: self.jobs.unwrap_or(usual.jobs),
            slots: self.slots.unwrap_or(usual.slots),
            probes: self.probes.unwrap_or(usual.probes),
        }
    }
}

async fn measure(size: Size, bench: &Bench) -> Result<(f64, f64, f64, Starts), BenchError> {
    // A commit each: a tenth is enough to tell, and two seconds are.
    let one_by_one = bench
        .enqueue_one_by_one(size.jobs / 10, Duration::from_secs(2))
        .await?;
    let in_batches = bench.enqueue_in_batches(size.jobs).await?;
    let run = bench.run_all().await?;
    let starts = bench.idle_starts(size.probes).await?;
    Ok((one_by_one, in_batches, run, starts))
}

/// Makes sure that nobody else's jobs are there, and none of an earlier measuring.
async fn prepare(connection: &mut PgConnection) -> Result<ServerFacts, CliError> {
    clear(connection).await?;
    let is_used = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM jobs) AS "is_used!""#)
        .fetch_one(&mut *connection)
        .await?;
    if is_used {
        return Err(CliError::conflict("measure a database that holds jobs")
            .next("name an empty one with --database-url, and carrel migrate up"));
    }
    Ok(server_facts(connection).await?)
}

async fn server_facts(connection: &mut PgConnection) -> Result<ServerFacts, sqlx::Error> {
    sqlx::query_as!(
        ServerFacts,
        r#"SELECT current_setting('server_version') AS "version!",
                  current_setting('fsync') AS "fsync!",
                  current_setting('synchronous_commit') AS "synchronous_commit!",
                  current_setting('shared_buffers') AS "shared_buffers!""#,
    )
    .fetch_one(connection)
    .await
}

/// Only its own: another may have begun to work meanwhile.
async fn clear(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH mine AS (DELETE FROM jobs WHERE queue = $1 RETURNING id)
         DELETE FROM job_attempts WHERE job_id IN (SELECT id FROM mine)",
        QUEUE,
    )
    .execute(connection)
    .await?;
    Ok(())
}
