//! Every metric of every process, in one table.
//!
//! Names are `carrel_<noun>_<unit>[_total]` in base units. Labels are bounded (a kind, a class, a
//! state, a route) and never carry ids. Service-level gauges come from SQL on the api's admin port,
//! in one place, so that they are true whatever process is down; the rest is each process's own.
//!
//! `messaging_…` are aliases: what a metric of the queue tells, once more by the name and labels of
//! `OpenTelemetry`'s conventions. Each one's help says of which.

use std::time::Duration;

use metrics::{Label, Unit};

/// Bounds for everything measured in seconds: half a millisecond (a claim) to a minute (the startup
/// budget), about three to a decade.
pub const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 45.0,
    60.0,
];
/// Bounds for everything counted: a claim of one job to the largest there is.
pub(crate) const COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// Tells how a metric's values combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, until the process ends.
    Counter,
    /// A present value.
    Gauge,
    /// A distribution.
    Histogram,
}

macro_rules! metric_table {
    ($($variant:ident: $kind:ident $name:literal $unit:ident $labels:tt $help:literal;)+) => {
        /// Names one metric. The variant's documentation is the help text that a scrape shows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)+
        }

        impl Metric {
            /// Every metric, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the exported name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns how its values combine.
            pub const fn kind(self) -> MetricKind {
                match self { $(Self::$variant => MetricKind::$kind,)+ }
            }

            /// Returns the names of its labels.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &$labels,)+ }
            }

            /// Returns its help text.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }

            pub(crate) const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)+ }
            }
        }
    };
}

