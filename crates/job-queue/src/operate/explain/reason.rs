//! The answers, as data and in words.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// One answer to "why is it not running"; several can hold at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum WhyNotRunning {
    /// The job has ended.
    Ended {
        /// Its final state.
        state: String,
        /// When.
        at: Option<DateTime<Utc>>,
        /// The class of its last failure.
        class: Option<String>,
        /// The reason of its last failure.
        reason: Option<String>,
    },
    /// Its time has not come: it was put off, or backs off after a failure.
    NotDue {
        /// When it may start.
        run_at: DateTime<Utc>,
        /// In how many seconds.
        in_seconds: f64,
        /// The failure it backs off from; `None` if it was put off.
        class: Option<String>,
    },
    /// Nothing is claimed from its queue.
    QueuePaused {
        /// The queue.
        queue: String,
        /// Who paused it.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// Until when; `None` until it is resumed.
        until: Option<DateTime<Utc>>,
    },
    /// As many jobs of its queue run as may.
    QueueFull {
        /// The queue.
        queue: String,
        /// How many run.
        running: i64,
        /// How many may.
        concurrency: i32,
    },
    /// As many jobs of all queues together run as may.
    AllQueuesFull {
        /// How many run.
        running: i64,
        /// How many may.
        concurrency: i32,
    },
    /// As many runs of its queue were started as its rate lets.
    RateReached {
        /// The queue.
        queue: String,
        /// How many may be started a second.
        rate_per_second: f64,
        /// In how many seconds the next one may.
        in_seconds: f64,
    },
    /// No worker that was seen lately claims such jobs.
    NoWorker {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
        /// The payload's version, which not every worker of the kind may read.
        version: i32,
    },
    /// Workers live that claim such jobs, and each leaves them alone for now.
    WorkersHold {
        /// Why, as one of them says.
        reason: String,
    },
    /// Others go first.
    Behind {
        /// How many due jobs of the queue precede it.
        jobs: i64,
    },
    /// It did run, but its worker has not answered in time; the next free slot takes it over.
    LeaseExpired {
        /// The worker that held the lease.
        worker: Option<Uuid>,
        /// When it ran out.
        at: Option<DateTime<Utc>>,
    },
    /// It runs and has been asked to stop.
    CancelRequested {
        /// When.
        at: DateTime<Utc>,
    },
}

impl std::fmt::Display for WhyNotRunning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        match self {
            Self::Ended {
                state,
                class: Some(class),
                ..
            } => write!(formatter, "{state} ({class})"),
            Self::Ended { state, .. } => formatter.write_str(state),
            Self::NotDue {
                in_seconds,
                class: Some(class),
                ..
            } => {
                write!(
                    formatter,
                    "due in {in_seconds:.1} s, backs off after {class}"
                )
            }
            Self::NotDue { in_seconds, .. } => write!(formatter, "due in {in_seconds:.1} s"),
            Self::QueuePaused {
                queue, by, reason, ..
            } => {
                write!(
                    formatter,
                    "queue {queue} paused by {}: {}",
                    known(by),
                    known(reason)
                )
            }
            Self::QueueFull {
                queue,
                running,
                concurrency,
            } => {
                let run = if *running == 1 { "job of" } else { "jobs of" };
                let verb = if *running == 1 { "runs" } else { "run" };
                write!(
                    formatter,
                    "{running} {run} {queue} {verb}, of {concurrency} that may"
                )
            }
            Self::AllQueuesFull {
                running,
                concurrency,
            } => {
                let run = if *running == 1 {
                    "job runs"
                } else {
                    "jobs run"
                };
                write!(
                    formatter,
                    "{running} {run} over all queues, of {concurrency} that may"
                )
            }
            Self::RateReached {
                queue,
                rate_per_second,
                in_seconds,
            } => write!(
                formatter,
                "{queue} starts {rate_per_second} a second, the next in {in_seconds:.1} s"
            ),
            Self::NoWorker {
                queue,
                kind,
                version,
            } => write!(
                formatter,
                "no live worker takes {kind} of version {version} from {queue}"
            ),
            Self::WorkersHold { reason } => {
                write!(formatter, "its workers leave it alone for now: {reason}")
            }
            Self::Behind { jobs } => write!(formatter, "{jobs} due jobs go first"),
            Self::LeaseExpired { .. } => {
                formatter.write_str("its worker stopped answering; the next free slot takes it")
            }
            Self::CancelRequested { at } => write!(formatter, "asked to stop at {at}"),
        }
    }
}
