//! `carrel exams`: the library's verbs; here a definition may also be named without its flag.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, error::Result, value_parser};
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use execution_environment::cli::{ApplyOptions, ExamsCommand};

/// The verbs that read a definition.
const READERS: [&str; 2] = ["apply", "validate"];

/// The library's verbs, with `apply FILE` beside `apply --file FILE`.
#[derive(Debug)]
pub struct Exams(ExamsCommand);

impl FromArgMatches for Exams {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        let Some((verb, given)) = matches.subcommand() else {
            return ExamsCommand::from_arg_matches(matches).map(Self);
        };
        let reads = READERS.contains(&verb);
        match given.try_get_one::<PathBuf>("definition") {
            Ok(Some(path)) if reads => named(verb, path.clone(), given).map(Self),
            _ => ExamsCommand::from_arg_matches(matches).map(Self),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Builds the library's verb from a path that came without its flag.
fn named(verb: &str, file: PathBuf, given: &ArgMatches) -> Result<ExamsCommand> {
    if verb == "validate" {
        let runtime = *given
            .get_one("runtime")
            .expect("the library gives it a default");
        return Ok(ExamsCommand::Validate { file, runtime });
    }
    let options = Box::new(ApplyOptions::from_arg_matches(given)?);
    Ok(ExamsCommand::Apply { file, options })
}

impl Subcommand for Exams {
    fn augment_subcommands(command: Command) -> Command {
        READERS.iter().fold(
            ExamsCommand::augment_subcommands(command),
            |command, verb| {
                command.mut_subcommand(verb, |verb| {
                    verb.mut_arg("file", |flag| flag.required(false)).arg(
                        Arg::new("definition")
                            .value_name("DEFINITION")
                            .help("The definition, without its flag")
                            .value_parser(value_parser!(PathBuf))
                            .conflicts_with("file")
                            .required_unless_present("file"),
                    )
                })
            },
        )
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        ExamsCommand::has_subcommand(name)
    }
}

impl RunCommand for Exams {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        self.0.run(globals).await
    }
}
