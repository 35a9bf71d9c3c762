//! The five-line `main` of every command line.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    CliError, Document, GlobalArgs, OutputFormat,
    list::COLUMNS,
    usage::{is_help, usage_error},
};

/// A command tree that can be run alone or nested into another.
#[expect(
    async_fn_in_trait,
    reason = "command lines run on one task; nothing needs them to be Send"
)]
pub trait RunCommand: Subcommand {
    /// Does what was asked.
    ///
    /// # Errors
    /// A [`CliError`] whose exit code and words go to the caller as they are.
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError>;
}

#[derive(Debug, Parser)]
struct CommandLine<C: Args + FromArgMatches> {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(flatten)]
    command: C,
}

/// Lets a tree of subcommands be flattened beside the globals.
#[derive(Debug, Args)]
struct Verb<C: Subcommand> {
    #[command(subcommand)]
    verb: C,
}

/// Parses the arguments, runs the command, prints one document or one error, and gives the exit
/// code of the contract.
pub fn main<C: RunCommand>(name: &'static str, about: &'static str) -> ExitCode {
    main_dressed::<C>(name, about, |command| command)
}

/// As [`main`], with words added to the help of a tree that parses as it did.
pub fn main_dressed<C: RunCommand>(
    name: &'static str,
    about: &'static str,
    dress: impl FnOnce(clap::Command) -> clap::Command,
) -> ExitCode {
    let command = CommandLine::<Verb<C>>::command()
        .name(name)
        .bin_name(name)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"));
    let mut command = dress(command);
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let parsed = parsed.and_then(|matches| {
        let parsed = CommandLine::<Verb<C>>::from_arg_matches(&matches)?;
        Ok((parsed, is_list(&command, &matches)))
    });
    match parsed {
        Ok((parsed, is_list)) if parsed.globals.output.needs_list() && !is_list => {
            fail(&no_list(), parsed.globals.output)
        }
        Ok((parsed, _)) => run(parsed.command.verb, &parsed.globals),
        Err(error) if is_help(&error) => {
            let help = error.render().to_string();
            answer(help.trim_end(), ExitCode::SUCCESS, OutputFormat::Json)
        }
        Err(error) => fail(&usage_error(name, &error), OutputFormat::Json),
    }
}

/// Whether the verb that was called has the flags of a list.
fn is_list(command: &clap::Command, matches: &ArgMatches) -> bool {
    let Some((verb, matches)) = matches.subcommand() else {
        return command.get_arguments().any(|flag| flag.get_id() == COLUMNS);
    };
    let called = command.find_subcommand(verb);
    called.is_some_and(|called| is_list(called, matches))
}

fn no_list() -> CliError {
    CliError::usage(
        "output",
        "this verb shows no list, whose rows could be laid out",
    )
    .next("give -o json or -o text")
}

fn run<C: RunCommand>(command: C, globals: &GlobalArgs) -> ExitCode {
    if let Err(error) = init_logs(&globals.log) {
        return fail(&error, globals.output);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(command.run(globals)),
        Err(error) => Err(CliError::bug("no async runtime could be started").caused_by(&error)),
    };
    match result {
        Ok(document) => succeed(&document, globals.output),
        Err(error) => fail(&error, globals.output),
    }
}

fn init_logs(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        CliError::usage("log", "the log filter does not parse").caused_by(&error)
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // Where nobody reads any more there is nobody to tell, and work goes on to its end.
        .log_internal_errors(false)
        .init();
    Ok(())
}

fn succeed(document: &Document, output: OutputFormat) -> ExitCode {
    if document.is_printed {
        return document.exit.into();
    }
    answer(&document.told(output), document.exit.into(), output)
}

/// A closed pipe (`carrel … | head`) is the reader's choice, not a failure of the command; a full disk
/// is one, and whoever reads the exit code alone must not take half an answer for a whole one.
fn answer(text: &str, exit: ExitCode, output: OutputFormat) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let words = "the answer could not be written; what was asked for is done";
            fail(&CliError::transient(words).caused_by(&error), output)
        }
        Ok(()) | Err(_) => exit,
    }
}

fn fail(error: &CliError, output: OutputFormat) -> ExitCode {
    let text = if output.is_for_people() {
        error.to_text()
    } else {
        error.to_json_line()
    };
    // Where nobody reads, the exit code still says it.
    writeln!(io::stderr(), "{text}").ok();
    error.exit.into()
}
