//! The verbs of `cleanup-ttl`.

mod plan;

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, counted};
use environment_access::first_access_at;
use serde::Serialize;
use session_identity::{Actor, ExamSessionId, UserId};
use session_lifecycle::cli::cli_error;
use session_lifecycle::{EndingKind, Provenance, SessionState, load_session};
use sqlx::PgConnection;

use crate::records::goes_at;
use crate::{
    Deadline, DeadlineKind, ExpiryPolicy, PseudonymArgs, PseudonymCounts, PseudonymPolicy,
    RecordArgs, RecordCounts, RecordRetention, SweepError, Verdict, count_named, count_old_records,
    database_now, expire_due, judge, next_deadline, no_show_at, preview_due, pseudonymise_old,
    remove_old_records,
};

/// Says when a session's time is over, and ends those whose time is.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a session's next deadline and what happens at it.
    Check(CheckArgs),
    /// End every session whose time is over, and remove old records. Environments are torn down by the
    /// worker.
    Sweep(SweepArgs),
    /// Say what every sweep would do now if it is not paused, and do nothing.
    ///
    /// Exit code 9 when what the runtime has and what the rows say look like a wrong database.
    Plan(Box<plan::PlanArgs>),
}

/// Names one session.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
    /// How long records are kept.
    #[command(flatten)]
    records: RecordArgs,
}

/// Says how to sweep.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Say what would end and go, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Who sweeps; recorded as `staff:<user>`. Not asked with --dry-run.
    #[arg(long = "as", value_name = "USER", env = "CARREL_ACTOR", value_parser = parse_user,
          required_unless_present = "dry_run")]
    by: Option<UserId>,
    /// How long records are kept.
    #[command(flatten)]
    records: RecordArgs,
    /// When candidates lose their names.
    #[command(flatten)]
    pseudonyms: PseudonymArgs,
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Check(args) => check(globals, args).await,
            Self::Sweep(SweepArgs {
                dry_run: false,
                by: Some(by),
                records,
                pseudonyms,
            }) => {
                let pseudonyms = usable(pseudonyms)?;
                let actor = Actor::Staff(by);
                sweep(globals, actor, &records.into(), pseudonyms.as_ref()).await
            }
            Self::Sweep(args) => {
                let after = args.pseudonyms.after();
                preview(globals, &args.records.into(), after).await
            }
            Self::Plan(args) => plan::run(*args, globals).await,
        }
    }
}

/// Who sweeps by hand where the secret is not known takes nobody's name: the worker does.
fn usable(args: PseudonymArgs) -> Result<Option<PseudonymPolicy>, CliError> {
    if args.pseudonym_secret.is_none() {
        return Ok(None);
    }
    let policy = args.policy();
    policy.map_err(|error| CliError::usage("pseudonym-secret", error.to_string()))
}

fn parse_user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Checked {
    session_id: ExamSessionId,
    state: SessionState,
    server_time: DateTime<Utc>,
    deadline: Option<Deadline>,
    remaining_ms: Option<i64>,
    verdict: Verdict,
    next: &'static str,
    /// When it ends as a no-show unless somebody attaches; null where its exam waits for ever.
    no_show_at: Option<DateTime<Utc>>,
    /// When the first line of its access log goes; null without one.
    access_log_goes_at: Option<DateTime<Utc>>,
}

async fn check(globals: &GlobalArgs, args: CheckArgs) -> Result<Document, CliError> {
    let session_id = args.session_id;
    let retention = RecordRetention::from(args.records);
    let mut conn = globals.connect().await?.acquire().await?;
    let session = load_session(&mut conn, session_id)
        .await
        .map_err(|error| failed(error.into()))?
        .ok_or_else(|| {
            let mut told = CliError::not_found(format!("there is no session {session_id}"));
            told.field = Some("session-id".to_owned());
            "session.not_found".clone_into(&mut told.code);
            told
        })?;
    let server_time = database_now(&mut conn).await.map_err(failed)?;
    let deadline = next_deadline(&session);
    let verdict = judge(&session, server_time);
    let next = what_next(&verdict);
    let no_show_at = no_show_at(&mut conn, session_id).await.map_err(failed)?;
    let first = first_access_at(&mut conn, session_id).await;
    let first = first.map_err(|error| failed(error.into()))?;
    let checked = Checked {
        session_id,
        state: session.state,
        server_time,
        deadline,
        remaining_ms: deadline.map(|next| (next.at - server_time).num_milliseconds()),
        verdict,
        next,
        no_show_at,
        access_log_goes_at: goes_at(first, retention.access_log),
    };
    let text = format!("{session_id} {}: {next}\n", session.state);
    Ok(Document::new("cleanup-ttl/check.v1", checked).with_text(text))
}

fn what_next(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Final => "it has ended; nothing happens any more",
        Verdict::Expire { .. } => "its time is over; the next sweep ends it",
        Verdict::StartupMissed { .. } => "it was not ready in time; the next sweep fails it",
        Verdict::Wait { next } => match next.kind {
            DeadlineKind::Startup => "it must be ready by its deadline, else it fails",
            DeadlineKind::End | DeadlineKind::AbsoluteEnd => "it ends at its deadline",
        },
    }
}

