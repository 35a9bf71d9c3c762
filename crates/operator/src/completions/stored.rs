//! The names in the database, if it gives them in time.

use std::thread;
use std::time::Duration;

use command_line::read_within;
use execution_environment::{StoreError, list_exams};
use job_queue::{
    DeadGroup, JobFilter, NAMES_MOST, kind_names, list_dead_groups, queue_names, schedule_names,
    worker_names,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::names::Names;
use super::word::Word;

/// Reads the names; `None` where the database is away, refuses, has no tables, or takes too long for
/// somebody whose line stands still meanwhile.
///
/// A thread of its own does it, which the end of the process ends: looking up a host's name cannot be
/// given up, and the end of a runtime would wait for it.
pub(super) async fn read_in_time(
    options: PgConnectOptions,
    names: Names,
    budget: Duration,
) -> Option<Vec<Word>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.ok()?;
    let (tell, told) = oneshot::channel();
    let reading = move || {
        let read = runtime.block_on(read(&options, names, budget));
        // Whoever asked may have stopped listening.
        tell.send(read.ok()).ok();
    };
    thread::Builder::new().spawn(reading).ok()?;
    timeout(budget, told).await.ok()?.ok()?
}

async fn read(
    options: &PgConnectOptions,
    names: Names,
    budget: Duration,
) -> Result<Vec<Word>, sqlx::Error> {
    let mut connection = options
        .clone()
        .disable_statement_logging()
        .connect()
        .await?;
    // Told to the server as well, which does not see that nobody waits any more.
    read_within(&mut connection, budget, async |it| stored(it, names).await).await
}

async fn stored(connection: &mut PgConnection, names: Names) -> Result<Vec<Word>, sqlx::Error> {
    let texts = match names {
        Names::Queues => queue_names(connection).await?,
        Names::Kinds => kind_names(connection).await?,
        Names::Workers => worker_names(connection).await?,
        Names::Schedules => schedule_names(connection).await?,
        Names::Exams => return exams(connection).await,
        Names::Groups => return groups(connection).await,
    };
    Ok(texts.into_iter().map(Word::bare).collect())
}

async fn exams(connection: &mut PgConnection) -> Result<Vec<Word>, sqlx::Error> {
    let exams = list_exams(connection).await.map_err(|error| match error {
        StoreError::Database(source) => source,
        inconsistent @ StoreError::Inconsistent { .. } => sqlx::Error::Decode(inconsistent.into()),
    })?;
    Ok(exams
        .into_iter()
        .map(|exam| Word::new(exam.name, exam.title))
        .collect())
}

/// Their reasons are left out: they are long, and quote what failed.
async fn groups(connection: &mut PgConnection) -> Result<Vec<Word>, sqlx::Error> {
    let groups = list_dead_groups(connection, &JobFilter::default(), NAMES_MOST).await?;
    let word = |group: DeadGroup| {
        let class = group.class.as_deref().unwrap_or("-");
        Word::new(
            group.group,
            format!("{} {} {class}", group.count, group.kind),
        )
    };
    Ok(groups.into_iter().map(word).collect())
}
