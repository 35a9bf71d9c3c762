//! Flags that every command line and process shares, each also an environment variable.

use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::CliError;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// One JSON document: the contract.
    #[default]
    Json,
    /// For people; promises nothing.
    Text,
    /// A list for people, with every column.
    #[value(hide = true)]
    Wide,
    /// A list as a row of names, then a row each, with tabs between.
    #[value(hide = true)]
    Tsv,
    /// One JSON document a line; of a list, one for each row.
    #[value(hide = true)]
    Jsonl,
    /// A list as what names each row, one a line.
    #[value(hide = true)]
    Name,
}

impl OutputFormat {
    /// Whether a person reads it, errors included; all else is for programs.
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Text | Self::Wide)
    }

    /// Whether it says something of a list alone: how its rows are laid out.
    pub(crate) const fn needs_list(self) -> bool {
        matches!(self, Self::Wide | Self::Tsv | Self::Name)
    }
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL, as postgres://user@host:port/database
    #[arg(
        long,
        env = "CARREL_DATABASE_URL",
        hide_env_values = true,
        global = true
    )]
    pub database_url: Option<SecretString>,

    /// Connections at most
    #[arg(
        long,
        env = "CARREL_DATABASE_CONNECTIONS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        global = true
    )]
    pub max_connections: u32,
}

impl DatabaseArgs {
    /// Gives the address, or the error that says how to set it.
    ///
    /// # Errors
    /// A usage error for `database-url` when none was given.
    pub fn require(&self) -> Result<&SecretString, CliError> {
        self.database_url.as_ref().ok_or_else(|| {
            CliError::usage("database-url", "no database was named")
                .next("give --database-url or set CARREL_DATABASE_URL")
        })
    }

    /// Reads the address, without connecting.
    ///
    /// # Errors
    /// A usage error for `database-url` when it is missing or malformed; the address itself, which
    /// may hold a password, is never repeated.
    pub fn options(&self) -> Result<PgConnectOptions, CliError> {
        self.require()?.expose_secret().parse().map_err(|_| {
            CliError::usage("database-url", "the address of the database does not parse")
                .next("write it as postgres://user@host:port/database")
        })
    }

    /// Opens a pool and proves that the database answers. Of slow statements nothing is logged: an error
    /// is the only document on stderr.
    ///
    /// # Errors
    /// Usage when the address is missing or malformed, transient when nothing answers within 5 s.
    pub async fn connect(&self) -> Result<PgPool, CliError> {
        let pool = PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(self.options()?.disable_statement_logging())
            .await?;
        Ok(pool)
    }
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,

    /// How results are printed
    #[arg(
        long,
        short,
        value_enum,
        env = "CARREL_OUTPUT",
        default_value_t,
        global = true
    )]
    pub output: OutputFormat,

    /// What is logged to stderr, such as `info` or `job_queue=debug`
    #[arg(long, env = "CARREL_LOG", default_value = "warn", global = true)]
    pub log: String,
}

impl GlobalArgs {
    /// Opens the database that the flags name.
    ///
    /// # Errors
    /// As [`DatabaseArgs::connect`].
    pub async fn connect(&self) -> Result<PgPool, CliError> {
        self.database.connect().await
    }
}
