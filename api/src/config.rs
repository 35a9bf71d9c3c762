//! The settings after they were checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use command_line::CliError;
use environment_access::{KeyError, PageOrigin, TokenConfig};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use url::Url;

use crate::args::{ApiArgs, PAGE_IN_CHECKOUT};

/// What the database calls its connections.
const PROCESS: &str = "carrel-api";
/// A request that waits longer for a connection is better told to come back.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);

/// Holds everything that `build` needs.
#[derive(Debug)]
pub struct ApiConfig {
    /// The database. It need not answer yet: the process starts and says that it is not ready.
    pub pool: PgPool,
    /// One connection past any pooler, for listening.
    pub listening: PgPool,
    /// Who may sign logins.
    pub tokens: TokenConfig,
    /// Where the API answers; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics and probes answer; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// Folder of the built page, if there is one to serve.
    pub page_dir: Option<PathBuf>,
    /// Origins that may write with the cookie; empty stands for the process's own address.
    pub page_origins: Vec<PageOrigin>,
    /// Where browsers reach the terminal process.
    pub terminal_url: Url,
}

/// Reports settings that do not fit together or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no database address, or it does not parse.
    #[error("read the database's address (--database-url, --direct-database-url)")]
    Database(#[from] CliError),
    /// The keys for logins cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl TryFrom<ApiArgs> for ApiConfig {
    type Error = ConfigError;

    fn try_from(args: ApiArgs) -> Result<Self, ConfigError> {
        let options = args.database.options()?;
        let pool = PgPoolOptions::new()
            .max_connections(args.database.max_connections)
            .acquire_timeout(ACQUIRE_WITHIN)
            .connect_lazy_with(options.application_name(PROCESS));
        Ok(Self {
            pool,
            listening: args.direct.listening(&args.database, PROCESS)?,
            tokens: args.tokens.try_into()?,
            listen: args.listen,
            admin_listen: args.admin_listen,
            page_dir: args.page_dir.or_else(page_in_checkout),
            page_origins: args.page_origins,
            terminal_url: args.terminal_url,
        })
    }
}

/// Serves the page of a checkout without being told, where it is built.
fn page_in_checkout() -> Option<PathBuf> {
    let folder = Path::new(PAGE_IN_CHECKOUT);
    folder
        .join("index.html")
        .is_file()
        .then(|| folder.to_owned())
}
