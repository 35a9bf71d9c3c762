//! `status`: one view at a time, and it says whose.

use clap::{Args, ValueEnum};
use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;

use super::errors;
use crate::{EnvironmentRecord, Observation, Purpose, RuntimeArgs, load_environment};

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
}

#[derive(Serialize)]
struct Answer {
    from: View,
    environment: EnvironmentRecord,
    /// Null in the database's view.
    observation: Option<Observation>,
}

pub(super) async fn run(args: StatusArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let environment = load_environment(&mut conn, args.session_id)
        .await
        .map_err(errors::store)?
        .ok_or_else(|| {
            CliError::not_found(format!("session {} has no environment", args.session_id))
        })?;
    let observation = match (args.from, &environment.runtime_name) {
        (View::Database, _) => None,
        (View::Runtime, None) => Some(Observation::Absent),
        (View::Runtime, Some(name)) => {
            let runtime = args.runtime.connect(Purpose::Read);
            let runtime = runtime.await.map_err(|error| errors::settings(&error))?;
            Some(
                runtime
                    .observe(name)
                    .await
                    .map_err(|error| errors::runtime(&error))?,
            )
        }
    };
    let answer = Answer {
        from: args.from,
        environment,
        observation,
    };
    Ok(Document::new("execution-environment/status.v1", answer))
}
