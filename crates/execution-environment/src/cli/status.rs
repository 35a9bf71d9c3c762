//! `status`: one view, and it says whose; or both, and where they differ.

use clap::{Args, ValueEnum};
use command_line::{CliError, Document, Exit, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;

use super::{errors, meant};
use crate::{Difference, EnvironmentRecord, Observation, Purpose, RuntimeArgs, differences};

/// Names the session and the view.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The session whose environment to show
    #[arg(long, value_name = "UUID")]
    pub session_id: ExamSessionId,
    /// Whose view to show
    #[arg(long, value_enum, default_value_t = View::Database)]
    pub from: View,
    /// Where the environments run; only asked for the runtime's view
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

/// Says whose view of an environment is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What the row says.
    Database,
    /// What an uncached read of the runtime says.
    Runtime,
    /// Both, with what they say differently; 9 where they do.
    Both,
}

#[derive(Serialize)]
struct Answer {
    from: View,
    environment: EnvironmentRecord,
    /// Null in the database's view.
    observation: Option<Observation>,
    /// Whether both views agree; null where only one was asked for.
    agrees: Option<bool>,
    /// What they say differently.
    differences: Vec<Difference>,
}

pub(super) async fn run(args: StatusArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let environment = meant::environment(&mut *pool.acquire().await?, args.session_id).await?;
    let kind = args.runtime.runtime.into();
    let observation = match args.from {
        View::Database => None,
        View::Runtime | View::Both => Some(observe(&environment, args.runtime).await?),
    };
    let differences = match &observation {
        Some(seen) if args.from == View::Both => Some(differences(&environment, kind, seen)),
        Some(_) | None => None,
    };
    let agrees = differences.as_ref().map(Vec::is_empty);
    let answer = Answer {
        from: args.from,
        environment,
        observation,
        agrees,
        differences: differences.unwrap_or_default(),
    };
    let exit = if agrees == Some(false) {
        Exit::Unhealthy
    } else {
        Exit::Ok
    };
    Ok(Document::new("execution-environment/status.v1", answer).with_exit(exit))
}

async fn observe(
    environment: &EnvironmentRecord,
    runtime: RuntimeArgs,
) -> Result<Observation, CliError> {
    let Some(name) = &environment.runtime_name else {
        return Ok(Observation::Absent);
    };
    let runtime = runtime.connect(Purpose::Read).await;
    let runtime = runtime.map_err(|error| errors::settings(&error))?;
    let seen = runtime.observe(name).await;
    seen.map_err(|error| errors::runtime(&error))
}
