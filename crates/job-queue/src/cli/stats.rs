//! `queues stats`.

use std::time::Duration;

use command_line::{CliError, Document};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use super::queues::{depth, state};
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

pub(super) async fn run(
    connection: &mut PgConnection,
    window: Duration,
) -> Result<Document, CliError> {
    let flows = queue_flows(connection, window).await?;
    let queues = list_queues(connection).await?;
    let stats: Vec<_> = queues
        .into_iter()
        .map(|status| {
            let flow = flows.iter().find(|flow| flow.name == status.name);
            QueueStats::new(status, flow)
        })
        .collect();
    let lines: Vec<_> = stats.iter().map(line).collect();
    let data = json!({ "window_seconds": window.as_secs_f64(), "queues": stats });
    Ok(Document::new("job-queue/queues-stats.v1", data).with_text(lines.join("\n")))
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

fn line(stats: &QueueStats) -> String {
    let (arrivals, finishes) = (stats.arrivals_per_second, stats.finishes_per_second);
    let forecast = match (stats.trend, stats.eta_seconds) {
        (Trend::Empty, _) => "nothing waits".to_owned(),
        (Trend::Drains, Some(eta)) => format!("empty in about {eta:.0} s"),
        (Trend::Stands, _) => "stands".to_owned(),
        (Trend::Drains | Trend::Grows, _) => "grows".to_owned(),
    };
    let (depth, state) = (depth(&stats.status), state(&stats.status));
    format!("{depth}  in {arrivals:.2}/s  out {finishes:.2}/s  {forecast}, {state}")
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
