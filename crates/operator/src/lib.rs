#![doc = include_str!("../README.md")]

mod audit;
mod completions;
mod doctor;
mod examples;
mod exams;
mod migrate;
mod top_verb;
mod version;

use std::process::ExitCode;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use audit::{AuditArgs, AuditCommand};
pub use completions::CompletionsArgs;
pub use doctor::{DoctorArgs, FailOn, RightsOf};
pub use exams::Exams;
pub use migrate::MigrateCommand;
pub use top_verb::{Sweep, Token, TopVerb, Verb};

/// The operator's command line: [`Command`], and in the help of every verb a call of it.
pub fn main() -> ExitCode {
    let about = "Runs exams: sessions, the jobs behind them, the environments they take place in";
    command_line::main_dressed::<Command>("carrel", about, examples::with_examples)
}

/// Every noun of `carrel`. A noun of a library is that library's own tree, so that help (but for its
/// example), JSON and exit codes are the same in both places.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Exam sessions: requested, shown, extended, ended
    #[command(subcommand)]
    Sessions(orchestrator::cli::SessionsCommand),
    /// The jobs behind them: looked at, retried, cancelled, moved, deleted, killed
    #[command(subcommand)]
    Jobs(job_queue::cli::JobsCommand),
    /// What operators did to many jobs at once: how far, ended early
    #[command(subcommand)]
    Ops(job_queue::cli::OperationsCommand),
    /// The dead jobs, grouped by what killed them: looked at, retried
    #[command(subcommand)]
    Dlq(job_queue::cli::DlqCommand),
    /// The queues they wait in: how full, limited, paused, resumed
    #[command(subcommand)]
    Queues(job_queue::cli::QueuesCommand),
    /// The workers that run them: who lives, drained, evicted
    #[command(subcommand)]
    Workers(job_queue::cli::WorkersCommand),
    /// What recurs: when it last ran, paused, resumed, run now
    #[command(subcommand)]
    Schedules(job_queue::cli::SchedulesCommand),
    /// Exam definitions: applied, checked, shown
    #[command(subcommand)]
    Exams(Exams),
    /// One session as the candidate's page shows it
    #[command(subcommand)]
    Status(session_status::cli::Command),
    /// What failed, whose doing it is and what to do
    #[command(subcommand)]
    Failures(failure_classification::cli::Command),
    /// The environment of one session, by hand
    #[command(subcommand)]
    Environments(execution_environment::cli::Command),
    /// Who may reach an environment
    #[command(subcommand)]
    Access(environment_access::cli::Command),
    /// What terminals showed: listed, verified, exported
    #[command(subcommand)]
    Recordings(session_recording::cli::Command),
    /// The state of one session and its transitions
    #[command(subcommand)]
    Lifecycle(session_lifecycle::cli::Command),
    /// Deadlines: what is due, and ending it
    #[command(subcommand)]
    Cleanup(cleanup_ttl::cli::Command),
    /// User and session ids: well-formed or not
    #[command(subcommand)]
    Identity(session_identity::cli::Command),
    /// Who did what: sessions, jobs, queues, workers, schedules, exams, waivers
    #[command(subcommand)]
    Audit(AuditCommand),
    /// `carrel token`, out of `access`.
    #[command(flatten)]
    Token(TopVerb<Token>),
    /// `carrel sweep`, out of `cleanup`.
    #[command(flatten)]
    Sweep(TopVerb<Sweep>),
    /// The database's schema
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Looks at everything and says what is wrong; exit 9 when something is
    Doctor(DoctorArgs),
    /// What this carrel is, and whether the database and its workers go with it
    ///
    /// A database that is named and does not answer is told of beside the rest, with exit code 5.
    Version,
    /// Measures the queue on an empty database, and leaves it empty
    ///
    /// Where there are jobs nothing is measured (exit 4): figures beside other work say nothing, and work
    /// beside a benchmark suffers.
    Bench(job_queue::cli::BenchArgs),
    /// Words for your shell to complete
    Completions(CompletionsArgs),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        // Boxed: one noun's future is not carried in the size of all.
        match self {
            Self::Sessions(command) => Box::pin(command.run(globals)).await,
            Self::Jobs(command) => Box::pin(command.run(globals)).await,
            Self::Ops(command) => Box::pin(command.run(globals)).await,
            Self::Dlq(command) => Box::pin(command.run(globals)).await,
            Self::Queues(command) => Box::pin(command.run(globals)).await,
            Self::Workers(command) => Box::pin(command.run(globals)).await,
            Self::Schedules(command) => Box::pin(command.run(globals)).await,
            Self::Exams(command) => Box::pin(command.run(globals)).await,
            Self::Status(command) => Box::pin(command.run(globals)).await,
            Self::Failures(command) => command.run(globals).await,
            Self::Environments(command) => Box::pin(command.run(globals)).await,
            Self::Access(command) => Box::pin(command.run(globals)).await,
            Self::Recordings(command) => Box::pin(command.run(globals)).await,
            Self::Lifecycle(command) => Box::pin(command.run(globals)).await,
            Self::Cleanup(command) => Box::pin(command.run(globals)).await,
            Self::Identity(command) => command.run(globals).await,
            Self::Audit(command) => Box::pin(command.run(globals)).await,
            Self::Token(command) => Box::pin(command.run(globals)).await,
            Self::Sweep(command) => Box::pin(command.run(globals)).await,
            Self::Migrate(command) => Box::pin(command.run(globals)).await,
            Self::Doctor(args) => Box::pin(doctor::run(args, globals)).await,
            Self::Version => Box::pin(version::run(globals)).await,
            Self::Bench(args) => Box::pin(args.run(globals)).await,
            Self::Completions(args) => Box::pin(args.run(globals)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::completions::tree;

    #[test]
    fn the_whole_tree_is_consistent() {
        tree().debug_assert();
    }

    #[test]
    fn a_definition_is_named_with_or_without_its_flag_and_not_twice() {
        let parses = |words: &[&str]| tree().try_get_matches_from(words).is_ok();
        for verb in ["apply", "validate"] {
            assert!(parses(&["carrel", "exams", verb, "x.json"]));
            assert!(parses(&["carrel", "exams", verb, "--file", "x.json"]));
            assert!(!parses(&[
                "carrel", "exams", verb, "x.json", "--file", "y.json"
            ]));
            assert!(!parses(&["carrel", "exams", verb]));
        }
    }
}
