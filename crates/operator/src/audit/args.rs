//! Which entries, and which page of them.

use chrono::{DateTime, Utc};
use clap::Args;
use command_line::{CliError, Moment, PagedArgs, Window};
use job_queue::database_now;
use session_identity::{ExamSessionId, JobId};
use sqlx::PgConnection;

use super::cursor::Cursor;

/// The authors that a bare user id may stand for.
const ROLES: [&str; 3] = ["staff", "service", "candidate"];

/// Which entries; flags that are left out do not narrow.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only what this user did, in whatever role, or with a role in front: `staff:dana`
    #[arg(long, value_name = "USER_ID", value_parser = parse_actor)]
    actor: Option<String>,
    /// Only what was done to this session, or to jobs about it that are still there (UUID)
    #[arg(long, value_name = "ID")]
    session_id: Option<ExamSessionId>,
    /// Only what was done to this job, or in it (UUID)
    #[arg(long, value_name = "JOB_ID")]
    job: Option<JobId>,
    /// Only since then: how long ago, such as 2h or 3d, or a date with its time and zone
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only before then, likewise
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// How many, and how they are shown.
    #[command(flatten)]
    pub(super) paged: PagedArgs,
    /// Goes on after this entry: the `next_cursor` of the page before
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<Cursor>,
}

/// The flags, settled by the database's clock.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// As stored.
    pub(super) actors: Option<Vec<String>>,
    pub(super) session_id: Option<ExamSessionId>,
    pub(super) job_id: Option<JobId>,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) cursor: Option<Cursor>,
}

impl AuditArgs {
    pub(super) async fn query(&self, connection: &mut PgConnection) -> Result<Query, CliError> {
        let now = database_now(connection).await?;
        let Window { from, before } = Window::settle(self.since, [self.until], now)?;
        Ok(Query {
            actors: self.actor.as_deref().map(spellings),
            session_id: self.session_id,
            job_id: self.job,
            from,
            before,
            cursor: self.cursor.clone(),
        })
    }
}

impl Query {
    /// The same, behind this entry where there is one.
    pub(super) fn after(&self, last: Option<Cursor>) -> Self {
        Self {
            cursor: last.or_else(|| self.cursor.clone()),
            ..self.clone()
        }
    }
}

/// A user id may hold a colon, so that `staff:dana` may also be one.
fn spellings(actor: &str) -> Vec<String> {
    let roles = ROLES.iter().map(|role| format!("{role}:{actor}"));
    std::iter::once(actor.to_owned()).chain(roles).collect()
}

fn parse_actor(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty; leave the flag out if it shall not narrow".to_owned());
    }
    if text.starts_with("system:") {
        return Err("what Carrel did by itself is not listed; name a user".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_user_is_looked_for_in_every_role_and_carrel_itself_not_at_all() {
        let wanted = spellings("dana");
        assert_eq!(
            wanted,
            ["dana", "staff:dana", "service:dana", "candidate:dana"]
        );
        for refused in ["", " ", "system:sweep"] {
            assert!(parse_actor(refused).is_err(), "{refused:?}");
        }
    }
}