/// One session that ended or would end.
#[derive(Debug, Serialize)]
struct Ended {
    session_id: ExamSessionId,
    ending: EndingKind,
}

#[derive(Serialize)]
struct Swept {
    dry_run: bool,
    ended: Vec<Ended>,
    /// Old records that went or would go.
    records: RecordCounts,
    /// Rows whose candidate got or would get another name; null where names stay.
    pseudonymised: Option<PseudonymCounts>,
}

async fn preview(
    globals: &GlobalArgs,
    retention: &RecordRetention,
    names_go_after: Option<Duration>,
) -> Result<Document, CliError> {
    let mut conn = globals.connect().await?.acquire().await?;
    let ended = due(&mut conn).await?;
    let records = count_old_records(&mut conn, retention).await;
    let named = named(&mut conn, names_go_after).await?;
    Ok(told(true, ended, records.map_err(failed)?, named))
}

/// What would get another name; `None` where names stay.
async fn named(
    conn: &mut PgConnection,
    names_go_after: Option<Duration>,
) -> Result<Option<PseudonymCounts>, CliError> {
    match names_go_after {
        Some(after) => Ok(Some(count_named(conn, after).await.map_err(failed)?)),
        None => Ok(None),
    }
}

/// Every session whose time is over.
async fn due(conn: &mut PgConnection) -> Result<Vec<Ended>, CliError> {
    let policy = ExpiryPolicy {
        batch: i64::MAX,
        ..ExpiryPolicy::default()
    };
    let due = preview_due(conn, &policy).await.map_err(failed)?;
    let ended = due
        .into_iter()
        .map(|(session_id, ending)| Ended { session_id, ending });
    Ok(ended.collect())
}

/// Sweeps batch by batch, each in its own transaction, until a batch is not full.
async fn sweep(
    globals: &GlobalArgs,
    actor: Actor,
    retention: &RecordRetention,
    pseudonyms: Option<&PseudonymPolicy>,
) -> Result<Document, CliError> {
    let provenance = Provenance {
        actor,
        cause: "sweep:expired".into(),
        job_id: None,
        trace: None,
    };
    let policy = ExpiryPolicy::default();
    let mut conn = globals.connect().await?.acquire().await?;
    let mut ended = Vec::new();
    loop {
        let batch = sweep_batch(&mut conn, &policy, &provenance).await?;
        let full = i64::try_from(batch.len()).is_ok_and(|length| length >= policy.batch);
        ended.extend(batch);
        if !full {
            break;
        }
    }
    let records = remove_old_records(&mut conn, retention).await;
    let renamed = match pseudonyms {
        Some(policy) => Some(pseudonymise_old(&mut conn, policy).await.map_err(failed)?),
        None => None,
    };
    Ok(told(false, ended, records.map_err(failed)?, renamed))
}

async fn sweep_batch(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
    provenance: &Provenance,
) -> Result<Vec<Ended>, CliError> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    let expired = expire_due(&mut tx, policy, provenance)
        .await
        .map_err(failed)?;
    tx.commit().await?;
    let ended = |done: crate::Expired| Ended {
        session_id: done.session.id,
        ending: done.ending,
    };
    Ok(expired.into_iter().map(ended).collect())
}

fn told(
    dry_run: bool,
    mut ended: Vec<Ended>,
    records: RecordCounts,
    pseudonymised: Option<PseudonymCounts>,
) -> Document {
    ended.sort_by_key(|done| done.session_id);
    let [end, remove, rename] = if dry_run {
        ["would end", "would remove", "would pseudonymise"]
    } else {
        ["ended", "removed", "pseudonymised"]
    };
    let sessions = counted(ended.len(), "session");
    let mut text = format!("{end} {sessions}\n{remove} {records}\n");
    if let Some(rows) = pseudonymised {
        // Writing to a string cannot fail.
        writeln!(text, "{rename} {rows}").ok();
    }
    let swept = Swept {
        dry_run,
        ended,
        records,
        pseudonymised,
    };
    Document::new("cleanup-ttl/sweep.v1", swept).with_text(text)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err calls")]
fn failed(error: SweepError) -> CliError {
    cli_error(error.class(), error.code(), &error)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_malformed_and_a_missing_id_are_usage_errors() {
        let kind = |words: &[&str]| Cli::try_parse_from(words).unwrap_err().kind();
        let malformed = kind(&["cleanup-ttl", "check", "--session-id", "0198"]);
        assert_eq!(malformed, ErrorKind::ValueValidation);
        assert_eq!(
            kind(&["cleanup-ttl", "check"]),
            ErrorKind::MissingRequiredArgument
        );
    }

    #[test]
    fn whoever_ends_sessions_says_who_and_whoever_only_looks_does_not() {
        let parse = |words: &[&str]| {
            let all = ["cleanup-ttl", "sweep"].iter().chain(words);
            Cli::try_parse_from(all)
                .map(drop)
                .map_err(|error| error.kind())
        };
        assert_eq!(parse(&[]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(parse(&["--as", "a b"]), Err(ErrorKind::ValueValidation));
        assert_eq!(parse(&["--as", "dana"]), Ok(()));
        assert_eq!(parse(&["--dry-run"]), Ok(()));
    }
}
