//! One entry, whatever table it comes from.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use command_line::CliError;
use execution_environment::{SignedDeclaration, SignedEnvironmentAction};
use job_queue::SignedAction;
use serde::Serialize;
use serde_json::{Value, json};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, JobId, UserId};
use session_lifecycle::{SignedExtension, SignedTransition, load_session_identities};
use sqlx::PgConnection;

use super::cursor::{Cursor, Source};
use super::failure::lifecycle;

/// What one person did once.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    pub(super) actor: String,
    /// The noun and what was done, such as `job.retry`; `session.` and the state that it reached.
    pub(super) verb: String,
    pub(super) reason: Option<String>,
    /// The candidate whose session it concerns.
    pub(super) user_id: Option<UserId>,
    pub(super) session_id: Option<ExamSessionId>,
    pub(super) environment_id: Option<ExecutionEnvironmentId>,
    pub(super) job_id: Option<JobId>,
    /// Particulars of the verb.
    pub(super) detail: Option<Value>,
}

/// An entry and where it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source: Source,
    key: String,
    pub(super) entry: Entry,
}

/// Where it was found is nobody's concern but the next page's.
impl Serialize for Found {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entry.serialize(serializer)
    }
}

impl Found {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            at: self.entry.at,
            source: self.source,
            key: self.key.clone(),
        }
    }
}

impl From<SignedAction> for Found {
    fn from(row: SignedAction) -> Self {
        let entry = Entry {
            reason: row.reason,
            session_id: row.session_id,
            job_id: row.job_id,
            detail: row.detail,
            ..Entry::new(row.at, row.actor, row.verb)
        };
        Self::new(Source::Action, row.id.to_string(), entry)
    }
}

impl From<SignedTransition> for Found {
    fn from(row: SignedTransition) -> Self {
        let detail = json!({ "from": row.from_state, "to": row.to_state, "cause": row.cause });
        let entry = Entry {
            reason: row.reason,
            session_id: Some(row.session_id),
            job_id: row.job_id,
            detail: Some(detail),
            ..Entry::new(row.at, row.actor, format!("session.{}", row.to_state))
        };
        Self::new(Source::Transition, row.id.to_string(), entry)
    }
}

impl From<SignedExtension> for Found {
    fn from(row: SignedExtension) -> Self {
        let verb = if orchestrator::is_compensation(&row.idempotency_key) {
            "session.compensate"
        } else {
            "session.extend"
        };
        let detail = json!({
            "by_seconds": row.by_seconds, "previous_end": row.previous_end, "new_end": row.new_end,
        });
        let entry = Entry {
            reason: Some(row.reason),
            session_id: Some(row.session_id),
            detail: Some(detail),
            ..Entry::new(row.at, row.actor, verb.to_owned())
        };
        Self::new(Source::Extension, row.id.to_string(), entry)
    }
}

impl From<SignedEnvironmentAction> for Found {
    fn from(row: SignedEnvironmentAction) -> Self {
        let entry = Entry {
            reason: row.reason,
            session_id: Some(row.session_id),
            detail: Some(row.detail),
            ..Entry::new(row.at, row.actor, row.verb)
        };
        Self::new(Source::Environment, row.id.to_string(), entry)
    }
}

impl From<SignedDeclaration> for Found {
    fn from(row: SignedDeclaration) -> Self {
        let entry = Entry {
            reason: row.reason,
            detail: Some(row.detail),
            ..Entry::new(row.at, row.actor, row.verb)
        };
        Self::new(Source::Declaration, row.key, entry)
    }
}

impl Found {
    fn new(source: Source, key: String, entry: Entry) -> Self {
        Self { source, key, entry }
    }
}

impl Entry {
    fn new(at: DateTime<Utc>, actor: String, verb: String) -> Self {
        Self {
            at,
            actor,
            verb,
            reason: None,
            user_id: None,
            session_id: None,
            environment_id: None,
            job_id: None,
            detail: None,
        }
    }
}

/// Puts beside each session whose it is and which environment it has.
///
/// # Errors
/// Whatever the database says.
pub(super) async fn name_principals(
    connection: &mut PgConnection,
    page: &mut [Found],
) -> Result<(), CliError> {
    let ids: Vec<_> = page.iter().filter_map(|it| it.entry.session_id).collect();
    let known = load_session_identities(connection, &ids).await;
    let known = known.map_err(|error| lifecycle(&error))?;
    let known: HashMap<_, _> = known
        .into_iter()
        .map(|(id, user, environment)| (id, (user, environment)))
        .collect();
    for found in page {
        let session = found.entry.session_id;
        if let Some((user, environment)) = session.and_then(|id| known.get(&id)) {
            found.entry.user_id = Some(user.clone());
            found.entry.environment_id = Some(*environment);
        }
    }
    Ok(())
}
