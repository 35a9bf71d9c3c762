//! `sessions watch`.

use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, Exit, GlobalArgs, parse_duration};
use session_identity::IdPrefix;
use session_status::cli::{Watch, watch};

use super::{failure, id};

/// Whose status, and for how long.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The session's id, or its beginning
    #[arg(value_name = "SESSION_ID")]
    id: IdPrefix,
    /// How long at most
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    timeout: Duration,
}

pub(super) async fn run(args: &WatchArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let session_id = id::find(&mut connection, &args.id).await?;
    let what = Watch {
        session_id,
        timeout: args.timeout,
        output: globals.output,
    };
    let watched = watch(&mut connection, &what).await;
    watched.map_err(|error| match error.exit {
        Exit::NotFound => failure::no_session(session_id),
        _ => error,
    })
}
