//! `verify`: the proof of isolation once more, in the environment that is there.

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use failure_classification::Phase;
use serde::{Deserialize as _, Serialize};
use session_identity::ExamSessionId;
use sqlx::PgPool;

use super::{errors, meant};
use crate::{
    Admitted, EnvironmentRecord, EnvironmentSpec, EnvironmentState, ExamDefinition, IsolationGap,
    IsolationReport, IsolationWaiver, Protection, Purpose, RuntimeArgs, RuntimeName, RuntimeUid,
    StoreError, find_valid_waiver, judge, needed_waiver,
};

/// Names the session and the runtime.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The session whose environment to prove once more
    #[arg(long, value_name = "UUID")]
    pub session_id: ExamSessionId,
    /// Where the environments run
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

#[derive(Serialize)]
struct Answer {
    session_id: ExamSessionId,
    name: RuntimeName,
    uid: RuntimeUid,
    /// Whether nothing is weaker than declared.
    proven: bool,
    /// Every protection, in the order of their table.
    protections: Vec<Held>,
    /// What lets it be used in spite of its gaps; null without.
    waiver: Option<IsolationWaiver>,
    found: IsolationReport,
    declared: ExamDefinition,
}

#[derive(Serialize)]
struct Held {
    protection: Protection,
    holds: bool,
    /// Null where it holds.
    declared: Option<String>,
    /// Null where it holds.
    found: Option<String>,
}

pub(super) async fn run(args: VerifyArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let record = meant::environment(&mut *pool.acquire().await?, args.session_id).await?;
    let (name, uid) = meant::object(&record)?;
    meant::must_be_on(&record, &args.runtime)?;
    let declared = declared(&record)?;
    let runtime = args.runtime.connect(Purpose::Read).await;
    let runtime = runtime.map_err(|error| errors::settings(&error))?;
    let found = runtime.verify(name, uid, &declared).await;
    let found = found.map_err(|error| errors::runtime_in(phase(&record), &error))?;
    let found = as_made(&record, found);
    let gaps = judge(&found, &declared);
    let answer = Answer {
        session_id: args.session_id,
        name: name.clone(),
        uid: uid.clone(),
        proven: gaps.is_empty(),
        protections: Protection::ALL.map(|one| held(one, &gaps)).into(),
        waiver: waiver(&pool, &gaps).await?,
        found,
        declared,
    };
    Ok(document(answer))
}

/// What was declared when it was made, whatever its exam says by now.
fn declared(record: &EnvironmentRecord) -> Result<ExamDefinition, CliError> {
    let spec = record.spec.clone().unwrap_or_default();
    let spec: Result<EnvironmentSpec, _> = serde_json::from_value(spec);
    let spec = spec.map_err(|source| StoreError::Inconsistent {
        table: "execution_environments",
        column: "spec",
        id: record.session_id.to_string(),
        source: source.into(),
    });
    Ok(spec.map_err(errors::store)?.exam)
}

/// What breaks an environment that was ready is another failure than what kept one from it.
fn phase(record: &EnvironmentRecord) -> Phase {
    if record.state == EnvironmentState::Up {
        Phase::AfterReady
    } else {
        Phase::BeforeReady
    }
}

/// Judged by the settings it was made with, where its first proof tells them, and not by those of
/// whoever verifies.
fn as_made(record: &EnvironmentRecord, mut found: IsolationReport) -> IsolationReport {
    let evidence = record.evidence.as_ref();
    let made = evidence.and_then(|evidence| Admitted::deserialize(&evidence["admitted"]).ok());
    if let Some(made) = made {
        found.admitted = found.admitted.with_settings_of(&made);
    }
    found
}

fn held(protection: Protection, gaps: &[IsolationGap]) -> Held {
    let gap = gaps.iter().find(|gap| gap.protection == protection);
    Held {
        protection,
        holds: gap.is_none(),
        declared: gap.map(|gap| gap.expected.clone()),
        found: gap.map(|gap| gap.found.clone()),
    }
}

async fn waiver(pool: &PgPool, gaps: &[IsolationGap]) -> Result<Option<IsolationWaiver>, CliError> {
    let Some(protection) = needed_waiver(gaps) else {
        return Ok(None);
    };
    let mut conn = pool.acquire().await?;
    let waiver = find_valid_waiver(&mut conn, protection).await;
    waiver.map_err(errors::store)
}

/// Weaker than declared is 9, unless an operator decided to do without that proof.
fn document(answer: Answer) -> Document {
    let exit = if answer.proven || answer.waiver.is_some() {
        Exit::Ok
    } else {
        Exit::Unhealthy
    };
    let text = text(&answer);
    Document::new("execution-environment/verify.v1", answer)
        .with_text(text)
        .with_exit(exit)
}

fn text(answer: &Answer) -> String {
    let first = match (answer.proven, &answer.waiver) {
        (true, _) => "proven: nothing is weaker than declared".to_owned(),
        (false, Some(waiver)) => format!("waived: {} ({})", waiver.protection, waiver.reason),
        (false, None) => "NOT PROVEN: weaker than declared".to_owned(),
    };
    let lines = answer.protections.iter().map(|held| {
        let (declared, found) = (held.declared.as_deref(), held.found.as_deref());
        match declared.zip(found) {
            None => format!("  {:<18} as declared", held.protection.as_str()),
            Some((declared, found)) => {
                let protection = held.protection.as_str();
                format!("  {protection:<18} WEAKER: declared {declared}, found {found}")
            }
        }
    });
    let all: Vec<String> = std::iter::once(first).chain(lines).collect();
    all.join("\n")
}
