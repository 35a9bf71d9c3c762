//! Arguments the verbs share.

use clap::Args;
use command_line::CliError;
use session_identity::{Actor, JobId, UserId};

use crate::JobAction;

/// One page of a listing.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Jobs on a page, 1 to 500.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    pub(super) limit: i64,
    /// Goes on after this job: the `next_cursor` of the page before.
    #[arg(long, value_name = "JOB_ID")]
    pub(super) after: Option<JobId>,
}

/// Who does it and why; both are kept in `job_actions`.
#[derive(Debug, Args)]
pub struct ActionArgs {
    /// The operator's user id; kept as `staff:<user id>`.
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = parse_user)]
    actor: UserId,
    /// Why, for whoever reads the log.
    #[arg(long)]
    reason: Option<String>,
}

impl ActionArgs {
    /// The same where a reason is not optional.
    pub(super) fn with_reason(&self) -> Result<JobAction, CliError> {
        let action = self.action();
        let is_given = action
            .reason
            .as_deref()
            .is_some_and(|why| !why.trim().is_empty());
        if is_given {
            return Ok(action);
        }
        let message = "whoever does this says why";
        Err(CliError::usage("reason", message).next("--reason TEXT"))
    }

    pub(super) fn action(&self) -> JobAction {
        let actor = Actor::Staff(self.actor.clone()).to_string();
        JobAction {
            actor,
            reason: self.reason.clone(),
        }
    }
}

fn parse_user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}