metric_table! {
    HttpRequests: Counter "carrel_http_requests_total" Count ["method", "route", "status"]
        "HTTP requests answered, by route pattern and status.";
    HttpRequestSeconds: Histogram "carrel_http_request_seconds" Seconds ["route"]
        "Time from a request's head to its response's head, by route pattern.";
    TokenKeysAgeSeconds: Gauge "carrel_token_keys_age_seconds" Seconds []
        "Time since this process fetched the keys that it verifies logins with; absent where they come from a file.";
    TokenKeys: Gauge "carrel_token_keys" Count []
        "Keys that this process verifies logins with; 0 once the issuer shows none; absent before the first were fetched and where they come from a file.";
    TokenKeyFetchFailures: Gauge "carrel_token_key_fetch_failures" Count []
        "Fetches of those keys that failed since the last that succeeded.";
    StatusStreams: Gauge "carrel_status_streams" Count []
        "Status event streams that are open on this process.";

    Sessions: Gauge "carrel_sessions" Count ["state"]
        "Sessions by state, from the database.";
    Environments: Gauge "carrel_environments" Count ["state"]
        "Execution environments by state, from the database.";
    OldestTeardownSeconds: Gauge "carrel_oldest_teardown_seconds" Seconds []
        "How long the oldest destruction of an environment has been going, from the database; 0 without one.";
    CleanupsBlocked: Gauge "carrel_cleanups_blocked" Count ["cause"]
        "Environments whose destruction waits for something that nobody here can mend, by cause, from the database.";
    Jobs: Gauge "carrel_jobs" Count ["queue", "state"]
        "Jobs by queue and state (ready: due; scheduled: due later; running; dead), from the database.";
    OldestReadyJobSeconds: Gauge "carrel_oldest_ready_job_seconds" Seconds ["queue"]
        "How long the oldest due job has waited, by queue, from the database.";
    QueueDesiredWorkers: Gauge "carrel_queue_desired_workers" Count ["queue"]
        "Workers that would keep up with a queue and work off within a minute what is due, from the database.";
    QueuePaused: Gauge "carrel_queue_paused" Count ["queue"]
        "1 while nothing is claimed from a queue because an operator paused it, from the database.";
    JobsEnqueued: Counter "carrel_jobs_enqueued_total" Count ["queue", "kind"]
        "Jobs enqueued by anybody, counted once their transactions had committed, from the database: every api tells the same.";
    JobRescues: Counter "carrel_job_rescues_total" Count ["reason"]
        "Runs ended for their worker (lease: it ran out; deadline: the handler did not return; evict: an operator took them), from the database: every api tells the same.";
    JobEndToEndSeconds: Histogram "carrel_job_end_to_end_seconds" Seconds ["kind"]
        "Time from a job's enqueue to its end, good or bad, from the database: every api tells the same.";
    JobActions: Counter "carrel_job_actions_total" Count ["verb"]
        "What people did to jobs, queues, workers and schedules, from the database: every api tells the same.";
    JobsWithoutHandler: Gauge "carrel_jobs_without_handler" Count ["queue", "kind"]
        "Due jobs whose kind, or version of it, no live worker claims, from the database.";
    JobsWithoutLease: Gauge "carrel_jobs_without_lease" Count []
        "Running jobs whose lease has run out and that nobody has taken over, from the database.";
    Workers: Gauge "carrel_workers" Count ["build", "state"]
        "Workers by build and state, without those that ended, from the database; silent ones for an hour.";
    ScheduleAgeSeconds: Gauge "carrel_schedule_age_seconds" Seconds ["schedule"]
        "Time since a schedule's last tick was claimed, or since it was made due, from the database.";
    SchedulePeriodSeconds: Gauge "carrel_schedule_period_seconds" Seconds ["schedule"]
        "Time between a schedule's ticks, from the database.";
    SchedulePaused: Gauge "carrel_schedule_paused" Count ["schedule"]
        "1 while an operator keeps a schedule from ticking, from the database.";
    EnvironmentsOverdue: Gauge "carrel_environments_overdue" Count []
        "Environments that are not gone ten minutes after their session has ended, from the database.";
    HistoryDaysAhead: Gauge "carrel_history_days_ahead" Count []
        "Days after today that have their partition of the history of jobs.";
    DatabaseConnections: Gauge "carrel_database_connections" Count ["state"]
        "Client connections of the database server (used), and how many a common role may have (max).";
    DatabaseXminAgeSeconds: Gauge "carrel_database_xmin_age_seconds" Seconds []
        "Age of the oldest transaction that keeps dead rows from being removed.";
    DatabaseNotificationRatio: Gauge "carrel_database_notification_queue_ratio" Count []
        "How full the database's queue of notifications is, from 0 to 1.";
    JobsDeadTupleRatio: Gauge "carrel_jobs_dead_tuple_ratio" Count []
        "Dead rows of the table of jobs as a part of all its rows, from 0 to 1.";
    JobsBytes: Gauge "carrel_jobs_bytes" Bytes ["part"]
        "Size of the table of jobs (rows) and of its indexes, from the database.";
    DatabaseLockWaits: Gauge "carrel_database_lock_waits" Count []
        "Sessions of the database that wait for another one's lock.";
    DatabaseWalPositionBytes: Gauge "carrel_database_wal_position_bytes" Bytes []
        "How far the server's write-ahead log has come; its growth is what the server writes.";
    ServiceGaugesUp: Gauge "carrel_service_gauges_up" Count []
        "1 when the gauges from the database are of this scrape, 0 when they could not be read.";

    JobsClaimed: Counter "carrel_jobs_claimed_total" Count ["kind"]
        "Jobs that this worker claimed, by kind.";
    JobsFinished: Counter "carrel_jobs_finished_total" Count ["kind", "outcome"]
        "Runs on this worker whose end the table took, by kind and outcome.";
    JobRetries: Counter "carrel_job_retries_total" Count ["class"]
        "Runs on this worker after which their job is tried again, by the class of what failed.";
    JobDecodeErrors: Counter "carrel_job_decode_errors_total" Count ["kind"]
        "Jobs whose payload this worker could not read, by kind; each is dead.";
    JobsDead: Counter "carrel_jobs_dead_total" Count ["kind"]
        "Jobs that ended dead on this worker, by kind: given up, out of attempts, or parked after crashes.";
    JobWaitSeconds: Histogram "carrel_job_wait_seconds" Seconds ["kind"]
        "Time from due to start, by kind.";
    JobRunSeconds: Histogram "carrel_job_run_seconds" Seconds ["kind"]
        "Time a handler ran, by kind.";
    JobsStale: Counter "carrel_jobs_stale_total" Count ["kind"]
        "Writes refused because another run held the job, by kind.";
    JobLeasesLost: Counter "carrel_job_leases_lost_total" Count []
        "Leases that ran out under this worker.";
    JobsCrashParked: Counter "carrel_jobs_crash_parked_total" Count []
        "Jobs parked because their workers crashed on them three times.";
    JobsUnhandled: Counter "carrel_jobs_unhandled_total" Count []
        "Jobs that this worker parked because no worker reads their kind and version.";
    JobLooks: Counter "carrel_job_looks_total" Count ["cause"]
        "Times this worker looked for work, by what made it look.";
    JobNotificationsSent: Counter "carrel_job_notifications_sent_total" Count []
        "Notifications that this process sent to workers after an enqueue; those heard are looks with the cause notify.";
    JobListeners: Gauge "carrel_job_listeners" Count ["state"]
        "Connections of this process that listen for jobs (up), or should and do not (down).";
    JobSlots: Gauge "carrel_job_slots" Count ["state"]
        "Jobs that this worker may run at once (total), and those that it runs or has not answered for (used).";
    JobClaimSeconds: Histogram "carrel_job_claim_seconds" Seconds []
        "Time of a statement that claims jobs and writes how others ended.";
    JobClaimBatchJobs: Histogram "carrel_job_claim_batch_jobs" Count []
        "Jobs that such a statement claimed, of those that claimed any.";
    JobAckFlushSeconds: Histogram "carrel_job_ack_flush_seconds" Seconds []
        "Time from a run's end to the table's answer, its slot taken all the while.";
    JobBeatLagSeconds: Histogram "carrel_job_beat_lag_seconds" Seconds []
        "How late a heartbeat was answered; a lease lasts 20 s.";
    JobExchangeFailures: Counter "carrel_job_exchange_failures_total" Count []
        "Finish-and-claim statements that failed and were tried again.";
    MessagingConsumed: Counter "messaging_client_consumed_messages_total" Count ["messaging_system", "messaging_destination_name", "messaging_operation_name"]
        "Alias of `carrel_jobs_claimed_total`, by queue.";
    MessagingProcessSeconds: Histogram "messaging_process_duration_seconds" Seconds ["messaging_system", "messaging_destination_name", "messaging_operation_name", "error_type"]
        "Alias of `carrel_job_run_seconds`, by queue and the class of what failed; empty where nothing did.";
    MessagingOperationSeconds: Histogram "messaging_client_operation_duration_seconds" Seconds ["messaging_system", "messaging_operation_name"]
        "Alias of `carrel_job_claim_seconds`.";

    SessionFailures: Counter "carrel_session_failures_total" Count ["class", "code"]
        "Sessions that this worker failed, by class and code.";
    SweepsRefused: Counter "carrel_sweeps_refused_total" Count ["sweep"]
        "Sweeps on this worker that deleted nothing because what they found looked wrong.";
    TeardownsForced: Counter "carrel_teardowns_forced_total" Count []
        "Environments that this worker deleted without grace because their destruction hung.";
    RecordsPseudonymised: Counter "carrel_records_pseudonymised_total" Count ["table"]
        "Rows in which this worker gave a candidate another name because their session has been over for long, by table.";
    SweepSucceeded: Gauge "carrel_sweep_succeeded_timestamp_seconds" Seconds ["sweep"]
        "When this worker last ended a sweep that did its work, in seconds since 1970 by its own clock.";
    ScheduleTicks: Counter "carrel_schedule_ticks_total" Count ["schedule"]
        "Ticks of schedules that this worker claimed, those that operators asked for included.";
    ScheduleTicksMissed: Counter "carrel_schedule_ticks_missed_total" Count ["schedule"]
        "Ticks that nobody had claimed in time, as this worker found when it claimed the next.";
    RecordsRemoved: Counter "carrel_records_removed_total" Count ["table"]
        "Rows that this worker removed because they were older than they are kept, by table.";

    DatabasePoolConnections: Gauge "carrel_database_pool_connections" Count ["state"]
        "Connections of this process's pool that are in use and idle, and how many it may have (max).";
    ClockSkewSeconds: Gauge "carrel_clock_skew_seconds" Seconds []
        "How far the database's clock is ahead of this process's; behind is negative.";

    TerminalAttachments: Gauge "carrel_terminal_attachments" Count []
        "Terminals attached to this process.";
    TerminalUnattended: Gauge "carrel_terminal_unattended" Count []
        "Shells that this process records while nobody is attached.";
    TerminalUnread: Gauge "carrel_terminal_unread" Count []
        "Shells of open sessions that must be on record and that no terminal process reads, as the database has it.";
    TerminalUnackedBytes: Gauge "carrel_terminal_unacked_bytes" Bytes []
        "Output that this process has sent and its browsers have not parsed yet.";
    TerminalStalls: Counter "carrel_terminal_stalls_total" Count []
        "How often output had to wait because a browser had a whole window of it to parse.";
    TerminalLostBytes: Counter "carrel_terminal_lost_bytes_total" Bytes ["to"]
        "Output that a shell had forgotten before this process could read it, by what it is missing to: a screen that came back, or the record; what a dead process still has on its disk counts as missing.";
    TerminalLegSeconds: Histogram "carrel_terminal_leg_seconds" Seconds []
        "Time from this process to a keeper and back, each 10 s of each terminal.";
    TerminalLegsReopened: Counter "carrel_terminal_legs_reopened_total" Count []
        "Tries to open a lost leg anew while its browser stayed, or for the record; one leg may take several.";
    TerminalAttaches: Counter "carrel_terminal_attaches_total" Count ["outcome"]
        "Attaches tried on this process, by outcome.";
    TerminalCloses: Counter "carrel_terminal_closes_total" Count ["code"]
        "Terminals closed by this process, by close code.";
    TerminalBytes: Counter "carrel_terminal_bytes_total" Bytes ["direction"]
        "Terminal bytes carried, by direction.";
    TerminalCutoffSeconds: Histogram "carrel_terminal_cutoff_seconds" Seconds []
        "Time from learning of an end to the input gate being shut.";
    TerminalCutoffLagSeconds: Histogram "carrel_terminal_cutoff_lag_seconds" Seconds []
        "Time from a session's end, as the database has it, to the input gate being shut; how long the news took included.";
    TerminalAttachSeconds: Histogram "carrel_terminal_attach_seconds" Seconds []
        "Time from a browser's HELLO to the shell's answer, of attaches that got one.";
    TerminalEchoSeconds: Histogram "carrel_terminal_echo_seconds" Seconds []
        "Time from a typed frame to the shell's next output, whatever made it print.";
    RecordingSpoolBytes: Gauge "carrel_recording_spool_bytes" Bytes []
        "Recordings that wait on this process's disk for the database.";
    RecordingSpoolUse: Gauge "carrel_recording_spool_use" Count []
        "The same as a part of what may wait there, from 0 to 1.";
    RecordingRefused: Gauge "carrel_recording_refused" Count []
        "1 while this process cannot keep what its terminals show.";
    RecordingDamagedFiles: Gauge "carrel_recording_damaged_files" Count []
        "Spool files of this process's disk that are kept aside because something in them is damaged.";
    RecordingFullSessions: Gauge "carrel_recording_full_sessions" Count []
        "Sessions of which this process keeps nothing more, because their recording is as long as one may be.";
    RecordingRejectedSessions: Gauge "carrel_recording_rejected_sessions" Count []
        "Sessions whose recordings the database does not take from this process: they stay on its disk.";
    RecordingUnsigned: Gauge "carrel_recording_unsigned" Count []
        "Recordings that were closed ten minutes ago and are not signed, as a process with a key counted them in the database.";
    RecordingUnshippedSeconds: Gauge "carrel_recording_unshipped_seconds" Seconds []
        "How long nothing reached the database although recordings wait.";
}

