//! The verbs that change one job by its id, or many by a filter.

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, OutputFormat, parse_duration};
use sqlx::PgConnection;

use super::write::One;
use crate::cli::act::RehearsalArgs;
use crate::cli::bulk::{self, Asked, EXITS, MANY};
use crate::cli::queues::must_be_known;
use crate::cli::{ActionArgs, BulkArgs, FilterArgs};
use crate::{BulkVerb, JobFilter, JobPrefix};

/// Changes one job or many.
#[derive(Debug, Subcommand)]
pub enum ManyCommand {
    /// Makes dead or cancelled jobs ready again, with fresh attempts: one by its id, or many
    #[command(after_help = EXITS)]
    Retry {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// When they may start is spread evenly over this long from now.
        #[arg(
            long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "id",
            help_heading = MANY
        )]
        spread: Option<Duration>,
        /// They may start this long from now, such as 10m, and not before; spread from then on.
        #[arg(long = "in", value_name = "DURATION", value_parser = parse_duration)]
        after: Option<Duration>,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Cancels ready jobs and asks running ones to stop: one by its id, or many
    #[command(after_help = EXITS)]
    Cancel {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Puts ready jobs off: one by its id, or many
    #[command(after_help = EXITS)]
    Snooze {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// How long from now, such as 90s, 10m or 2h.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        lasts: Duration,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Has ready jobs wait in another queue
    #[command(after_help = EXITS)]
    Move {
        /// Which jobs.
        #[command(flatten)]
        many: ManyArgs,
        /// The queue they shall wait in.
        #[arg(long, value_name = "QUEUE")]
        to: String,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Deletes jobs that have ended, and their history
    ///
    /// `--older-than` and `--since` count from when a job was made, not from when it ended.
    #[command(after_help = EXITS)]
    Purge {
        /// Which jobs.
        #[command(flatten)]
        many: ManyArgs,
        /// How many jobs it will be, as --dry-run counts them.
        #[arg(long, value_name = "COUNT")]
        confirm: Option<i64>,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
}

/// The flags that say which jobs, and how to go about many.
const PLURAL: [&str; 17] = [
    "state",
    "queue",
    "kind",
    "session",
    "since",
    "until",
    "older_than",
    "error",
    "worker",
    "attempts",
    "payload",
    "id_file",
    "all",
    "expect",
    "rate",
    "no_wait",
    "timeout",
];

/// One job, or many.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// The job's id, or its beginning; without, the flags say which.
    #[arg(conflicts_with_all = PLURAL)]
    id: Option<JobPrefix>,
    /// Which jobs.
    #[command(flatten)]
    many: ManyArgs,
}

/// Many jobs, and how to go about it.
#[derive(Args, Debug)]
pub struct ManyArgs {
    /// Which jobs.
    #[command(flatten)]
    filter: FilterArgs,
    /// Every job there is, where no other flag says which.
    #[arg(long, help_heading = MANY)]
    all: bool,
    /// How to go about it.
    #[command(flatten)]
    bulk: BulkArgs,
}

impl ManyCommand {
    pub(super) async fn run(
        self,
        connection: &mut PgConnection,
        output: OutputFormat,
    ) -> Result<Document, CliError> {
        let asked = match &self {
            Self::Retry {
                target,
                spread,
                after,
                action,
            } => {
                let after = after.unwrap_or_default();
                if let Some(one) = target.one(action) {
                    return one.retry(connection, after).await;
                }
                let spread = spread.unwrap_or_default();
                let verb = BulkVerb::Retry { after, spread };
                target.many.asked(connection, verb, action).await?
            }
            Self::Cancel { target, action } => {
                if let Some(one) = target.one(action) {
                    return one.cancel(connection, output, target.many.bulk.yes).await;
                }
                let many = &target.many;
                many.asked(connection, BulkVerb::Cancel, action).await?
            }
            Self::Snooze {
                target,
                lasts,
                action,
            } => {
                if let Some(one) = target.one(action) {
                    return one.snooze(connection, *lasts).await;
                }
                let verb = BulkVerb::Snooze { lasts: *lasts };
                target.many.asked(connection, verb, action).await?
            }
            Self::Move { many, to, action } => {
                must_be_known(connection, "to", to).await?;
                let verb = BulkVerb::Move { to: to.clone() };
                many.asked(connection, verb, action).await?
            }
            Self::Purge {
                many,
                confirm,
                action,
            } => Asked {
                confirm: *confirm,
                ..many.asked(connection, BulkVerb::Purge, action).await?
            },
        };
        bulk::run(connection, output, asked).await
    }
}

impl TargetArgs {
    /// The one job, where one is named.
    fn one(&self, action: &ActionArgs) -> Option<One<'_>> {
        let dry_run = self.many.bulk.dry_run;
        self.id.as_ref().map(|id| One {
            id,
            rehearsal: RehearsalArgs { dry_run },
            action: action.action(),
        })
    }
}

impl ManyArgs {
    async fn asked(
        &self,
        connection: &mut PgConnection,
        verb: BulkVerb,
        action: &ActionArgs,
    ) -> Result<Asked<'_>, CliError> {
        let filter = self.filter.filter(connection).await?;
        if self.all && filter != JobFilter::default() {
            return Err(
                CliError::usage("all", "--all and flags that narrow are both given")
                    .next("leave --all out, or the others"),
            );
        }
        Ok(Asked {
            verb,
            filter,
            all: self.all,
            confirm: None,
            bulk: &self.bulk,
            action: action.action(),
        })
    }
}
