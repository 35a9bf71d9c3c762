//! What stories do with an installation: sessions and terminals, by its Service alone.

use std::time::Duration;

use serde_json::json;

use super::{PAGE, Release, TERMINAL};
use crate::exams;
use crate::http::Http;
use crate::logins::Login;
use crate::status::Status;
use crate::system::{Candidate, read};
use crate::terminal::Door;
use crate::wait::{STARTUP, until};

impl Release {
    /// Stores the sample exam by the command line of the notes.
    pub async fn apply_exam(&self) {
        let exam = serde_json::to_string(&exams::sample()).expect("an exam is data");
        self.as_noted("carrel exams apply", &exam).await;
    }

    /// Speaks HTTP to the api with a login.
    pub fn api_as(&self, login: &Login) -> Http {
        Http::new(PAGE).with_token(&login.token)
    }

    /// Makes a session for a candidate, as the exam platform does.
    pub async fn candidate(&self, user: &str) -> Candidate {
        let asked = json!({ "user_id": user, "exam": exams::SAMPLE });
        let service = self.api_as(&Login::service());
        let answer = service.post("/v1/sessions", &asked).await;
        Candidate {
            login: Login::candidate(user),
            session_id: read(&answer.expect(201)).session_id,
        }
    }

    /// Makes a session and waits until it is ready.
    pub async fn ready_candidate(&self, user: &str) -> Candidate {
        let candidate = self.candidate(user).await;
        self.await_status(&candidate, "is ready", STARTUP, |status| {
            assert_ne!(status.state, "failed", "{status:#?}");
            status.state == "ready"
        })
        .await;
        candidate
    }

    /// Reads a session's status as its candidate.
    pub async fn status(&self, of: &Candidate) -> Status {
        let path = format!("/v1/sessions/{}", of.session_id);
        read(&self.api_as(&of.login).get(&path).await.expect(200))
    }

    /// Waits until a session's status is as wanted.
    pub async fn await_status(
        &self,
        of: &Candidate,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Status) -> bool,
    ) -> Status {
        until(&format!("the session {what}"), within, async || {
            let status = self.status(of).await;
            wanted(&status).then_some(status)
        })
        .await
    }

    /// Waits until a session's environment is confirmed gone.
    pub async fn await_gone(&self, candidate: &Candidate, within: Duration) {
        self.await_status(candidate, "has no environment", within, |status| {
            status.environment.state == "gone"
        })
        .await;
    }

    /// The way of a candidate to their terminal.
    pub fn door(&self, candidate: &Candidate) -> Door {
        Door {
            address: TERMINAL.to_owned(),
            origin: PAGE.to_owned(),
            session_id: candidate.session_id.clone(),
            login: candidate.login.clone(),
        }
    }
}
