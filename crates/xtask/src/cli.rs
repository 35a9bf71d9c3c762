//! The verbs.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::settings::Settings;
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
