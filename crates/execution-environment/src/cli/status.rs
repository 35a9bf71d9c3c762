//! `status`: one view, and it says whose; or both, and where they differ.

use clap::{Args, ValueEnum};
use command_line::{CliError, Document, Exit, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgPool;

use super::{errors, meant};
use crate::{
    Difference, EnvironmentRecord, Observation, Purpose, RuntimeArgs, RuntimeKind, differences,
};

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
    /// Null in the database's view, and where the runtime asked for is not the row's.
    observation: Option<Observation>,
    /// Whether both views agree; null where only one was asked for.
    agrees: Option<bool>,
    /// What they say differently.
    differences: Vec<Difference>,
}

/// What was seen in the view that was asked for.
struct Seen {
    environment: EnvironmentRecord,
    observation: Option<Observation>,
    differences: Option<Vec<Difference>>,
}

pub(super) async fn run(args: StatusArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let environment = load(&pool, args.session_id).await?;
    let seen = match args.from {
        View::Database => Seen {
            environment,
            observation: None,
            differences: None,
        },
        View::Runtime => Seen {
            observation: Some(observe(&environment, &args.runtime).await?),
            environment,
            differences: None,
        },
        View::Both => both(&pool, environment, &args.runtime).await?,
    };
    let agrees = seen.differences.as_ref().map(Vec::is_empty);
    let answer = Answer {
        from: args.from,
        environment: seen.environment,
        observation: seen.observation,
        agrees,
        differences: seen.differences.unwrap_or_default(),
    };
    let exit = if agrees == Some(false) {
        Exit::Unhealthy
    } else {
        Exit::Ok
    };
    Ok(Document::new("execution-environment/status.v1", answer).with_exit(exit))
}

async fn load(pool: &PgPool, session_id: ExamSessionId) -> Result<EnvironmentRecord, CliError> {
    meant::environment(&mut *pool.acquire().await?, session_id).await
}

/// A row that a worker changed while the runtime was asked is compared once more.
async fn both(
    pool: &PgPool,
    environment: EnvironmentRecord,
    runtime: &RuntimeArgs,
) -> Result<Seen, CliError> {
    let version = environment.version;
    let seen = compare(environment, runtime).await?;
    let environment = load(pool, seen.environment.session_id).await?;
    if environment.version == version {
        return Ok(seen);
    }
    compare(environment, runtime).await
}

async fn compare(environment: EnvironmentRecord, runtime: &RuntimeArgs) -> Result<Seen, CliError> {
    let kind = RuntimeKind::from(runtime.runtime);
    let is_elsewhere = environment.runtime.is_some_and(|made_on| made_on != kind);
    // A runtime that knows nothing of it need not even be reachable to say so.
    let observation = if is_elsewhere {
        None
    } else {
        Some(observe(&environment, runtime).await?)
    };
    let seen = observation.as_ref().unwrap_or(&Observation::Absent);
    Ok(Seen {
        differences: Some(differences(&environment, kind, seen)),
        environment,
        observation,
    })
}

async fn observe(
    environment: &EnvironmentRecord,
    runtime: &RuntimeArgs,
) -> Result<Observation, CliError> {
    let Some(name) = &environment.runtime_name else {
        return Ok(Observation::Absent);
    };
    let runtime = runtime.clone().connect(Purpose::Read).await;
    let runtime = runtime.map_err(|error| errors::settings(&error))?;
    let seen = runtime.observe(name).await;
    seen.map_err(|error| errors::runtime(&error))
}
