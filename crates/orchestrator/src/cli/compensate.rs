//! `sessions compensate`.

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs};
use environment_access::Interruption;
use serde_json::json;
use session_identity::{Actor, ExamSessionId, UserId};
use session_lifecycle::load_session;

use super::args::{operator, reason, user};
use super::cohort::{self, Agreed, CohortArgs, MANY, Work};
use super::failure;
use super::story::words::length_and_cause;
use crate::{CohortCompensation, CohortOutcome, Compensation, Debt, compensate_session};

/// To whom time is given back, and whether it is done or only shown.
#[derive(Debug, Args)]
pub struct CompensateArgs {
    /// The session's id; without, --exam says which
    #[arg(value_name = "SESSION_ID")]
    id: Option<ExamSessionId>,
    /// Gives the time back; without, it is only shown what is owed
    #[arg(long, requires_all = ["actor", "reason"])]
    apply: bool,
    /// The operator's user id; kept as `staff:<user id>`
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = user)]
    actor: Option<UserId>,
    /// Why, for whoever reads the story
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    cohort: CohortArgs,
    /// How many sessions the exam has, as shown without --apply; who gives it is not asked
    #[arg(long, value_name = "COUNT", conflicts_with = "id", requires = "apply", help_heading = MANY)]
    confirm: Option<usize>,
}

impl CompensateArgs {
    /// Who gives and why. Where nothing is given, nobody has to say so.
    fn compensation(&self) -> Compensation {
        let actor = self.actor.clone().map(|user| operator(user).actor());
        Compensation {
            actor: actor.unwrap_or(Actor::System("rehearsal")),
            reason: self
                .reason
                .clone()
                .unwrap_or_else(|| "rehearsal".to_owned()),
        }
    }
}

pub(super) async fn run(args: CompensateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    match args.id {
        Some(id) if args.apply && !args.cohort.dry_run => {
            apply(id, &args.compensation(), globals).await
        }
        Some(id) => propose(id, globals).await,
        None => many(&args, globals).await,
    }
}

async fn many(args: &CompensateArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let work = Work::Compensate(CohortCompensation {
        cohort: args.cohort.cohort()?,
        compensation: args.compensation(),
    });
    let agreed = Agreed::given(args.cohort.dry_run || !args.apply, args.confirm);
    cohort::run(&work, agreed, globals).await
}

async fn propose(id: ExamSessionId, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let session = load_session(&mut connection, id).await;
    session
        .map_err(failure::load)?
        .ok_or_else(|| failure::no_session(id))?;
    let debt = Debt::of(&mut connection, id).await.map_err(failure::step)?;
    let mut lines: Vec<_> = debt.interruptions.iter().map(line).collect();
    lines.push(total(&debt));
    if debt.due_seconds > 0 {
        lines.push(format!(
            "to give it back: carrel sessions compensate {id} --apply --as YOU --reason WHY"
        ));
    }
    let data = json!({ "session_id": id, "debt": debt });
    Ok(Document::new("orchestrator/sessions-debt.v1", data).with_text(lines.join("\n")))
}

async fn apply(
    id: ExamSessionId,
    compensation: &Compensation,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let outcome = compensate_session(&pool, id, compensation).await;
    let outcome = outcome.map_err(failure::step)?;
    let mut connection = pool.acquire().await?;
    let session = load_session(&mut connection, id).await;
    let session = session
        .map_err(failure::load)?
        .ok_or_else(|| failure::no_session(id))?;
    let debt = Debt::of(&mut connection, id).await.map_err(failure::step)?;
    let text = told(id, &outcome, &debt)?;
    let data = json!({ "result": outcome, "debt": debt, "session": session });
    let document = Document::new("orchestrator/sessions-compensate.v1", data).with_text(text);
    if outcome.is_as_asked() {
        return Ok(document);
    }
    Ok(document.with_exit(Exit::Partial))
}

/// What became of it in words.
///
/// # Errors
/// Conflict, where the rules say no.
fn told(id: ExamSessionId, outcome: &CohortOutcome, debt: &Debt) -> Result<String, CliError> {
    let refused = |message: String, code: &str| {
        CliError::conflict(message)
            .code(code)
            .next(format!("carrel sessions show {id}"))
    };
    Ok(match outcome {
        CohortOutcome::Granted {
            previous_end,
            new_end,
        } => format!("{id} ends {new_end} instead of {previous_end}"),
        CohortOutcome::Capped { new_end, .. } => {
            let due = debt.due_seconds;
            format!("{id} ends {new_end}, its cap: {due} s stay owed")
        }
        CohortOutcome::AlreadyGranted { new_end } => format!("{id} ends {new_end} already"),
        CohortOutcome::NothingOwed => format!("{id} is owed nothing"),
        CohortOutcome::Refused { code, reason } => return Err(refused(reason.clone(), code)),
        CohortOutcome::AlreadyEnded { state } => {
            let message = format!("{id} is {state}: no time can be given back");
            return Err(refused(message, "session.ended"));
        }
        CohortOutcome::Requested | CohortOutcome::AlreadyRequested => {
            return Err(CliError::conflict("a compensation ends no session"));
        }
    })
}

fn line(interruption: &Interruption) -> String {
    let from = interruption.from.format("%F %T");
    let whose = interruption.charged_to.as_str();
    let (lasted, cause) = length_and_cause(interruption);
    format!("  {from}  {lasted:>10}  {whose:<9}  {cause}")
}

fn total(debt: &Debt) -> String {
    let mut parts = vec![format!("owed {} s", debt.owed_seconds)];
    if debt.given_seconds > 0 {
        parts.push(format!("given back {} s", debt.given_seconds));
    }
    if debt.otherwise_extended_seconds > 0 {
        let other = debt.otherwise_extended_seconds;
        parts.push(format!(
            "extended by {other} s otherwise, perhaps for the same"
        ));
    }
    parts.push(format!("due {} s", debt.due_seconds));
    parts.join(", ")
}
