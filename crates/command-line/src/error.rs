//! What a command prints when it fails: one JSON error on stderr that says what to do next.

use serde::Serialize;
use sqlx::error::DatabaseError;

use crate::Exit;

/// A failure as the caller sees it. Built by one constructor per exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// A stable word for scripts, such as `session.not_found`.
    pub code: String,
    /// The exit code.
    pub exit: Exit,
    /// One sentence of what went wrong.
    pub message: String,
    /// The flag or argument at fault, without its dashes.
    pub field: Option<String>,
    /// What to do about it; a command where there is one.
    pub next: Option<String>,
    /// What lies beneath, outermost first.
    pub causes: Vec<String>,
}

impl CliError {
    /// The code of a statement that took longer than it may.
    pub const TOO_SLOW: &str = "database.too_slow";

    /// Builds an error whose code is the word of its exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            code: exit.class().to_owned(),
            exit,
            message: message.into(),
            field: None,
            next: None,
            causes: Vec::new(),
        }
    }

    /// The call was wrong: `field` names the flag at fault.
    pub fn usage(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(Exit::Usage, message)
        }
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// The caller may not do this.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Exit::Denied, message)
    }

    /// The present state forbids this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self {
            code: "conflict".to_owned(),
            ..Self::new(Exit::Denied, message)
        }
    }

    /// Something did not answer; the same call may work later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Exit::Transient, message)
    }

    /// A confirmation was missing.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Refuses what cannot be taken back until its name is given once more, with `--confirm`. The
    /// consequence is read before "so it needs to be confirmed".
    ///
    /// # Errors
    /// Exit 6, with the flag to add.
    pub fn unless_confirmed(
        given: Option<&str>,
        expected: &str,
        consequence: &str,
    ) -> Result<(), Self> {
        if given == Some(expected) {
            return Ok(());
        }
        let refused = Self::refused(format!("{consequence}, so it needs to be confirmed"));
        Err(refused
            .field("confirm")
            .next(format!("--confirm {expected}")))
    }

    /// Carrel's own fault.
    pub fn bug(error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Bug, error.to_string())
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Gives a more precise code than the exit code's word.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Names the flag at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Keeps the chain of what lies beneath.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }

    pub(crate) fn to_json_line(&self) -> String {
        let shape = Shape {
            code: &self.code,
            class: self.exit.class(),
            message: &self.message,
            field: self.field.as_deref(),
            next: self.next.as_deref(),
            causes: &self.causes,
        };
        serde_json::to_string(&shape).expect("an error is made of texts")
    }

    pub(crate) fn to_text(&self) -> String {
        let causes = self
            .causes
            .iter()
            .map(|cause| format!("\n  because: {cause}"));
        let next = self.next.iter().map(|next| format!("\n  next: {next}"));
        format!(
            "error: {}{}{}",
            self.message,
            causes.collect::<String>(),
            next.collect::<String>()
        )
    }
}

#[derive(Serialize)]
struct Shape<'a> {
    code: &'a str,
    class: &'a str,
    message: &'a str,
    field: Option<&'a str>,
    next: Option<&'a str>,
    causes: &'a [String],
}

impl From<sqlx::Error> for CliError {
    fn from(error: sqlx::Error) -> Self {
        let unreachable = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
        );
        if unreachable {
            return Self::transient("the database did not answer")
                .code("database.unavailable")
                .caused_by(&error)
                .next("check --database-url (CARREL_DATABASE_URL) and that PostgreSQL runs");
        }
        let code = error.as_database_error().and_then(DatabaseError::code);
        let known = code.as_deref().and_then(Self::of_state);
        if let Some(known) = known {
            return known.caused_by(&error);
        }
        Self::bug("a database statement failed")
            .code("database.statement")
            .caused_by(&error)
    }
}

impl CliError {
    /// Reads PostgreSQL's word (SQLSTATE) for what an operator can do something about.
    fn of_state(state: &str) -> Option<Self> {
        let (message, code, next) = match state {
            "42P01" => (
                "the database has no schema of Carrel",
                "database.schema_missing",
                "carrel migrate up",
            ),
            // A function or a column that is not there: this program is newer than the schema.
            "42883" | "42703" => (
                "the database's schema is older than this program",
                "database.schema_old",
                "carrel migrate up",
            ),
            "57014" => (
                "the database was at it for too long and was stopped",
                Self::TOO_SLOW,
                "ask for less; carrel doctor says whether somebody holds the database up",
            ),
            "55P03" => (
                "somebody else holds what this changes; nothing was changed",
                "database.locked",
                "try again; carrel doctor names the oldest transaction",
            ),
            _ => return None,
        };
        Some(Self::transient(message).code(code).next(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_field_and_next_step() {
        let error = CliError::usage("user-id", "it is empty").next("give one");
        assert_eq!(
            error.to_json_line(),
            r#"{"code":"usage","class":"usage","message":"it is empty","field":"user-id","next":"give one","causes":[]}"#
        );
        assert_eq!(error.to_text(), "error: it is empty\n  next: give one");
    }

    #[test]
    fn an_unreachable_database_is_transient() {
        let error = CliError::from(sqlx::Error::PoolTimedOut);
        assert_eq!(error.exit, Exit::Transient);
        assert!(error.next.unwrap().contains("CARREL_DATABASE_URL"));
    }
}
