//! `schedules backfill`.

use clap::Args;
use command_line::{CliError, Document, Moment, READ_LASTS, counted, read_within, write_within};
use serde_json::json;
use session_identity::{Actor, UserId};
use sqlx::PgConnection;

use super::super::args::{parse_reason, parse_user};
use super::super::errors::cli_error;
use crate::{Backfill, JobAction, TickWindow, backfill_schedule, database_now, preview_backfill};

/// Which ticks, and whether to ask for them.
#[derive(Args, Debug)]
pub struct BackfillArgs {
    /// The schedule's name, such as `sweep_stuck`.
    schedule: String,
    /// The window's beginning: how long ago, such as 2h or 3d, or a date with its time and zone.
    #[arg(long, value_name = "WHEN")]
    from: Moment,
    /// The window's end, likewise; now unless told otherwise.
    #[arg(long, value_name = "WHEN")]
    to: Option<Moment>,
    /// Asks for the ticks, 1,000 at most; without it nothing changes.
    #[arg(long)]
    apply: bool,
    /// The operator's user id; kept as `staff:<user id>`, needed with --apply.
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = parse_user,
          required_if_eq("apply", "true"))]
    actor: Option<UserId>,
    /// Why, for whoever reads the log.
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
}

impl BackfillArgs {
    pub(super) async fn run(self, connection: &mut PgConnection) -> Result<Document, CliError> {
        let now = database_now(connection).await?;
        let window = TickWindow {
            from: self.from.before(now),
            to: self.to.map_or(now, |to| to.before(now)),
        };
        // The command line lets nobody apply without a name.
        let actor = self.actor.filter(|_| self.apply);
        let applied = actor.is_some();
        let found = match actor {
            None => {
                let preview = async |it: &mut PgConnection| {
                    let found = preview_backfill(it, &self.schedule, window).await;
                    found.map_err(cli_error)
                };
                read_within(connection, READ_LASTS, preview).await?
            }
            Some(actor) => {
                let action = JobAction {
                    actor: Actor::Staff(actor).to_string(),
                    reason: self.reason,
                };
                let apply = async |it: &mut PgConnection| {
                    let found = backfill_schedule(it, &self.schedule, window, &action).await;
                    found.map_err(cli_error)
                };
                write_within(connection, apply).await?
            }
        };
        let data = json!({
            "schedule": self.schedule,
            "from": window.from,
            "to": window.to,
            "applied": applied,
            "count": found.ticks.len(),
            "ticks": found.ticks,
            "already_asked": found.already_asked,
            "still_waiting": found.still_waiting,
            "known_from": found.known_from,
        });
        let text = text(&found, window, applied);
        Ok(Document::new("job-queue/schedules-backfill.v1", data).with_text(text))
    }
}

fn text(found: &Backfill, window: TickWindow, applied: bool) -> String {
    let verb = if applied {
        "asked for"
    } else {
        "would ask for"
    };
    let count = counted(found.ticks.len(), "missed tick");
    let (before, waiting) = (found.already_asked, found.still_waiting);
    let mut lines = vec![format!("{verb} {count}")];
    if before > 0 {
        let before = counted(before, "tick");
        lines.push(format!(
            "asked for before: {before}, of which {waiting} not worked yet"
        ));
    }
    if window.from < found.known_from {
        let from = found.known_from;
        lines.push(format!(
            "what was missed before {from} is not on record, or not all of it"
        ));
    }
    lines.extend(found.ticks.iter().map(ToString::to_string));
    lines.join("\n")
}
