//! Arguments the verbs share.

use clap::Args;
use command_line::{PagedArgs, WatchArgs};
use session_identity::{Actor, JobId, UserId};

use crate::JobAction;

/// One page of a listing.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// How many, and how they are shown.
    #[command(flatten)]
    pub(super) paged: PagedArgs,
    /// Whether it is looked at again.
    #[command(flatten)]
    pub(super) watch: WatchArgs,
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
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
}

impl ActionArgs {
    pub(super) fn action(&self) -> JobAction {
        let actor = Actor::Staff(self.actor.clone()).to_string();
        JobAction {
            actor,
            reason: self.reason.clone(),
        }
    }
}

/// Who and why, where nobody acts without a reason.
#[derive(Args, Debug)]
pub struct ReasonedActionArgs {
    /// The operator's user id; kept as `staff:<user id>`.
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = parse_user)]
    actor: UserId,
    /// Why, for whoever reads the log.
    #[arg(long, value_parser = parse_reason)]
    reason: String,
}

impl ReasonedActionArgs {
    pub(super) fn action(&self) -> JobAction {
        JobAction {
            actor: Actor::Staff(self.actor.clone()).to_string(),
            reason: Some(self.reason.clone()),
        }
    }
}

pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn parse_user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}
