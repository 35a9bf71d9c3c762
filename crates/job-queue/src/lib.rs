#![doc = include_str!("../README.md")]

mod apalis;
mod backoff;
mod claim;
mod context;
mod enqueue;
mod events;
mod exchange;
mod finish;
mod handler;
mod health;
mod heartbeat;
mod hold;
mod job;
mod listen;
mod load;
mod measure;
mod names;
mod operate;
mod operations;
mod outcome;
mod parts;
mod payload;
mod queues;
mod retention;
mod run;
mod running;
mod schedule;
mod slots;
mod terms;
mod unhandled;
mod wake;
mod worker;
mod workers;

#[cfg(feature = "cli")]
pub mod cli;

pub use backoff::{BACKOFF_BASE, BACKOFF_CAP, backoff_window};
pub use context::{CancelReason, JobContext, RecordError, Recorded};
pub use enqueue::{EnqueueError, EnqueueOptions, Enqueued, enqueue, enqueue_many, enqueue_raw};
pub use events::{Actions, EndedInAll, EnqueuedJobs, EventReader, QueueEvents, RescuedRuns};
pub use handler::{Handler, Registry};
pub use health::{
    DatabaseHealth, DeadJobs, UnhandledKind, clock_skew_seconds, count_dead_jobs, database_health,
    find_unhandled_kinds, show_database_link,
};
pub use hold::Holder;
pub use job::{DecodeError, Job, JobKind, JobState, NewJob, RunAt};
pub use load::{QueueLoad, queue_load};
pub use names::{NAMES_MOST, kind_names, queue_names, schedule_names, worker_names};
pub use operate::{
    ActionOutcome, AfterKill, AttemptRecord, CountBy, DeadGroup, JobAction, JobActionRecord,
    JobCount, JobFilter, JobPrefix, JobRecord, OperateError, QueueFlow, SignedAction, SignedFilter,
    WhyNotRunning, cancel_job, count_jobs, database_now, drain_worker, evict_worker, export_jobs,
    find_job, find_pattern_fault, find_worker, job_actions, job_attempts, jobs_of_worker, kill_job,
    list_dead_groups, list_jobs, list_signed_actions, load_job, preview_eviction, queue_flows,
    retry_job, retry_job_after, snooze_job, undrain_worker, why_not_running, workers_named,
};
pub use operations::{
    BulkOperation, BulkVerb, NewOperation, OPERATIONS_QUEUE, OperationCancel, OperationHandler,
    OperationId, OperationIdError, OperationRecord, OperationState, cancel_operation,
    list_operations, load_operation, start_operation,
};
pub use outcome::Outcome;
pub use queues::{
    AllQueues, QueueStatus, age_queue, limit_all_queues, limit_queue, limit_queue_rate,
    list_queues, load_all_queues, pause_queue, resume_queue,
};
pub use retention::{
    EndedJobs, Removed, Retention, add_history_days, apply_retention, delete_finished,
    drop_history_days,
};
pub use schedule::{
    Backfill, LARGEST_BACKFILL, LONGEST_PAUSE, Schedule, ScheduleRecord, Tick, TickWindow,
    backfill_schedule, finish_owed_tick, list_schedules, pause_schedule, preview_backfill,
    record_tick, resume_schedule, run_schedule, tick,
};
pub use unhandled::{Unhandled, park_unhandled};
pub use wake::{CHANNEL, Waker, notify_workers};
pub use worker::{
    ConfigError, DrainReport, QueueWorker, QueueWorkerBuilder, WorkerConfig, WorkerError,
};
pub use workers::{
    WORKER_LIVE_SECONDS, WorkerRecord, WorkerState, list_workers, load_worker, workers_heard_of,
};
