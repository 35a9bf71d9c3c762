//! From the use cases' errors to exit codes.

use command_line::CliError;
use execution_environment::{ExamSummary, list_exams};
use session_identity::{ExamSessionId, IdPrefix};
use session_lifecycle::cli::cli_error;
use session_lifecycle::{ExtendError, InsertError, LoadError};
use sqlx::PgConnection;

use crate::{CohortError, EndError, RequestError, StepError};

pub(super) fn no_session(id: ExamSessionId) -> CliError {
    CliError::not_found(format!("there is no session {id}"))
        .code("session.not_found")
        .field("session_id")
        .next("carrel sessions list")
}

pub(super) fn none_begins(prefix: &IdPrefix) -> CliError {
    CliError::not_found(format!("no session's id begins with {prefix}"))
        .code("session.not_found")
        .field("session_id")
        .next("carrel sessions list; give more of the id")
}

pub(super) fn ambiguous(prefix: &IdPrefix, candidates: &[ExamSessionId]) -> CliError {
    let each: Vec<_> = candidates.iter().map(ToString::to_string).collect();
    CliError::conflict(format!("more than one session's id begins with {prefix}"))
        .code("session.ambiguous")
        .field("session_id")
        .next(format!(
            "give more of the id; among others {}",
            each.join(", ")
        ))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err calls")]
pub(super) fn load(error: LoadError) -> CliError {
    cli_error(error.class(), error.code(), &error)
}

pub(super) fn step(error: impl Into<StepError>) -> CliError {
    let error = error.into();
    cli_error(error.class(), "step.failed", &error)
}

pub(super) fn end(error: EndError) -> CliError {
    let EndError::Other(error) = error;
    step(error)
}

pub(super) fn extend(error: &ExtendError) -> CliError {
    let told = cli_error(error.class(), error.code(), error);
    match error {
        ExtendError::NotFound { session_id } => no_session(*session_id),
        ExtendError::BeyondCap { .. }
        | ExtendError::StillPast { .. }
        | ExtendError::Invalid {
            field: "by_seconds",
            ..
        } => told.field("by"),
        ExtendError::Invalid { field, .. } => told.field(*field),
        ExtendError::KeyReused { .. } => told.field("idempotency-key"),
        ExtendError::Ended { session_id, .. } | ExtendError::NoDeadlineYet { session_id } => {
            told.next(format!("carrel sessions show {session_id}"))
        }
        ExtendError::Load(_) => told,
    }
}

pub(super) async fn cohort(error: CohortError, conn: &mut PgConnection) -> CliError {
    match error {
        CohortError::Exam(error) => request(error, conn).await,
        CohortError::CountDiffers { found, .. } => CliError::conflict(error.to_string())
            .code("cohort.count_differs")
            .field("confirm")
            .next(format!("look again with --dry-run, then --confirm {found}")),
        CohortError::KeyReused { .. } => CliError::conflict(error.to_string())
            .code("idempotency.key_reused")
            .field("idempotency-key")
            .next("repeat --by and --reason as they were with this key, or give another key"),
        CohortError::Invalid(error) => extend(&error),
        CohortError::Other(error) => step(error),
    }
}

pub(super) async fn request(error: RequestError, conn: &mut PgConnection) -> CliError {
    match error {
        RequestError::UnknownExam { name, version } => unknown_exam(&name, version, conn).await,
        RequestError::KeyReused => CliError::conflict(error.to_string())
            .code("idempotency.key_reused")
            .field("idempotency-key"),
        RequestError::Insert(error) => insert(&error),
        RequestError::Remember(error) => {
            cli_error(error.class(), error.code(), &error).field("idempotency-key")
        }
        RequestError::Other(error) => step(error),
    }
}

fn insert(error: &InsertError) -> CliError {
    cli_error(error.class(), error.code(), error).field("exam")
}

async fn unknown_exam(name: &str, version: Option<i32>, conn: &mut PgConnection) -> CliError {
    let unknown = |what: &str| CliError::not_found(what).code("exam.unknown");
    if let Some(version) = version {
        return unknown(&format!("exam {name:?} has no version {version}"))
            .field("exam-version")
            .next(format!("carrel exams show {name}"));
    }
    // The error stands without its hint, too.
    let known = list_exams(conn).await.unwrap_or_default();
    let hint = match nearest(name, &known) {
        Some(exam) => format!("did you mean {:?} (v{})? ", exam.name, exam.version),
        None => String::new(),
    };
    unknown(&format!("exam {name:?} does not exist"))
        .field("exam")
        .next(format!("{hint}list them: carrel exams list"))
}

fn nearest<'a>(name: &str, known: &'a [ExamSummary]) -> Option<&'a ExamSummary> {
    let distances = known.iter().map(|exam| (distance(name, &exam.name), exam));
    let nearest = distances.min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= 3).then_some(nearest.1)
}

/// Counts the letters to add, drop or change to make one word of another.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_one_letter_away() {
        assert_eq!(distance("linux-fundmentals", "linux-fundamentals"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(distance("abc", "xyz"), 3);
    }
}
