//! One attempt of a session's environment, and whether anybody still wants it.

use execution_environment::{EnvironmentRecord, EnvironmentState, load_environment};
use session_identity::ExamSessionId;
use session_lifecycle::{SessionRecord, SessionState, load_session};
use sqlx::PgConnection;

use crate::{ObserveEnvironment, ProvisionEnvironment, StepError};

/// One attempt of one session's environment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) session_id: ExamSessionId,
    pub(super) attempt: i32,
}

impl From<&ProvisionEnvironment> for Attempt {
    fn from(job: &ProvisionEnvironment) -> Self {
        Self {
            session_id: job.session_id,
            attempt: job.attempt,
        }
    }
}

impl From<&ObserveEnvironment> for Attempt {
    fn from(job: &ObserveEnvironment) -> Self {
        Self {
            session_id: job.session_id,
            attempt: job.attempt,
        }
    }
}

impl Attempt {
    /// The session and its environment, while the session still waits for this attempt.
    pub(super) async fn still_wanted(
        self,
        conn: &mut PgConnection,
    ) -> Result<Option<(SessionRecord, EnvironmentRecord)>, StepError> {
        let session = load_session(conn, self.session_id).await?;
        let environment = load_environment(conn, self.session_id).await?;
        let both = session.zip(environment);
        Ok(both.filter(|(session, environment)| {
            session.state == SessionState::Initializing
                && environment.attempt == self.attempt
                && environment.state == EnvironmentState::Creating
        }))
    }
}
