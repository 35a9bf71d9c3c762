//! `queues stats`.

use std::time::Duration;

use clap::Args;
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, READ_LASTS, WatchArgs,
    parse_duration, read_within,
};
use serde::Serialize;
use sqlx::PgConnection;

use super::queue_state::state;
use crate::{QueueFlow, QueueStatus, list_queues, queue_flows};

/// What a queue's backlog does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Trend {
    /// Nothing waits.
    Empty,
    /// More leaves than comes.
    Drains,
    /// No more leaves than comes.
    Grows,
    /// Nothing comes and nothing leaves.
    Stands,
}

/// Depth, flow and what follows from them.
#[derive(Debug, Serialize)]
struct QueueStats {
    #[serde(flatten)]
    status: QueueStatus,
    arrivals_per_second: f64,
    finishes_per_second: f64,
    mean_run_seconds: Option<f64>,
    trend: Trend,
    eta_seconds: Option<f64>,
}

const LIST: List<QueueStats> = List {
    schema: "job-queue/queues-stats.v1",
    rows: "queues",
    empty: "no queue is in use",
    name: |stats| stats.status.name.clone(),
    columns: &[
        Column::new("queue", |stats| stats.status.name.as_str().into()),
        Column::new("ready", |stats| stats.status.ready.into()),
        Column::new("oldest", |stats| {
            stats.status.oldest_ready_seconds.map(Cell::Seconds).into()
        }),
        Column::new("scheduled", |stats| stats.status.scheduled.into()),
        Column::new("running", |stats| stats.status.running.into()),
        Column::new("limit", |stats| stats.status.concurrency.into()),
        Column::new("rate", |stats| {
            stats.status.rate_per_second.map(Cell::words).into()
        }),
        Column::wide("priority_age", |stats| {
            stats.status.priority_age_seconds.map(Cell::Seconds).into()
        }),
        Column::new("dead", |stats| stats.status.dead.into()),
        Column::new("in_per_second", |stats| {
            Cell::Rate(stats.arrivals_per_second)
        }),
        Column::new("out_per_second", |stats| {
            Cell::Rate(stats.finishes_per_second)
        }),
        Column::new("trend", |stats| stats.trend.as_str().into()),
        Column::new("eta", |stats| stats.eta_seconds.map(Cell::Seconds).into()),
        Column::new("state", |stats| state(&stats.status).into()),
        Column::wide("mean_run", |stats| {
            stats.mean_run_seconds.map(Cell::Seconds).into()
        }),
    ],
};

/// What to measure, and how it is shown.
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// Over how long arrivals and ends are counted.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    window: Duration,
    /// Whether it is looked at again.
    #[command(flatten)]
    watch: WatchArgs,
    /// How they are shown.
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn run(
    connection: &mut PgConnection,
    globals: &GlobalArgs,
    args: &StatsArgs,
) -> Result<Document, CliError> {
    let StatsArgs {
        window,
        watch,
        list,
    } = args;
    let read = async || measure(connection, *window).await;
    let document = LIST.whole_or_watched(globals, list, watch, read).await?;
    Ok(document.with("window_seconds", window.as_secs_f64()))
}

async fn measure(
    connection: &mut PgConnection,
    window: Duration,
) -> Result<Vec<QueueStats>, CliError> {
    let (flows, queues) = read_within(connection, READ_LASTS, async |it| {
        Ok::<_, sqlx::Error>((queue_flows(it, window).await?, list_queues(it).await?))
    })
    .await?;
    let stats = queues.into_iter().map(|status| {
        let flow = flows.iter().find(|flow| flow.name == status.name);
        QueueStats::new(status, flow)
    });
    Ok(stats.collect())
}

impl Trend {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Drains => "drains",
            Self::Grows => "grows",
            Self::Stands => "stands",
        }
    }
}

impl QueueStats {
    fn new(status: QueueStatus, flow: Option<&QueueFlow>) -> Self {
        let arrivals_per_second = flow.map_or(0.0, |flow| flow.arrivals_per_second);
        let finishes_per_second = flow.map_or(0.0, |flow| flow.finishes_per_second);
        let (trend, eta_seconds) = forecast(status.ready, arrivals_per_second, finishes_per_second);
        Self {
            status,
            arrivals_per_second,
            finishes_per_second,
            mean_run_seconds: flow.and_then(|flow| flow.mean_run_seconds),
            trend,
            eta_seconds,
        }
    }
}

fn forecast(ready: i64, arrivals: f64, finishes: f64) -> (Trend, Option<f64>) {
    if ready == 0 {
        return (Trend::Empty, None);
    }
    if arrivals + finishes <= 0.0 {
        return (Trend::Stands, None);
    }
    let drained_per_second = finishes - arrivals;
    if drained_per_second <= 0.0 {
        return (Trend::Grows, None);
    }
    let ready = u32::try_from(ready).unwrap_or(u32::MAX);
    (Trend::Drains, Some(f64::from(ready) / drained_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_ends_only_if_more_leaves_than_comes() {
        assert_eq!(forecast(0, 1.0, 0.0), (Trend::Empty, None));
        assert_eq!(forecast(10, 0.0, 0.0), (Trend::Stands, None));
        assert_eq!(forecast(10, 1.0, 1.0), (Trend::Grows, None));
        assert_eq!(forecast(10, 1.0, 3.0), (Trend::Drains, Some(5.0)));
    }
}
