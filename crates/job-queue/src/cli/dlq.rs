//! `dlq …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, RunCommand, WatchArgs,
    parse_duration,
};

use super::bulk::{self, Asked, EXITS};
use super::reading::read_in_time;
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
        /// Whether it is looked at again.
        #[command(flatten)]
        watch: WatchArgs,
        /// How they are shown.
        #[command(flatten)]
        list: ListArgs,
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
    /// They may start this long from now, such as 10m, and not before; spread from then on.
    #[arg(long = "in", value_name = "DURATION", value_parser = parse_duration)]
    after: Option<Duration>,
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
            Self::List {
                scope,
                limit,
                watch,
                list,
            } => {
                let filter = scope.filter(connection).await?;
                let read = async || {
                    read_in_time(connection, async |it| {
                        list_dead_groups(it, &filter, limit).await
                    })
                    .await
                };
                LIST.whole_or_watched(globals, &list, &watch, read).await
            }
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
                let after = args.after.unwrap_or_default();
                let spread = args.spread.unwrap_or_default();
                let asked = Asked {
                    verb: BulkVerb::Retry { after, spread },
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

const LIST: List<DeadGroup> = List {
    schema: "job-queue/dlq-list.v1",
    rows: "groups",
    empty: "no dead job matches",
    name: |group| group.group.clone(),
    columns: &[
        Column::new("group", |group| group.group.as_str().into()),
        Column::new("count", |group| group.count.into()),
        Column::new("kind", |group| group.kind.as_str().into()),
        Column::new("class", |group| group.class.as_deref().into()),
        Column::new("newest", |group| group.newest.into()),
        Column::new("pattern", |group| group.pattern.as_deref().into()),
        Column::wide("oldest", |group| group.oldest.into()),
        Column::wide("sample", |group| Cell::words(group.sample_id)),
        Column::wide("sample_reason", |group| {
            group.sample_reason.as_deref().into()
        }),
    ],
};
