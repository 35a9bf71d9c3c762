//! The live sessions of an exam as flags.

use std::str::FromStr;

use clap::Args;
use command_line::CliError;
use session_identity::ExamSessionId;

use crate::Cohort;
use crate::cli::args::exam;

/// Where help lists the flags of many sessions.
pub(in crate::cli) const MANY: &str = "Many sessions";

/// What an end is confirmed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The one session.
    Session(ExamSessionId),
    /// The number of sessions.
    Count(usize),
}

impl FromStr for Confirmation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let session = text.parse().map(Self::Session);
        let either = session.or_else(|_| text.parse().map(Self::Count));
        either
            .map_err(|_| "give the session's id, or with --exam the number of sessions".to_owned())
    }
}

/// The live sessions of an exam, and how to go about them.
#[derive(Debug, Args)]
pub struct CohortArgs {
    /// Every live session of this exam, instead of one session
    #[arg(
        long, value_name = "NAME", value_parser = exam, conflicts_with = "id", help_heading = MANY
    )]
    exam: Option<String>,
    /// Only of this version of the exam
    #[arg(
        long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..),
        conflicts_with = "id", help_heading = MANY
    )]
    exam_version: Option<i32>,
    /// Says what would become of the session, or of how many and which, and changes nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

impl CohortArgs {
    /// Names the cohort, where no session was named.
    ///
    /// # Errors
    /// Usage, when neither was.
    pub(in crate::cli) fn cohort(&self) -> Result<Cohort, CliError> {
        let exam_name = self.exam.clone().ok_or_else(|| {
            CliError::usage("session_id", "nothing says which sessions")
                .next("name a session, or every live one of an exam with --exam NAME")
        })?;
        Ok(Cohort {
            exam_name,
            exam_version: self.exam_version,
        })
    }
}
