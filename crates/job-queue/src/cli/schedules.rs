//! `schedules …`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde_json::json;
use sqlx::PgConnection;

use super::ActionArgs;
use super::errors::cli_error;
use crate::{ScheduleRecord, disable_schedule, enable_schedule, list_schedules, run_schedule};

/// Shows recurring work, switches it off and on, and has it run now.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// Lists schedules: their period, their last tick, what it did, and their next
    List,
    /// Switches a schedule off, until it is resumed
    Pause(ScheduleArgs),
    /// Switches a schedule on again
    Resume(ScheduleArgs),
    /// Makes the next tick due now, for whichever worker asks first
    Run(ScheduleArgs),
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

impl RunCommand for SchedulesCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        let (schema, name, changed) = match self {
            Self::List => return list(connection).await,
            Self::Pause(ScheduleArgs { schedule, action }) => {
                let changed = disable_schedule(connection, &schedule, &action.action()).await;
                ("job-queue/schedules-pause.v1", schedule, changed)
            }
            Self::Resume(ScheduleArgs { schedule, action }) => {
                let changed = enable_schedule(connection, &schedule, &action.action()).await;
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
    let state = match (row.disabled_at, &row.disabled_by) {
        (None, _) => "on".to_owned(),
        (Some(at), by) => format!("off since {at} by {}", by.as_deref().unwrap_or("unknown")),
    };
    let (name, every) = (&row.name, row.every_seconds);
    format!("{name:<16} every {every} s  {last}  {next}{state}")
}
