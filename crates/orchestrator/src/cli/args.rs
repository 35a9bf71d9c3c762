//! What each verb takes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use command_line::{Moment, PagedArgs, parse_duration};
use failure_classification::{FailureCode, Reference};
use session_identity::{ExamSessionId, IdPrefix, LoginId, Principal, Role, UserId};
use session_lifecycle::SessionState;

use super::cohort::{CohortArgs, Confirmation, MANY};

/// Which sessions, and which page of them.
#[derive(Debug, Args)]
pub struct SessionsListArgs {
    /// Only sessions in this state; may be given more than once
    #[arg(long, value_name = "STATE")]
    pub(super) state: Vec<SessionState>,
    /// Only this candidate's
    #[arg(long, value_name = "USER_ID", value_parser = user)]
    pub(super) user: Option<UserId>,
    /// Only of this exam
    #[arg(long, value_name = "NAME", value_parser = exam)]
    pub(super) exam: Option<String>,
    #[command(flatten)]
    pub(super) paged: PagedArgs,
    /// Goes on after this session: the `next_cursor` of the page before
    #[arg(long, value_name = "SESSION_ID")]
    pub(super) after: Option<ExamSessionId>,
    /// Only those with this reference, which a candidate reads aloud, such as 7F3K-22
    #[arg(long, value_name = "REFERENCE")]
    pub(super) reference: Option<Reference>,
    /// Only those that failed with this code, as `carrel failures codes` names it
    #[arg(long, value_name = "CODE")]
    pub(super) code: Option<FailureCode>,
    /// Only those requested since then: how long ago, such as 2h, or a date with its time and zone
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<Moment>,
}

/// Which session.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The session's id, or its beginning
    #[arg(value_name = "SESSION_ID")]
    pub(super) id: IdPrefix,
}

/// Whose session, of which exam.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The candidate
    #[arg(long, value_name = "USER_ID", value_parser = user)]
    pub(super) user_id: UserId,
    /// The exam
    #[arg(long, value_name = "NAME", value_parser = exam)]
    pub(super) exam: String,
    /// Its version; the newest when left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) exam_version: Option<i32>,
    /// Repeating the request with the same key finds the same session
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(super) idempotency_key: Option<String>,
    /// Says what would be made or found, by the same statements in a transaction that is rolled back
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The operator's user id; kept as `staff:<user id>`
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = user)]
    pub(super) actor: UserId,
}

/// How much more time, for whom, who grants it and why.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The session's id; without, --exam says which
    #[arg(value_name = "SESSION_ID")]
    pub(super) id: Option<ExamSessionId>,
    /// How much more, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) by: Duration,
    #[command(flatten)]
    pub(super) author: AuthorArgs,
    /// Repeating the extension with the same key moves each deadline once
    #[arg(long, visible_alias = "key", value_name = "KEY", value_parser = key)]
    pub(super) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(super) cohort: CohortArgs,
    /// How many sessions it will be, as --dry-run counts them; who gives it is not asked
    #[arg(long, value_name = "COUNT", conflicts_with = "id", help_heading = MANY)]
    pub(super) confirm: Option<usize>,
}

/// Which end, who ends it and why.
#[derive(Debug, Args)]
pub struct TerminateArgs {
    /// The session's id; without, --exam says which
    #[arg(value_name = "SESSION_ID")]
    pub(super) id: Option<ExamSessionId>,
    #[command(flatten)]
    pub(super) author: AuthorArgs,
    /// The session's id once more, or with --exam how many sessions it will be: ending an exam
    /// cannot be undone
    #[arg(long, value_name = "SESSION_ID|COUNT")]
    pub(super) confirm: Option<Confirmation>,
    #[command(flatten)]
    pub(super) cohort: CohortArgs,
}

/// For what to wait, and how long.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// The session's id
    #[arg(value_name = "SESSION_ID")]
    pub(super) id: ExamSessionId,
    /// What to wait for
    #[arg(long = "for", value_enum)]
    pub(super) what: WaitFor,
    /// How long at most
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub(super) timeout: Duration,
}

/// What a session may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// It can be attached to.
    Ready,
    /// The candidate has attached.
    Running,
    /// It is terminated or failed.
    Ended,
}

/// Who does it and why; both are kept.
#[derive(Debug, Args)]
pub struct AuthorArgs {
    /// The operator's user id; kept as `staff:<user id>`
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = user)]
    pub(super) actor: UserId,
    /// Why, for whoever reads the story
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: String,
}

/// Names whoever sits at this command line: operators are trusted by their access to the database.
pub(super) fn operator(user_id: UserId) -> Principal {
    Principal {
        user_id,
        role: Role::Operator,
        login_id: LoginId::new("cli"),
    }
}

pub(super) fn user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

pub(super) fn exam(text: &str) -> Result<String, String> {
    bounded(text, 63)
}

fn key(text: &str) -> Result<String, String> {
    bounded(text, 255)
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    bounded(text, 500)
}

fn bounded(text: &str, most: usize) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if length > most {
        return Err(format!("it has {length} characters, allowed are {most}"));
    }
    if text.contains(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    Ok(text.to_owned())
}
