//! Whether jobs are being worked on.

use chrono::{DateTime, TimeDelta, Utc};
use command_line::{CliError, counted};
use job_queue::{
    DatabaseHealth, JobFilter, JobRecord, JobState, QueueStatus, WorkerRecord,
    find_unhandled_kinds, list_jobs, list_queues,
};
use session_identity::JobId;
use sqlx::PgConnection;

use super::facts::{live_workers, server_time};
use super::report::Check;

/// A lease that ran out is taken over within a poll; this long it lies only where nobody polls.
const LEASE_GRACE: TimeDelta = TimeDelta::seconds(15);
/// A worker holds until it has looked at its runtime, which may take its time to answer.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(45);
/// Jobs that one look reads.
const PAGE: i64 = 500;

/// Finds queues whose work nobody would take.
pub(super) async fn queues(connection: &mut PgConnection) -> Result<Check, CliError> {
    let live = live_workers(connection).await?;
    let queues = list_queues(connection).await?;
    let now = server_time(connection).await?;
    let holding = live.iter().filter_map(|worker| holding(worker, now));
    let starving = queues.iter().filter_map(|queue| starving(queue, &live));
    let found: Vec<_> = holding.chain(starving).collect();
    let workers = counted(live.len(), "live worker");
    let good = format!("{}, {workers}", counted(queues.len(), "queue"));
    let next = "mend what a worker holds for, and it goes on by itself; carrel workers undrain <worker> \
                --as <you>; where none lives, start carrel-worker for these queues";
    Ok(Check::of_findings("queues", &good, &found, next))
}

fn holding(worker: &WorkerRecord, now: DateTime<Utc>) -> Option<String> {
    let name = &worker.name;
    if let Some(by) = &worker.drain_requested_by {
        return Some(format!("worker {name} claims nothing: drained by {by}"));
    }
    let reason = worker.holds_because.as_ref()?;
    let kinds = worker.held_kinds.join(", ");
    let has_looked = now - worker.started_at > FIRST_LOOK;
    has_looked.then(|| format!("worker {name} takes no {kinds}: {reason}"))
}

/// A worker that is held or drained has a finding of its own.
fn starving(queue: &QueueStatus, live: &[WorkerRecord]) -> Option<String> {
    let served = live
        .iter()
        .any(|worker| worker.queues.contains(&queue.name));
    if queue.ready == 0 || served {
        return None;
    }
    let waited = queue.oldest_ready_seconds.unwrap_or_default();
    let (name, ready) = (&queue.name, counted(queue.ready, "ready job"));
    Some(format!(
        "{name} has {ready} (the oldest for {waited:.0} s) and no live worker"
    ))
}

/// Finds jobs that no worker of their queue reads, such as those of a kind that was removed. Queues
/// without any worker have a finding of their own.
pub(super) async fn handlers(connection: &mut PgConnection) -> Result<Check, CliError> {
    let live = live_workers(connection).await?;
    let unhandled = find_unhandled_kinds(connection).await?;
    let is_served = |queue: &String| live.iter().any(|worker| worker.queues.contains(queue));
    let found = unhandled.iter().filter(|row| is_served(&row.queue));
    let found: Vec<_> = found
        .map(|row| {
            let jobs = counted(row.jobs, "due job");
            format!(
                "{jobs} of kind {} in {}: no live worker reads them",
                row.kind, row.queue
            )
        })
        .collect();
    let next = "start a worker of the release that enqueued them, or carrel jobs cancel --queue <queue> \
                --kind <kind>";
    let good = "every due job has one";
    Ok(Check::of_findings("handlers", good, &found, next))
}

/// Finds runs whose worker is gone and that nobody took over, and those whose worker nobody knows.
pub(super) async fn leases(
    connection: &mut PgConnection,
    health: &DatabaseHealth,
) -> Result<Check, CliError> {
    let now = server_time(connection).await?;
    let running = running_jobs(connection).await?;
    let expired = running.iter().filter_map(|job| {
        let until = job.lease_until.filter(|until| *until + LEASE_GRACE < now)?;
        Some(format!(
            "{} {} lost its worker {} s ago",
            job.kind,
            job.id,
            (now - until).num_seconds()
        ))
    });
    let unknown = (health.unknown_leases > 0).then(|| {
        let jobs = counted(health.unknown_leases, "running job");
        format!("{jobs} held by workers that are not known or have ended")
    });
    let expired: Vec<_> = expired.chain(unknown).collect();
    let jobs = counted(running.len(), "running job");
    let good = format!("{jobs}, each with its lease");
    Ok(Check::of_findings(
        "leases",
        &good,
        &expired,
        "start carrel-worker: it takes them over",
    ))
}

/// Reads every running job, page by page: no more than there are slots.
async fn running_jobs(connection: &mut PgConnection) -> Result<Vec<JobRecord>, CliError> {
    let running = JobFilter {
        state: Some(JobState::Running),
        ..JobFilter::default()
    };
    let mut jobs = Vec::new();
    loop {
        let after = jobs.last().map(|job: &JobRecord| JobId::from_uuid(job.id));
        let page = list_jobs(connection, &running, after, PAGE).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|read| read < PAGE);
        jobs.extend(page);
        if is_last {
            return Ok(jobs);
        }
    }
}

/// Finds jobs that were given up.
pub(super) async fn dead_jobs(connection: &mut PgConnection) -> Result<Check, CliError> {
    let queues = list_queues(connection).await?;
    let dead = queues.iter().filter(|queue| queue.dead > 0);
    let dead: Vec<_> = dead
        .map(|queue| format!("{} in {}", queue.dead, queue.name))
        .collect();
    let next = "carrel jobs list --state dead, then carrel jobs retry <id> --as <you>";
    Ok(Check::of_findings("dead_jobs", "none", &dead, next))
}
