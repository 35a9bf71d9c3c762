//! `schedules …`.

mod backfill;

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, RunCommand, parse_duration,
};
use serde_json::json;
use sqlx::PgConnection;

use super::act::{RehearsalArgs, act};
use super::errors::cli_error;
use super::{ActionArgs, ReasonedActionArgs};
use backfill::BackfillArgs;

use crate::{
    OperateError, ScheduleRecord, list_schedules, pause_schedule, resume_schedule, run_schedule,
};

/// Shows recurring work, pauses and resumes it, and has it run now.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// Lists schedules: their period, their last tick, what it did, and their next
    List(ListArgs),
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
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
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
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    /// Who and why.
    #[command(flatten)]
    action: ReasonedActionArgs,
}

impl RunCommand for SchedulesCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        match self {
            Self::List(args) => {
                let schedules = list_schedules(connection).await?;
                LIST.whole(globals, &args, &schedules)
            }
            Self::Backfill(args) => args.run(connection).await,
            Self::Pause(args) => {
                let changed = Changed("job-queue/schedules-pause.v1", &args.schedule);
                let pause = async |it: &mut PgConnection| {
                    let action = args.action.action();
                    pause_schedule(it, &args.schedule, args.lasts, &action).await
                };
                changed.by(connection, args.rehearsal, pause).await
            }
            Self::Resume(args) => {
                let changed = Changed("job-queue/schedules-resume.v1", &args.schedule);
                let resume = async |it: &mut PgConnection| {
                    resume_schedule(it, &args.schedule, &args.action.action()).await
                };
                changed.by(connection, args.rehearsal, resume).await
            }
            Self::Run(args) => {
                let changed = Changed("job-queue/schedules-run.v1", &args.schedule);
                let run = async |it: &mut PgConnection| {
                    run_schedule(it, &args.schedule, &args.action.action()).await
                };
                changed.by(connection, args.rehearsal, run).await
            }
        }
    }
}

/// The document of a change, and the schedule that it tells of.
struct Changed<'a>(&'static str, &'a str);

impl Changed<'_> {
    async fn by(
        self,
        connection: &mut PgConnection,
        rehearsal: RehearsalArgs,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<(), OperateError>,
    ) -> Result<Document, CliError> {
        let Self(schema, name) = self;
        let change = async |it: &mut PgConnection| change(it).await.map_err(cli_error);
        let tell = async |it: &mut PgConnection, ()| {
            let mut schedules = list_schedules(it).await?;
            schedules.retain(|row| row.name == name);
            let text = schedules.first().map(line).unwrap_or_default();
            let data = json!({ "schedule": schedules.first() });
            Ok(Document::new(schema, data).with_text(text))
        };
        act(connection, rehearsal, &[name.to_owned()], change, tell).await
    }
}

const LIST: List<ScheduleRecord> = List {
    schema: "job-queue/schedules-list.v1",
    rows: "schedules",
    empty: "no schedule was made; workers make them",
    name: |schedule| schedule.name.clone(),
    columns: &[
        Column::new("name", |schedule| schedule.name.as_str().into()),
        Column::new("every", |schedule| Cell::Seconds(schedule.every_seconds)),
        Column::new("last_tick", |schedule| schedule.last_tick_at.into()),
        Column::new("next_tick", |schedule| schedule.next_tick_at.into()),
        Column::new("owed", |schedule| schedule.owed_ticks.into()),
        Column::new("state", |schedule| state(schedule).into()),
        Column::wide("last_ran", |schedule| schedule.last_ran_at.into()),
        Column::wide("last_worker", |schedule| {
            schedule.last_worker.map(Cell::words).into()
        }),
        Column::wide("pausable", |schedule| {
            if schedule.is_pausable { "yes" } else { "no" }.into()
        }),
        Column::wide("last_status", |schedule| {
            schedule.last_status.as_ref().map(Cell::words).into()
        }),
    ],
};

fn line(row: &ScheduleRecord) -> String {
    let last = row.last_tick_at;
    let last = last.map_or_else(|| "due now".to_owned(), |at| format!("last tick {at}"));
    let next = row.next_tick_at;
    let next = next.map_or_else(String::new, |at| format!("next {at}  "));
    let (name, every, state) = (&row.name, row.every_seconds, state(row));
    format!("{name:<16} every {every} s  {last}  {next}{state}")
}

fn state(row: &ScheduleRecord) -> String {
    if row.disabled_at.is_none() {
        return "on".to_owned();
    }
    let by = row.disabled_by.as_deref().unwrap_or("unknown");
    let why = row.disabled_reason.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    match row.disabled_until {
        Some(until) => format!("paused until {until} by {by}{why}"),
        None => format!("paused until resumed by {by}{why}"),
    }
}
