//! Other names for candidates whose sessions have been over for long: a hash that nobody can undo.

use std::fmt;
use std::time::Duration;

use clap::Args;
use environment_access::{count_named_access, pseudonymise_access};
use execution_environment::{count_named_environments, pseudonymise_environments};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use session_lifecycle::{
    count_named_sessions, count_named_transitions, pseudonymise_sessions, pseudonymise_transitions,
};
use sqlx::{Connection as _, PgConnection};

use crate::SweepError;

const DAY: Duration = Duration::from_hours(24);
/// Shorter ones could be guessed by whoever has the hashes and a list of candidates.
const SHORTEST_SECRET: usize = 32;

/// Whether candidates lose their names, when, and the secret that their other names are made with.
#[derive(Args, Clone, Debug, Default)]
pub struct PseudonymArgs {
    /// Days after the end of a session that its candidate's user id is replaced by a hash in sessions,
    /// their history, environments and the access log: 30 to 3650, or 0 never. Of free text only a
    /// session's own note and failure reason go: reasons of extensions and of other acts stay as they
    /// were written, so name no candidate in them. It cannot be undone.
    #[arg(
        long,
        env = "CARREL_PSEUDONYMISE_DAYS",
        default_value_t = 0,
        value_name = "DAYS",
        value_parser = days
    )]
    pub pseudonymise_days: u16,
    /// What the hashes are made with, 32 characters at least. The same user id and secret give the same
    /// hash; without the secret nobody can tell whose it is, not even by trying user ids.
    #[arg(
        long,
        env = "CARREL_PSEUDONYM_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub pseudonym_secret: Option<SecretString>,
}

fn days(days: &str) -> Result<u16, String> {
    let days = days.parse().ok();
    days.filter(|days| *days == 0 || (30..=3650).contains(days))
        .ok_or_else(|| "expected 30 to 3650 days, or 0 for never".to_owned())
}

/// Pseudonyms are wanted, and there is nothing good to make them with. What was given is not told.
#[derive(Debug, thiserror::Error)]
#[error(
    "--pseudonymise-days needs CARREL_PSEUDONYM_SECRET, of {SHORTEST_SECRET} characters at least"
)]
pub struct NoGoodSecret;

impl PseudonymArgs {
    /// After how long names go; `None`: never.
    pub fn after(&self) -> Option<Duration> {
        match self.pseudonymise_days {
            0 => None,
            days => Some(u32::from(days) * DAY),
        }
    }

    /// What is to be done; `None` where names stay.
    ///
    /// # Errors
    /// [`NoGoodSecret`] where names are to go, and no secret is given or one that could be guessed.
    pub fn policy(self) -> Result<Option<PseudonymPolicy>, NoGoodSecret> {
        let Some(after) = self.after() else {
            return Ok(None);
        };
        let is_long =
            |secret: &SecretString| secret.expose_secret().chars().count() >= SHORTEST_SECRET;
        let secret = self.pseudonym_secret.filter(is_long).ok_or(NoGoodSecret)?;
        Ok(Some(PseudonymPolicy {
            after,
            secret,
            batch: 1_000,
            batches: 50,
        }))
    }
}

/// When candidates lose their names, and how many rows at once.
#[derive(Clone, Debug)]
pub struct PseudonymPolicy {
    /// How long after the end of a session.
    pub after: Duration,
    /// What the other names are made with.
    pub secret: SecretString,
    /// Rows changed by one statement.
    pub batch: i64,
    /// Statements of one pass and table: what is left waits for the next, so that no pass is long.
    pub batches: usize,
}

/// Numbers of rows that name a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PseudonymCounts {
    /// Sessions.
    pub sessions: u64,
    /// Lines of their history.
    pub transitions: u64,
    /// Environments.
    pub environments: u64,
    /// Lines of the access log.
    pub access_log: u64,
}

impl PseudonymCounts {
    /// Every number with its table, for whoever counts by table.
    pub const fn by_table(&self) -> [(&'static str, u64); 4] {
        [
            ("exam_sessions", self.sessions),
            ("session_transitions", self.transitions),
            ("execution_environments", self.environments),
            ("access_log", self.access_log),
        ]
    }
}

impl fmt::Display for PseudonymCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = |count: u64| if count == 1 { "" } else { "s" };
        let (sessions, transitions) = (self.sessions, self.transitions);
        let (environments, lines) = (self.environments, self.access_log);
        write!(
            f,
            "{sessions} session{}, {transitions} line{} of history, {environments} environment{}, {lines} line{} of the access log",
            more(sessions),
            more(transitions),
            more(environments),
            more(lines),
        )
    }
}

