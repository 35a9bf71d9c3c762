//! `schedules …`.

mod backfill;

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use serde_json::json;
use sqlx::PgConnection;

use super::errors::cli_error;
use super::{ActionArgs, ReasonedActionArgs};
use backfill::BackfillArgs;

use crate::{ScheduleRecord, list_schedules, pause_schedule, resume_schedule, run_schedule};

/// Shows recurring work, pauses and resumes it, and has it run now.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// Lists schedules: their period, their last tick, what it did, and their next
    List,
    /// Pauses a schedule for an hour at most; what ends exams and removes environments never pauses
    Pause(PauseArgs),
    /// Ends a pause before its time
    Resume(ScheduleArgs),
    /// Makes the next tick due now, for whichever worker asks first
    Run(ScheduleArgs),
    /// Has ticks worked that were missed in a past window; without --apply, says which
    ///
    /// A tick is missed where a whole period went by without one: the schedule was paused, or no worker lived.
    /// Workers claim the ticks between the regular ones, each once, whoever asks for it how often. Every sweep
    /// of Carrel looks at everything there is, so that one `schedules run` does what all of them would.
    Backfill(BackfillArgs),
}

/// Which schedule, who and why.
#[derive(Args, Debug)]
pub struct ScheduleArgs {
    /// The schedule's name, such as `sweep_expired`.
    schedule: String,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

/// Which schedule, for how long, who and why.
#[derive(Args, Debug)]
pub struct PauseArgs {
    /// The schedule's name, such as `sweep_stuck`.
    schedule: String,
    /// How long, such as 30m, and at most 1h; then it goes on by itself.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    lasts: Duration,
    /// Who and why.
    #[command(flatten)]
    action: ReasonedActionArgs,
}

impl RunCommand for SchedulesCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        let (schema, name, changed) = match self {
            Self::List => return list(connection).await,
            Self::Backfill(args) => return args.run(connection).await,
            Self::Pause(PauseArgs {
                schedule,
                lasts,
                action,
            }) => {
                let changed = pause_schedule(connection, &schedule, lasts, &action.action()).await;
                ("job-queue/schedules-pause.v1", schedule, changed)
            }
            Self::Resume(ScheduleArgs { schedule, action }) => {
                let changed = resume_schedule(connection, &schedule, &action.action()).await;
                ("job-queue/schedules-resume.v1", schedule, changed)
            }
            Self::Run(ScheduleArgs { schedule, action }) => {
                let changed = run_schedule(connection, &schedule, &action.action()).await;
                ("job-queue/schedules-run.v1", schedule, changed)
            }
        };
        changed.map_err(cli_error)?;
        let mut schedules = list_schedules(connection).await?;
        schedules.retain(|row| row.name == name);
        let text = schedules.first().map(line).unwrap_or_default();
        let data = json!({ "schedule": schedules.first() });
        Ok(Document::new(schema, data).with_text(text))
    }
}

async fn list(connection: &mut PgConnection) -> Result<Document, CliError> {
    let schedules = list_schedules(connection).await?;
    let text = schedules.iter().fold(String::new(), |mut text, row| {
        // Writing to a string cannot fail.
        writeln!(text, "{}", line(row)).ok();
        text
    });
    let data = json!({ "schedules": schedules });
    Ok(Document::new("job-queue/schedules-list.v1", data).with_text(text))
}

fn line(row: &ScheduleRecord) -> String {
    let last = row.last_tick_at;
    let last = last.map_or_else(|| "due now".to_owned(), |at| format!("last tick {at}"));
    let next = row.next_tick_at;
    let next = next.map_or_else(String::new, |at| format!("next {at}  "));
    let state = if row.disabled_at.is_none() {
        "on".to_owned()
    } else {
        paused(row)
    };
    let (name, every) = (&row.name, row.every_seconds);
    format!("{name:<16} every {every} s  {last}  {next}{state}")
}

fn paused(row: &ScheduleRecord) -> String {
    let by = row.disabled_by.as_deref().unwrap_or("unknown");
    let why = row.disabled_reason.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    match row.disabled_until {
        Some(until) => format!("paused until {until} by {by}{why}"),
        None => format!("paused until resumed by {by}{why}"),
    }
}
