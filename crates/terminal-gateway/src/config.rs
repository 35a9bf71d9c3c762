//! The settings after they were checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use command_line::CliError;
use environment_access::{KeyError, Origins, TokenConfig};
use execution_environment::{EnvironmentRuntime, Purpose, RuntimeConfigError};
use session_recording::KeyFileError;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use thiserror::Error;

use crate::args::GatewayArgs;
use crate::authority::POLL_EVERY;
use crate::readings::ReadOn;
use crate::spool::RecordingSpool;

/// What the database calls its connections.
const PROCESS: &str = "carrel-terminal";
/// A request that waits longer for a connection is better told to come back.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);

/// Holds everything that `build` needs.
#[derive(Debug)]
pub struct GatewayConfig {
    /// The database. It need not answer yet: the process starts and says that it is not ready.
    pub pool: PgPool,
    /// One connection past any pooler, for listening.
    pub listening: PgPool,
    /// Who may sign logins.
    pub tokens: TokenConfig,
    /// The page origins that may attach.
    pub origins: Origins,
    /// What runs the environments.
    pub runtime: Arc<dyn EnvironmentRuntime>,
    /// Where terminals are reached; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics and probes answer; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// Where recordings wait for the database; without it nothing can be recorded.
    pub recording: Option<RecordingSpool>,
    /// How recorded shells are shared with other terminal processes.
    pub read_on: ReadOn,
    /// Terminals served at most.
    pub max_terminals: usize,
    /// Threads that serve them; `None` for one a processor.
    pub workers: Option<usize>,
    /// How often what the database says of all terminals is read, whatever is heard meanwhile.
    pub poll_every: Duration,
}

/// Reports settings that do not fit together or cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no database address, or it does not parse.
    #[error("read the database's address (--database-url, --direct-database-url)")]
    Database(#[source] CliError),
    /// The keys for logins cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The key that signs recordings cannot be used.
    #[error(
        "read the key that signs recordings (--recording-signing-key-file, CARREL_RECORDING_SIGNING_KEY_FILE)"
    )]
    SigningKey(#[from] KeyFileError),
    /// The runtime was not named well.
    #[error(transparent)]
    Runtime(#[from] RuntimeConfigError),
}

impl GatewayConfig {
    /// How often all terminals are read where a process runs as it comes.
    pub const POLL_EVERY: Duration = POLL_EVERY;

    /// Checks the settings; neither the database nor the runtime need answer yet.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting at fault.
    ///
    /// # Panics
    /// Never: the command line refuses more terminals than any machine can count.
    pub async fn from_args(args: GatewayArgs) -> Result<Self, ConfigError> {
        let options = args.database.options().map_err(ConfigError::Database)?;
        let pool = PgPoolOptions::new()
            .max_connections(args.database.max_connections)
            .acquire_timeout(ACQUIRE_WITHIN)
            .connect_lazy_with(options.application_name(PROCESS));
        let listening = args.direct.listening(&args.database, PROCESS);
        Ok(Self {
            pool,
            listening: listening.map_err(ConfigError::Database)?,
            tokens: args.tokens.try_into()?,
            origins: Origins::new(args.page_origins),
            runtime: args.runtime.connect(Purpose::Attach).await?,
            listen: args.listen,
            admin_listen: args.admin_listen,
            recording: args.recording.spool()?,
            max_terminals: usize::try_from(args.max_terminals).expect("at most 4000"),
            workers: args.workers.map(usize::from),
            poll_every: POLL_EVERY,
            read_on: ReadOn::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_is_named_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone.pem");
        let mut words = vec!["carrel-terminal", "--recording-spool", "/spool"];
        words.extend(["--recording-signing-key-file", gone.to_str().unwrap()]);
        let args = GatewayArgs::try_parse_from(words).unwrap();
        let refused = args.recording.spool().map_err(ConfigError::from);
        let refused = refused.unwrap_err();
        let (setting, file) = (refused.to_string(), refused.source().unwrap().to_string());
        assert!(
            setting.contains("CARREL_RECORDING_SIGNING_KEY_FILE"),
            "{setting}"
        );
        assert!(file.contains("gone.pem"), "{file}");
    }
}
