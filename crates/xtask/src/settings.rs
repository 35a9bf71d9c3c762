//! The settings that all verbs share.

use std::path::PathBuf;

use clap::Args;

/// What every verb may be told about the machine; all of it is found or made where it is not given.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Container engine to use, as `unix:///path` or `tcp://host:port`.
    /// Without one: the machine's Docker or Podman socket, else a Podman service of our own.
    #[arg(long, global = true, env = "DOCKER_HOST", value_name = "URL")]
    pub(crate) docker_host: Option<String>,
    /// PostgreSQL to use. Without one: a container of our own.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// Folder for what outlives a checkout, such as built images; `carrel` is appended.
    /// Without one: `~/.cache`.
    #[arg(long, global = true, env = "XDG_CACHE_HOME", value_name = "DIR")]
    pub(crate) cache_home: Option<PathBuf>,
}
