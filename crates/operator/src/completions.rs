//! `carrel completions`: a script for the shell, which asks `carrel` itself for the words.

mod line;
mod names;
mod offer;
mod place;
mod quote;
mod stored;
mod word;

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand as _, ValueEnum};
use command_line::{CliError, DatabaseArgs, Document, GlobalArgs, parse_duration};
use secrecy::SecretString;
use serde_json::json;

use crate::Command;
use place::Place;
use word::Word;

/// A shell that asks a program for words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completions/scripts/carrel.bash"),
            Self::Elvish => include_str!("completions/scripts/carrel.elv"),
            Self::Fish => include_str!("completions/scripts/carrel.fish"),
            Self::Powershell => include_str!("completions/scripts/carrel.ps1"),
            Self::Zsh => include_str!("completions/scripts/carrel.zsh"),
        }
    }
}

/// Names the shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Whose completions; with `-o text` the script alone is printed
    shell: Shell,
    /// How long the database may take to say names while you wait for words; then the words stand that
    /// need no database
    #[arg(
        long, value_name = "DURATION", env = "CARREL_COMPLETION_BUDGET", default_value = "300ms",
        value_parser = parse_duration
    )]
    budget: Duration,
    /// What the script calls: prints the words that may stand for this one, one a line, and never an
    /// error. Of bash what it would replace.
    #[arg(long, value_name = "WORD", hide = true, allow_hyphen_values = true)]
    typed: Option<String>,
    /// Of bash, which splits words at more than spaces: the line up to the cursor.
    #[arg(
        long,
        value_name = "LINE",
        hide = true,
        allow_hyphen_values = true,
        requires = "typed"
    )]
    line: Option<String>,
    /// Of all others: the words before it, `carrel` the first.
    #[arg(last = true, hide = true, requires = "typed")]
    before: Vec<OsString>,
}

impl CompletionsArgs {
    pub(crate) async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let Some(typed) = &self.typed else {
            return Ok(self.script());
        };
        let asked = match &self.line {
            Some(line) => line::Asked::of_line(line, typed),
            None => line::Asked::of_words(&self.before, typed),
        };
        let mut tree = tree();
        tree.build();
        let place = Place::find(&tree, &asked.before, &asked.word);
        let mut lines = Vec::new();
        for word in self.words(&place, globals).await {
            lines.push(quote::line(self.shell, &word, &asked));
        }
        // Whoever presses a key meanwhile has closed the pipe.
        word::print(&lines)?;
        Ok(Document::already_printed())
    }

    fn script(&self) -> Document {
        let script = self.shell.script();
        let data = json!({ "shell": self.shell.name(), "script": script });
        Document::new("carrel/completions.v1", data).with_text(script)
    }

    /// What may stand there: what the installation calls its things where the database says so in time,
    /// otherwise what this program knows by itself.
    async fn words(&self, place: &Place<'_>, globals: &GlobalArgs) -> Vec<Word> {
        let Some(names) = place.names() else {
            return offer::offered(place, offer::own(place));
        };
        let stored = match database(place, globals).options() {
            Ok(options) => stored::read_in_time(options, names, self.budget).await,
            Err(_) => None,
        };
        let known = stored.filter(|stored| !stored.is_empty());
        offer::offered(place, known.unwrap_or_else(|| names.known()))
    }
}

/// The database that the line names, or the one that this call does.
fn database(place: &Place<'_>, globals: &GlobalArgs) -> DatabaseArgs {
    let mut database = globals.database.clone();
    if let Some(url) = place.database_url() {
        database.database_url = Some(SecretString::from(url));
    }
    database
}

/// Gives the whole tree, with the flags that every command takes.
pub(crate) fn tree() -> clap::Command {
    let globals = GlobalArgs::augment_args(clap::Command::new("carrel"));
    Command::augment_subcommands(globals).subcommand_required(true)
}