/// Where a candidate is named.
#[derive(Clone, Copy)]
enum Named {
    Transitions,
    Environments,
    AccessLog,
    Sessions,
}

impl Named {
    /// The sessions last: whoever looks one up finds its history under the name that it has.
    const ALL: [Self; 4] = [
        Self::Transitions,
        Self::Environments,
        Self::AccessLog,
        Self::Sessions,
    ];

    /// Renames one batch and says how many rows it had.
    async fn rename(
        self,
        conn: &mut PgConnection,
        policy: &PseudonymPolicy,
    ) -> Result<u64, SweepError> {
        let (after, most) = (policy.after, policy.batch);
        let mut transaction = conn.begin().await?;
        set_secret(&mut transaction, &policy.secret).await?;
        let renamed = match self {
            Self::Transitions => pseudonymise_transitions(&mut transaction, after, most).await?,
            Self::Environments => pseudonymise_environments(&mut transaction, after, most).await?,
            Self::AccessLog => pseudonymise_access(&mut transaction, after, most).await?,
            Self::Sessions => pseudonymise_sessions(&mut transaction, after, most).await?,
        };
        transaction.commit().await?;
        Ok(renamed)
    }

    const fn of(self, counts: &mut PseudonymCounts) -> &mut u64 {
        match self {
            Self::Transitions => &mut counts.transitions,
            Self::Environments => &mut counts.environments,
            Self::AccessLog => &mut counts.access_log,
            Self::Sessions => &mut counts.sessions,
        }
    }
}

/// Tells the secret to the transaction alone. It is a parameter of nothing that may be slow: a server that
/// logs slow statements logs their parameters too.
async fn set_secret(conn: &mut PgConnection, secret: &SecretString) -> Result<(), SweepError> {
    let secret = secret.expose_secret();
    sqlx::query_scalar!(
        "SELECT set_config('carrel.pseudonym_secret', $1, true) IS NULL",
        secret
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Gives candidates of sessions that have been over for long another name wherever theirs is kept, a
/// bounded number of rows a pass, each batch in its own transaction. What has one is left alone, so
/// that a pass that was cut off is gone on with by the next.
///
/// # Errors
/// [`SweepError`]; what was renamed until then stays renamed.
pub async fn pseudonymise_old(
    conn: &mut PgConnection,
    policy: &PseudonymPolicy,
) -> Result<PseudonymCounts, SweepError> {
    let mut renamed = PseudonymCounts::default();
    for named in Named::ALL {
        for _ in 0..policy.batches {
            let rows = named.rename(conn, policy).await?;
            *named.of(&mut renamed) += rows;
            if rows < policy.batch.unsigned_abs() {
                break;
            }
        }
    }
    Ok(renamed)
}

/// Counts what [`pseudonymise_old`] would rename in as many passes as it takes.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn count_named(
    conn: &mut PgConnection,
    after: Duration,
) -> Result<PseudonymCounts, SweepError> {
    Ok(PseudonymCounts {
        sessions: count_named_sessions(conn, after).await?.unsigned_abs(),
        transitions: count_named_transitions(conn, after).await?.unsigned_abs(),
        environments: count_named_environments(conn, after).await?.unsigned_abs(),
        access_log: count_named_access(conn, after).await?.unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_unless_somebody_says_when_they_go_and_has_a_secret() {
        let never = PseudonymArgs::default().policy();
        assert!(never.unwrap().is_none());
        let mut args = PseudonymArgs {
            pseudonymise_days: 400,
            pseudonym_secret: None,
        };
        assert!(args.clone().policy().is_err());
        args.pseudonym_secret = Some(SecretString::from("s".repeat(31)));
        let told = args.clone().policy().unwrap_err().to_string();
        assert!(
            told.contains("32 characters") && !told.contains("sss"),
            "{told}"
        );
        args.pseudonym_secret = Some(SecretString::from("s".repeat(32)));
        let policy = args.policy().unwrap().unwrap();
        assert_eq!(policy.after, 400 * DAY);
        assert!(!format!("{policy:?}").contains("sss"), "{policy:?}");
    }

    #[test]
    fn names_stay_for_a_month_at_least() {
        assert_eq!(days("0"), Ok(0));
        assert_eq!(days("30"), Ok(30));
        for wrong in ["29", "3651", "-1", "long"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_of_each_is_one() {
        let one = PseudonymCounts {
            sessions: 1,
            transitions: 1,
            environments: 1,
            access_log: 1,
        };
        assert_eq!(
            one.to_string(),
            "1 session, 1 line of history, 1 environment, 1 line of the access log"
        );
    }
}