impl Metric {
    /// Adds to a counter.
    pub fn increment(self, by: u64, labels: &[(&'static str, &str)]) {
        metrics::counter!(self.name(), self.checked(MetricKind::Counter, labels)).increment(by);
    }

    /// Sets a gauge.
    pub fn set(self, value: f64, labels: &[(&'static str, &str)]) {
        metrics::gauge!(self.name(), self.checked(MetricKind::Gauge, labels)).set(value);
    }

    /// Moves a gauge up or down.
    pub fn change(self, by: f64, labels: &[(&'static str, &str)]) {
        metrics::gauge!(self.name(), self.checked(MetricKind::Gauge, labels)).increment(by);
    }

    /// Records a duration in a histogram as often as it was seen.
    pub fn observe_many(self, value: Duration, times: usize, labels: &[(&'static str, &str)]) {
        metrics::histogram!(self.name(), self.checked(MetricKind::Histogram, labels))
            .record_many(value, times);
    }

    /// Records a duration in a histogram.
    pub fn observe(self, value: Duration, labels: &[(&'static str, &str)]) {
        metrics::histogram!(self.name(), self.checked(MetricKind::Histogram, labels)).record(value);
    }

    /// Turns the labels into the recorder's, after checking that they are the declared ones.
    fn checked(self, kind: MetricKind, labels: &[(&'static str, &str)]) -> Vec<Label> {
        debug_assert_eq!(self.kind(), kind, "{}", self.name());
        debug_assert!(
            labels.iter().map(|(name, _)| name).eq(self.labels()),
            "{} has the labels {:?}",
            self.name(),
            self.labels()
        );
        labels
            .iter()
            .map(|(name, value)| Label::new(*name, (*value).to_owned()))
            .collect()
    }
}

/// Tells the installed recorder every metric's unit and help.
pub(crate) fn describe() {
    for metric in Metric::ALL {
        let (name, unit, help) = (metric.name(), metric.unit(), metric.help());
        match metric.kind() {
            MetricKind::Counter => metrics::describe_counter!(name, unit, help),
            MetricKind::Gauge => metrics::describe_gauge!(name, unit, help),
            MetricKind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_prefixed_and_say_their_unit() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let name = metric.name();
            let is_alias = metric.help().starts_with("Alias of `carrel_");
            let prefix = if is_alias { "messaging_" } else { "carrel_" };
            assert!(name.starts_with(prefix), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind() == MetricKind::Counter,
                "{name}"
            );
            if metric.unit() == Unit::Seconds {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            assert!(metric.help().ends_with('.'), "{name}");
        }
    }

    #[test]
    fn no_label_can_hold_an_id() {
        for metric in Metric::ALL {
            for label in metric.labels() {
                assert!(
                    !label.ends_with("id") && *label != "user",
                    "{} {label}",
                    metric.name()
                );
            }
        }
    }
}
