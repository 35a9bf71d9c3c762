//! What stories do with a running system: sessions, terminals, waiting for their states.

use std::time::Duration;

use environment_access::wire::CloseCode;
use execution_environment::load_environment;
use serde_json::json;

use super::TestSystem;
use crate::http::{Answer, Http};
use crate::logins::Login;
use crate::status::Status;
use crate::terminal::{Door, Terminal};
use crate::wait::{STARTUP, until};
use crate::{crew, exams};

/// A candidate and their session.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Their login.
    pub login: Login,
    /// Their session.
    pub session_id: String,
}

impl TestSystem {
    /// Speaks HTTP to the api with a login.
    pub fn api_as(&self, login: &Login) -> Http {
        Http::new(&self.api_url()).with_token(&login.token)
    }

    /// Speaks HTTP to the api as the exam platform.
    pub fn service(&self) -> Http {
        self.api_as(&Login::service())
    }

    /// The way of a candidate to their terminal.
    pub fn door(&self, candidate: &Candidate) -> Door {
        Door {
            address: self.addresses.terminal.clone(),
            origin: self.api_url(),
            session_id: candidate.session_id.clone(),
            login: candidate.login.clone(),
        }
    }

    /// Asks for a session, as the exam platform does.
    pub async fn request_session(&self, user: &str, exam: &str) -> Answer {
        self.service()
            .post("/v1/sessions", &json!({ "user_id": user, "exam": exam }))
            .await
    }

    /// Makes a session for a candidate.
    pub async fn candidate(&self, user: &str, exam: &str) -> Candidate {
        let status: Status = read(&self.request_session(user, exam).await.expect(201));
        Candidate {
            login: Login::candidate(user),
            session_id: status.session_id,
        }
    }

    /// Makes a session of the sample exam and waits until it is ready.
    pub async fn ready_candidate(&self, user: &str) -> Candidate {
        let candidate = self.candidate(user, exams::SAMPLE).await;
        self.await_state(&candidate, "ready", STARTUP).await;
        candidate
    }

    /// Reads a session's status as its candidate.
    pub async fn status(&self, candidate: &Candidate) -> Status {
        let path = format!("/v1/sessions/{}", candidate.session_id);
        read(&self.api_as(&candidate.login).get(&path).await.expect(200))
    }

    /// Waits until a session is in a state. Another final state ends the wait at once.
    pub async fn await_state(&self, of: &Candidate, state: &str, within: Duration) -> Status {
        let what = format!("session {} becomes {state}", of.session_id);
        until(&what, within, async || {
            let status = self.status(of).await;
            let is_final = ["terminated", "failed"].contains(&status.state.as_str());
            assert!(
                !is_final || status.state == state,
                "not {state} but {status:#?}"
            );
            (status.state == state).then_some(status)
        })
        .await
    }

    /// Waits until a session that is being prepared says what keeps it.
    pub async fn await_reason(&self, candidate: &Candidate, code: &str, within: Duration) {
        until(&format!("{code} is seen"), within, async || {
            let reason = self.status(candidate).await.reason;
            reason
                .is_some_and(|reason| reason.code == code)
                .then_some(())
        })
        .await;
    }

    /// Waits until a session has failed, and returns the code.
    pub async fn await_failed(&self, candidate: &Candidate, within: Duration) -> String {
        let failed = self.await_state(candidate, "failed", within).await;
        let reason = failed.reason.expect("a failure says why");
        assert!(reason.code.starts_with(&reason.class), "{reason:?}");
        assert!(!reason.text.is_empty(), "{reason:?}");
        reason.code
    }

    /// What was kept as evidence of a session's failure.
    pub async fn evidence(&self, candidate: &Candidate) -> String {
        let evidence = sqlx::query_scalar!(
            r#"SELECT failure_evidence AS "evidence!" FROM exam_sessions WHERE id = $1::text::uuid"#,
            candidate.session_id
        );
        let evidence = evidence.fetch_one(self.pool()).await;
        evidence.expect("the database answers").to_string()
    }

    /// What was seen of a session's environment before it was destroyed.
    pub async fn snapshot(&self, candidate: &Candidate) -> String {
        let session = candidate.session_id.parse().expect("it is an id");
        let mut conn = self.pool().acquire().await.expect("the database answers");
        let row = load_environment(&mut conn, session).await;
        let row = row.expect("the database answers").expect("it has a row");
        row.snapshot.unwrap_or_default().to_string()
    }

    /// What was found when a session's environment was proven.
    pub async fn isolation_evidence(&self, candidate: &Candidate) -> serde_json::Value {
        let evidence = sqlx::query_scalar!(
            r#"SELECT evidence AS "evidence!" FROM execution_environments
           WHERE session_id = $1::text::uuid"#,
            candidate.session_id
        );
        let evidence = evidence.fetch_one(self.pool()).await;
        evidence.expect("the environment is up")
    }

    /// Lets every lease run out now.
    pub async fn expire_leases(&self) {
        crew::expire_leases(self.pool()).await;
    }

    /// Waits until a session's environment is confirmed gone.
    pub async fn await_gone(&self, candidate: &Candidate, within: Duration) -> Status {
        let what = format!("the environment of {} is gone", candidate.session_id);
        until(&what, within, async || {
            let status = self.status(candidate).await;
            (status.environment.state == "gone").then_some(status)
        })
        .await
    }

    /// Asks for a session's end, as somebody may.
    pub async fn terminate(&self, candidate: &Candidate, by: &Login) -> Answer {
        let path = format!("/v1/sessions/{}/terminate", candidate.session_id);
        self.api_as(by)
            .post(&path, &json!({ "reason": "the story says so" }))
            .await
    }

    /// Attaches a candidate to their terminal.
    pub async fn attach(&self, candidate: &Candidate) -> Terminal {
        let attached = Terminal::attach(&self.door(candidate)).await;
        attached
            .unwrap_or_else(|refused| panic!("{} was refused: {refused:?}", candidate.login.user))
    }

    /// The runtime's uid of a session's environment, as the row has it.
    pub async fn environment_uid(&self, candidate: &Candidate) -> Option<String> {
        sqlx::query_scalar!(
            "SELECT runtime_uid FROM execution_environments WHERE session_id = $1::text::uuid",
            candidate.session_id
        )
        .fetch_one(self.pool())
        .await
        .expect("the environment has a row")
    }

    /// What the last attempt of a session's environment was asked to be.
    pub async fn environment_spec(&self, candidate: &Candidate) -> serde_json::Value {
        let spec = sqlx::query_scalar!(
            r#"SELECT spec AS "spec!" FROM execution_environments
           WHERE session_id = $1::text::uuid"#,
            candidate.session_id
        );
        let spec = spec.fetch_one(self.pool()).await;
        spec.expect("an attempt was begun")
    }

    /// Asserts that a terminal is cut because its session has ended.
    pub async fn assert_cut(terminal: &mut Terminal, within: Duration) {
        terminal.expect_close(CloseCode::SessionEnded, within).await;
    }
}

/// Reads a status document out of an answer.
pub fn read(answer: &Answer) -> Status {
    serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text))
}
