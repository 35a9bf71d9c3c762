//! Whether sessions and environments move on, and whether the sweeps that see to it run.

use chrono::{DateTime, TimeDelta, Utc};
use cleanup_ttl::ExpiryPolicy;
use command_line::{CliError, counted};
use execution_environment::{EnvironmentState, find_not_gone};
use job_queue::{ScheduleRecord, list_schedules};
use orchestrator::unclaimed;
use session_lifecycle::{SessionFilter, SessionState, cli::cli_error, list_sessions};
use sqlx::PgConnection;

use super::facts::{live_workers, server_time, store};
use super::report::Check;

/// The sweeps that every installation runs.
const SWEEPS: [&str; 6] = [
    "sweep_expired",
    "sweep_stuck",
    "sweep_teardowns",
    "sweep_runtime",
    "sweep_attachments",
    "sweep_history",
];
/// A sweep that is late by this is not merely between two ticks.
const LATE_SECONDS: f64 = 60.0;
/// The sweep of stuck sessions comes every few seconds.
const STARTUP_GRACE: TimeDelta = TimeDelta::seconds(30);
/// A teardown takes seconds.
const TEARDOWN: TimeDelta = TimeDelta::minutes(5);
const LOOK_AT: i64 = 10_000;

/// Finds sessions that should have become ready or failed by now, and those that nobody has begun to
/// prepare, with the reason.
pub(super) async fn startup(connection: &mut PgConnection) -> Result<Check, CliError> {
    let now = server_time(connection).await?;
    let starting = SessionFilter {
        states: vec![SessionState::Created, SessionState::Initializing],
        ..SessionFilter::default()
    };
    let starting = list_sessions(connection, &starting, LOOK_AT).await;
    let starting = starting.map_err(|error| cli_error(error.class(), error.code(), &error))?;
    let stuck = starting
        .iter()
        .filter(|session| session.ready_by + STARTUP_GRACE < now);
    let mut stuck: Vec<_> = stuck
        .map(|session| {
            format!(
                "{} is {} past its startup budget",
                session.id, session.state
            )
        })
        .collect();
    let waiting = unclaimed(connection, &ExpiryPolicy::default()).await;
    let waiting = waiting.map_err(|error| cli_error(error.class(), "startup", &error))?;
    stuck.extend(waiting.into_iter().map(|one| {
        let (id, seconds, why) = (one.session_id, one.waits_seconds, one.why.join("; "));
        format!("{id} has waited {seconds} s for somebody to begin: {why}")
    }));
    let sessions = counted(starting.len(), "session");
    let good = format!("{sessions} starting, each within its budget");
    let next = "carrel sessions show <id>; the stuck sweep of a running carrel-worker fails them";
    Ok(Check::of_findings("startup", &good, &stuck, next))
}

/// Finds environments whose destruction hangs.
pub(super) async fn teardown(connection: &mut PgConnection) -> Result<Check, CliError> {
    let now = server_time(connection).await?;
    let there = find_not_gone(connection, LOOK_AT).await.map_err(store)?;
    let hanging = there
        .iter()
        .filter(|row| row.state == EnvironmentState::Destroying);
    let hanging = hanging.filter_map(|row| {
        let since = row.destroying_at?;
        // What is known to be blocked is told at once: waiting does not mend it.
        if row.cleanup_blocked.is_none() && since + TEARDOWN >= now {
            return None;
        }
        let minutes = (now - since).num_minutes();
        let waits = row
            .cleanup_blocked
            .map(|cause| format!(": cleanup_blocked({cause})"));
        Some(format!(
            "that of session {} has been going for {minutes} min{}",
            row.session_id,
            waits.unwrap_or_default()
        ))
    });
    let hanging: Vec<_> = hanging.collect();
    let good = format!("{}, none stuck", counted(there.len(), "environment"));
    let next = "carrel jobs list --kind destroy_environment --session <id>";
    Ok(Check::of_findings("teardown", &good, &hanging, next))
}

/// Finds sweeps that nobody runs. A worker that has only just started may yet begin them.
pub(super) async fn ticking(connection: &mut PgConnection) -> Result<Check, CliError> {
    let now = server_time(connection).await?;
    let workers = live_workers(connection).await?;
    let since = workers.iter().map(|worker| worker.started_at).min();
    let begins = since.is_some_and(|since| (now - since).as_seconds_f64() < LATE_SECONDS);
    let schedules = list_schedules(connection).await?;
    let findings = SWEEPS.iter().filter_map(|name| {
        let row = schedules.iter().find(|row| row.name == *name);
        let how = late(row, now).filter(|_| row.is_some() || !begins)?;
        Some(format!("{name} {how}"))
    });
    let findings: Vec<_> = findings.collect();
    let next = "start carrel-worker: sweeps end what is due and delete what is left over";
    Ok(Check::of_findings("sweeps", "all ticking", &findings, next))
}

fn late(row: Option<&ScheduleRecord>, now: DateTime<Utc>) -> Option<String> {
    let Some(row) = row else {
        return Some("has never run".to_owned());
    };
    if let Some(at) = row.disabled_at {
        let by = row.disabled_by.as_deref().unwrap_or("somebody");
        return Some(match row.disabled_until {
            Some(until) => format!("is paused until {until} by {by}"),
            None => format!("was switched off at {at} by {by}"),
        });
    }
    let silent = |since: DateTime<Utc>| (now - since).as_seconds_f64();
    match (row.last_tick_at.map(silent), row.due_since.map(silent)) {
        (Some(last), _) if last > LATE_SECONDS + row.every_seconds => {
            Some(format!("last ran {last:.0} s ago"))
        }
        (None, Some(due)) if due > LATE_SECONDS => {
            Some(format!("was made due {due:.0} s ago and has not run"))
        }
        (None, None) => Some("has never run".to_owned()),
        _ => None,
    }
}
