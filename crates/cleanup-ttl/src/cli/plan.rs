//! `plan`: what every sweep would do now.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use execution_environment::cli::errors;
use execution_environment::{Purpose, RuntimeArgs, RuntimeKind, RuntimeUid, sightings};
use serde::Serialize;
use session_identity::ExamSessionId;
use session_lifecycle::{find_past_startup, load_session};
use sqlx::{PgConnection, PgPool};

use super::{Ended, due, failed, named};
use crate::{
    Deletion, ExpiryPolicy, PseudonymArgs, PseudonymCounts, RecordArgs, RecordCounts, SweepError,
    SweepPlan, Verdict, count_old_records, database_now, find_no_shows, find_unconfirmed_teardowns,
    judge, survey,
};

/// Whether the runtime is asked, and where it is.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Ask the database alone: no orphans, no lost environments
    #[arg(long)]
    rows_only: bool,
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    pseudonyms: PseudonymArgs,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Debug, Serialize)]
struct Planned {
    server_time: DateTime<Utc>,
    /// What `sweep_expired` would end.
    expired: Vec<Ended>,
    /// What `sweep_stuck` would fail.
    stuck: Vec<ExamSessionId>,
    /// What it would end because nobody ever attached.
    no_shows: Vec<ExamSessionId>,
    /// Whose destruction `sweep_teardowns` would enqueue, unless it is enqueued.
    teardowns: Vec<ExamSessionId>,
    /// Old records that `sweep_history` would remove.
    records: RecordCounts,
    /// Rows whose candidate it would give another name; null where names stay.
    pseudonymise: Option<PseudonymCounts>,
    /// Null with `--rows-only`.
    runtime: Option<Compared>,
}

/// What `sweep_runtime` would do.
#[derive(Debug, Serialize)]
struct Compared {
    kind: RuntimeKind,
    #[serde(flatten)]
    plan: SweepPlan,
    /// What it would delete now: an orphan that was sighted for long enough, and older attempts.
    deletions: Vec<Deletion>,
    /// For how many seconds each orphan was known at its last sighting.
    known_for_seconds: HashMap<String, u64>,
}

pub(super) async fn run(args: PlanArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let mut planned = Planned {
        server_time: database_now(&mut conn).await.map_err(failed)?,
        expired: due(&mut conn).await?,
        stuck: stuck(&mut conn).await.map_err(failed)?,
        no_shows: find_no_shows(&mut conn, i64::MAX).await.map_err(failed)?,
        teardowns: find_unconfirmed_teardowns(&mut conn, i64::MAX)
            .await
            .map_err(failed)?,
        records: count_old_records(&mut conn, &args.records.into())
            .await
            .map_err(failed)?,
        pseudonymise: named(&mut conn, args.pseudonyms.after()).await?,
        runtime: None,
    };
    drop(conn);
    if !args.rows_only {
        planned.runtime = Some(compare(args.runtime, &pool).await?);
    }
    let refused = planned
        .runtime
        .as_ref()
        .is_some_and(|it| it.plan.refusal.is_some());
    let text = lines(&planned).join("\n");
    let document = Document::new("cleanup-ttl/plan.v1", planned).with_text(text);
    Ok(if refused {
        document.with_exit(Exit::Unhealthy)
    } else {
        document
    })
}

async fn stuck(conn: &mut PgConnection) -> Result<Vec<ExamSessionId>, SweepError> {
    let now = database_now(conn).await?;
    let mut stuck = Vec::new();
    for id in find_past_startup(conn, i64::MAX).await? {
        let session = load_session(conn, id).await?;
        let is_missed = session
            .is_some_and(|session| matches!(judge(&session, now), Verdict::StartupMissed { .. }));
        stuck.extend(is_missed.then_some(id));
    }
    Ok(stuck)
}

async fn compare(runtime: RuntimeArgs, pool: &PgPool) -> Result<Compared, CliError> {
    let runtime = runtime.connect(Purpose::Read).await;
    let runtime = runtime.map_err(|error| errors::settings(&error))?;
    let policy = ExpiryPolicy::default();
    let plan = match survey(pool, &*runtime, &policy).await {
        Ok(survey) => survey.plan,
        Err(SweepError::Runtime(error)) => return Err(errors::runtime(&error)),
        Err(error) => return Err(failed(error)),
    };
    let mut conn = pool.acquire().await?;
    let known: HashMap<RuntimeUid, Duration> = sightings(&mut conn, runtime.kind())
        .await
        .map_err(|error| failed(error.into()))?;
    Ok(Compared {
        kind: runtime.kind(),
        deletions: plan.deletions(&known, &policy),
        plan,
        known_for_seconds: known
            .into_iter()
            .map(|(uid, age)| (uid.to_string(), age.as_secs()))
            .collect(),
    })
}

fn lines(planned: &Planned) -> Vec<String> {
    let mut lines = vec![
        format!("sweep_expired    would end {}", planned.expired.len()),
        format!(
            "sweep_stuck      would fail {}, end {} that nobody attached to",
            planned.stuck.len(),
            planned.no_shows.len()
        ),
        format!("sweep_teardowns  would destroy {}", planned.teardowns.len()),
        format!("sweep_history    would remove {}", planned.records),
    ];
    if let Some(rows) = planned.pseudonymise {
        lines.push(format!("sweep_history    would pseudonymise {rows}"));
    }
    lines.push(match &planned.runtime {
        None => "sweep_runtime    not asked".to_owned(),
        Some(Compared {
            plan,
            deletions,
            kind,
            ..
        }) => match &plan.refusal {
            Some(refusal) => format!("sweep_runtime    REFUSES to touch anything: {refusal:?}"),
            None => format!(
                "sweep_runtime    {} on {kind}: would delete {}, keep an eye on {} without a row, look at {} again",
                plan.listed,
                deletions.len(),
                plan.orphans.len(),
                plan.recheck.len()
            ),
        },
    });
    lines
}
