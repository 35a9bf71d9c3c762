//! `carrel completions`: words for the shell, made from the very tree that parses.

use clap::{Args, Subcommand as _};
use clap_complete::Shell;
use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;

use crate::Command;

/// Names the shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Whose completions; with `-o text` the script alone is printed
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(&self) -> Result<Document, CliError> {
        let mut tree = tree();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut tree, "carrel", &mut script);
        let script = String::from_utf8(script).map_err(CliError::bug)?;
        let data = json!({ "shell": self.shell.to_string(), "script": script });
        Ok(Document::new("carrel/completions.v1", data).with_text(script))
    }
}

/// Gives the whole tree, with the flags that every command takes.
pub(crate) fn tree() -> clap::Command {
    let globals = GlobalArgs::augment_args(clap::Command::new("carrel"));
    Command::augment_subcommands(globals).subcommand_required(true)
}
