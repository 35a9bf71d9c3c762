//! The verbs and the settings they share.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::workspace::Workspace;
use crate::{check, images, keeper, kube, shell, sqlx, test, up};

/// Everything a contributor runs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub(crate) struct Xtask {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    settings: Settings,
}

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

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts the whole system here, with a demo session to open in a browser.
    Up(up::UpArgs),
    /// Runs every suite and prints the totals.
    Test(test::TestArgs),
    /// Runs every gate that needs no running system: format, lints, docs, queries, sizes, page.
    Check(check::CheckArgs),
    /// Builds the container images from the machine's own packages, without any image registry.
    Images(images::ImagesArgs),
    /// Runs a real single-node Kubernetes on this machine.
    Kube(kube::KubeArgs),
    /// Builds the static keeper and prints where it lies, for `CARREL_KEEPER`.
    Keeper,
    /// Renews `.sqlx/`, the checked queries, against a freshly migrated database.
    Sqlx,
}

impl Xtask {
    /// Runs the chosen verb.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let workspace = Workspace::find(&self.settings)?;
        match self.verb {
            Verb::Up(args) => up::run(&workspace, &self.settings, &args),
            Verb::Test(args) => test::run(&workspace, &self.settings, &args),
            Verb::Check(args) => check::run(&workspace, &self.settings, &args),
            Verb::Images(args) => images::run(&workspace, &self.settings, &args),
            Verb::Kube(args) => kube::run(&workspace, &self.settings, &args),
            Verb::Keeper => {
                shell::say(&keeper::build(&workspace)?.display().to_string());
                Ok(ExitCode::SUCCESS)
            }
            Verb::Sqlx => sqlx::run(&workspace, &self.settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_well_formed() {
        super::Xtask::command().debug_assert();
    }
}
