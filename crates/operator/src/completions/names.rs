//! What an installation has names for, and which arguments take them.

use job_queue::{BulkOperation, Job as _, JobState, OPERATIONS_QUEUE};
use orchestrator::{
    ActivateSession, DestroyEnvironment, ENVIRONMENT_QUEUE, ObserveEnvironment,
    ProvisionEnvironment, SESSION_QUEUE, Sweep, TerminateSession,
};
use session_lifecycle::SessionState;

use super::word::Word;

/// What is named. Never a candidate, a session or a job: those are not words that a shell should show
/// to whoever looks over a shoulder, and there are too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Queues,
    Kinds,
    Workers,
    Schedules,
    Exams,
    /// Of dead jobs, as `dlq list` has them.
    Groups,
}

impl Names {
    /// Says what an argument of a verb names.
    pub(super) fn of(path: &str, argument: &str) -> Option<Self> {
        Some(match (path, argument) {
            (_, "queue") | ("jobs move", "to") => Self::Queues,
            (_, "kind") if path.starts_with("jobs") || path.starts_with("dlq") => Self::Kinds,
            (_, "worker") => Self::Workers,
            (_, "schedule") => Self::Schedules,
            (_, "exam") | ("exams show" | "environments exams show", "name") => Self::Exams,
            ("dlq redrive", "group") => Self::Groups,
            _ => return None,
        })
    }

    /// Gives those that every installation has, for when the database does not say.
    pub(super) fn known(self) -> Vec<Word> {
        match self {
            Self::Queues => bare(&[ENVIRONMENT_QUEUE, OPERATIONS_QUEUE, SESSION_QUEUE]),
            Self::Kinds => bare(&[
                ActivateSession::KIND,
                BulkOperation::KIND,
                DestroyEnvironment::KIND,
                ObserveEnvironment::KIND,
                ProvisionEnvironment::KIND,
                TerminateSession::KIND,
            ]),
            Self::Schedules => Sweep::ALL.map(|sweep| Word::bare(sweep.name())).into(),
            Self::Workers | Self::Exams | Self::Groups => Vec::new(),
        }
    }
}

/// Gives the states that an argument of a verb takes, which no database is asked for.
pub(super) fn states(path: &str, argument: &str) -> Vec<Word> {
    match (path.split(' ').next(), argument) {
        (Some("jobs"), "state") => bare(&JobState::ALL.map(JobState::as_str)),
        (Some("sessions"), "state") | (Some("lifecycle"), "to") => {
            bare(&SessionState::ALL.map(SessionState::as_str))
        }
        _ => Vec::new(),
    }
}

fn bare(texts: &[&str]) -> Vec<Word> {
    texts.iter().copied().map(Word::bare).collect()
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::super::tree;
    use super::*;

    /// Every argument of the tree that takes names or states, as `verb argument`.
    fn named(command: &Command, path: &str, found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            if Names::of(path, id).is_some() || !states(path, id).is_empty() {
                assert!(argument.get_action().takes_values(), "{path} {id}");
                found.push(format!("{path} {id}"));
            }
        }
        for verb in command.get_subcommands() {
            let path = format!("{path} {}", verb.get_name());
            named(verb, path.trim_start(), found);
        }
    }

    #[test]
    fn the_arguments_that_take_names_are_found_in_the_tree() {
        let mut found = Vec::new();
        named(&tree(), "", &mut found);
        for wanted in [
            "jobs list queue",
            "jobs list kind",
            "jobs list state",
            "jobs list worker",
            "jobs move to",
            "dlq list kind",
            "dlq redrive group",
            "queues pause queue",
            "queues set queue",
            "workers show worker",
            "workers drain worker",
            "schedules pause schedule",
            "schedules backfill schedule",
            "sessions list exam",
            "sessions list state",
            "sessions create exam",
            "sessions extend exam",
            "exams show name",
            "recordings list exam",
            "lifecycle transition to",
        ] {
            assert!(found.iter().any(|it| it == wanted), "{wanted}: {found:?}");
        }
    }
}
