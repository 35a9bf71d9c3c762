//! One verb of a library's tree, lifted to the top: `carrel token` beside `carrel access token`.

use std::fmt::Debug;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand, error::Result};
use command_line::{CliError, Document, GlobalArgs, RunCommand};

/// Names the verb and the tree it is taken from.
pub trait Verb: Debug {
    /// The library's whole tree.
    type Tree: RunCommand + Debug;
    /// The verb's name in it.
    const NAME: &'static str;
}

/// `carrel token`.
#[derive(Debug)]
pub struct Token;

impl Verb for Token {
    type Tree = environment_access::cli::Command;
    const NAME: &'static str = "token";
}

/// `carrel sweep`.
#[derive(Debug)]
pub struct Sweep;

impl Verb for Sweep {
    type Tree = cleanup_ttl::cli::Command;
    const NAME: &'static str = "sweep";
}

/// The verb as a subcommand of its own, parsed and run by the library it comes from.
#[derive(Debug)]
pub struct TopVerb<V: Verb>(V::Tree);

impl<V: Verb> FromArgMatches for TopVerb<V> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        V::Tree::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<V: Verb> Subcommand for TopVerb<V> {
    fn augment_subcommands(command: Command) -> Command {
        let tree = V::Tree::augment_subcommands(Command::new("library"));
        command.subcommands(tree.find_subcommand(V::NAME).cloned())
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == V::NAME
    }
}

impl<V: Verb> RunCommand for TopVerb<V> {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        self.0.run(globals).await
    }
}
