//! `carrel sessions …`, and the `orchestrator` binary.

mod args;
mod cohort;
mod compensate;
mod create;
mod events;
mod extend;
mod failure;
mod id;
mod list;
mod story;
mod terminate;
mod wait;
mod watch;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use args::{
    AuthorArgs, CreateArgs, ExtendArgs, SessionsListArgs, ShowArgs, TerminateArgs, WaitArgs,
    WaitFor,
};
pub use cohort::{CohortArgs, Confirmation};
pub use compensate::CompensateArgs;
pub use events::EventsArgs;
pub use watch::WatchArgs;

/// What a dry run of one session says.
const PREVIEW: &str = "orchestrator/preview.v1";

/// The use cases, as a binary of their own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Requests, shows, extends and ends exam sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let Self::Sessions(command) = self;
        command.run(globals).await
    }
}

/// Requests, shows, extends and ends exam sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Lists sessions, newest first, one page at a time
    List(SessionsListArgs),
    /// Shows where a session stands, and how it came there
    Show(ShowArgs),
    /// Tells the whole story of a session: all that is on record, one line a moment
    Explain(ShowArgs),
    /// Prints the whole story as JSON lines, oldest first, and how many as the last line
    Events(EventsArgs),
    /// Shows the status whenever it changes, one line each, until the session has ended
    ///
    /// Exit code 8 when the time ran out first.
    Watch(WatchArgs),
    /// Requests a session, or finds the one that the candidate has
    Create(CreateArgs),
    /// Gives a session more time, or every live one of an exam
    #[command(after_help = cohort::EXITS)]
    Extend(ExtendArgs),
    /// Shows what time the platform owes a session, or every live one of an exam, and gives it back
    ///
    /// Every interruption is told, with its cause and whose doing it was; only those of the platform
    /// that are over are owed, each once.
    #[command(after_help = cohort::EXITS)]
    Compensate(CompensateArgs),
    /// Ends a session now, for good, or every live one of an exam
    #[command(after_help = cohort::EXITS)]
    Terminate(TerminateArgs),
    /// Waits until a session is ready, running or ended
    Wait(WaitArgs),
}

impl RunCommand for SessionsCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::List(args) => list::run(args, globals).await,
            Self::Show(args) => story::show(&args, globals).await,
            Self::Explain(args) => story::explain(&args, globals).await,
            Self::Events(args) => events::run(&args, globals).await,
            Self::Watch(args) => watch::run(&args, globals).await,
            Self::Create(args) => create::run(args, globals).await,
            Self::Extend(args) => extend::run(args, globals).await,
            Self::Compensate(args) => compensate::run(args, globals).await,
            Self::Terminate(args) => terminate::run(args, globals).await,
            Self::Wait(args) => wait::run(&args, globals).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    const ID: &str = "01982f6e-0000-7000-8000-000000000001";

    fn kind(words: &[&str]) -> ErrorKind {
        let all = ["orchestrator", "sessions"].iter().chain(words);
        Cli::try_parse_from(all).unwrap_err().kind()
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_malformed_value_is_a_usage_error() {
        for words in [
            &["show", "0198"][..],
            &["show", ""],
            &["explain", "nine-lives"],
            &["events", ID, "--since", "yesterday"],
            &["watch", ID, "--timeout", "0s"],
            &["list", "--reference", "7F3K-2U"],
            &["list", "--code", "infra.node_lots"],
            &["list", "--since", "yesterday"],
            &["list", "--state", "done"],
            &["list", "--user", "a b"],
            &["list", "--after", "7"],
            &["list", "--limit", "0"],
            &["create", "--user-id", "", "--exam", "x"],
            &["create", "--user-id", "u", "--exam", ""],
            &[
                "create",
                "--user-id",
                "u",
                "--exam",
                "x",
                "--exam-version",
                "0",
            ],
            &[
                "create",
                "--user-id",
                "u",
                "--exam",
                "x",
                "--idempotency-key",
                "",
            ],
            &["extend", ID, "--by", "5", "--reason", "r", "--as", "dana"],
            &["extend", ID, "--by", "5m", "--reason", " ", "--as", "dana"],
            &["extend", ID, "--by", "5m", "--reason", "r", "--as", "d a"],
            &["compensate", "x"],
            &["compensate", ID, "--apply", "--as", "d a", "--reason", "r"],
            &["terminate", "x", "--reason", "r", "--as", "dana"],
            &[
                "terminate",
                "--exam",
                "x",
                "--confirm",
                "all",
                "--reason",
                "r",
                "--as",
                "dana",
            ],
            &["wait", ID, "--for", "ready", "--timeout", "0s"],
        ] {
            let found = kind(words);
            let expected = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
            assert!(expected.contains(&found), "{words:?}: {found:?}");
        }
    }

    #[test]
    fn whoever_changes_a_session_says_who_they_are_and_why() {
        for words in [
            &["extend", ID, "--by", "5m", "--reason", "r"][..],
            &["extend", ID, "--by", "5m", "--as", "dana"],
            &["terminate", ID, "--reason", "r"],
            &["terminate", ID, "--as", "dana"],
            &["compensate", ID, "--apply", "--as", "dana"],
            &["compensate", ID, "--apply", "--reason", "r"],
        ] {
            assert_eq!(kind(words), ErrorKind::MissingRequiredArgument, "{words:?}");
        }
    }

    #[test]
    fn a_session_or_the_cohort_of_an_exam_and_never_both() {
        let author = ["--reason", "r", "--as", "dana"];
        for (verb, more) in [("extend", &["--by", "5m"][..]), ("terminate", &[])] {
            for flag in [["--exam", "x"], ["--exam-version", "1"]] {
                let words = [&[verb, ID], more, &author, &flag].concat();
                assert_eq!(kind(&words), ErrorKind::ArgumentConflict, "{words:?}");
            }
        }
        let count = [&["extend", ID, "--by", "5m", "--confirm", "3"], &author[..]].concat();
        assert_eq!(kind(&count), ErrorKind::ArgumentConflict);
    }
}
