//! `dlq …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use serde_json::json;
use sqlx::PgConnection;

use super::bulk::{self, Asked, EXITS};
use super::{ActionArgs, BulkArgs, ScopeArgs};
use crate::{BulkVerb, DeadGroup, JobFilter, JobState, list_dead_groups};

/// Shows dead jobs by what killed them, and gives them another try.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Groups dead jobs by kind, class and reason, without the reason's numbers, ids and names
    ///
    /// `--since`, `--until` and `--older-than` are about when jobs were made; shown is when they died.
    List {
        /// Which jobs.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Groups at most, the largest first, 1 to 500.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// Makes the dead jobs of a group ready again, with fresh attempts
    #[command(after_help = EXITS)]
    Redrive(RedriveArgs),
}

/// Which dead jobs, and how to go about it.
#[derive(Args, Debug)]
pub struct RedriveArgs {
    /// The group, as `dlq list` names it.
    #[arg(long, conflicts_with = "all")]
    group: Option<String>,
    /// Every dead job.
    #[arg(long)]
    all: bool,
    /// When they may start is spread evenly over this long from now.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    spread: Option<Duration>,
    /// How to go about it.
    #[command(flatten)]
    bulk: BulkArgs,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

impl RunCommand for DlqCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        match self {
            Self::List { scope, limit } => list(connection, &scope, limit).await,
            Self::Redrive(args) => {
                if args.group.is_none() && !args.all {
                    return Err(CliError::usage("group", "nothing says which dead jobs")
                        .next("name a --group of carrel dlq list, or give --all"));
                }
                let filter = JobFilter {
                    state: Some(JobState::Dead),
                    error_group: args.group,
                    ..JobFilter::default()
                };
                let spread = args.spread.unwrap_or_default();
                let asked = Asked {
                    verb: BulkVerb::Retry { spread },
                    filter,
                    all: args.all,
                    confirm: None,
                    bulk: &args.bulk,
                    action: args.action.action(),
                };
                bulk::run(connection, globals.output, asked).await
            }
        }
    }
}

async fn list(
    connection: &mut PgConnection,
    scope: &ScopeArgs,
    limit: i64,
) -> Result<Document, CliError> {
    let filter = scope.filter(connection).await?;
    let groups = list_dead_groups(connection, &filter, limit).await?;
    let lines: Vec<_> = groups.iter().map(line).collect();
    let data = json!({ "groups": groups });
    Ok(Document::new("job-queue/dlq-list.v1", data).with_text(lines.join("\n")))
}

fn line(row: &DeadGroup) -> String {
    let DeadGroup {
        group,
        kind,
        class,
        pattern,
        count,
        newest,
        ..
    } = row;
    let class = class.as_deref().unwrap_or("-");
    let pattern = pattern.as_deref().unwrap_or("");
    format!("{group}  {count:>7}  {kind}  {class}  newest {newest}  {pattern}")
}
