//! A whole Carrel: real processes on a database of their own and the run's engine.

mod places;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use environment_access::wire::CloseCode;
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::sync::OwnedSemaphorePermit;

pub use places::Weight;
pub use plan::{Plan, SECOND_PAGE};

use self::plan::{Addresses, Settings};
use crate::database::TestDatabase;
use crate::engine::TestEngine;
use crate::exams;
use crate::http::{Answer, Http};
use crate::logins::Login;
use crate::process::Process;
use crate::settings::setting;
use crate::status::Status;
use crate::terminal::{Door, Terminal};
use crate::wait::{SOON, STARTUP, on_own_thread, until};
use crate::{diagnosis, invariants};

/// Time for one process to bind and connect; seen: under 1 s each.
const PROCESS_READY: Duration = Duration::from_secs(20);

/// A running system. Dropped, it ends its processes, removes its environments and its database;
/// dropped by a panic, it first prints what it was doing.
#[derive(Debug)]
pub struct TestSystem {
    /// Its database.
    pub database: Arc<TestDatabase>,
    /// The engine its environments run on.
    pub engine: TestEngine,
    /// The api process.
    pub api: Process,
    /// The terminal process.
    pub terminal: Process,
    /// The workers.
    pub workers: Vec<Process>,
    addresses: Addresses,
    settings: Settings,
    folder: TempDir,
    _place: OwnedSemaphorePermit,
}

/// A candidate and their session.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Their login.
    pub login: Login,
    /// Their session.
    pub session_id: String,
}

impl TestSystem {
    /// Starts a system with one worker and the sample exam.
    pub async fn start() -> Self {
        Self::planned(Plan::default()).await
    }

    /// Starts a system as planned, with the sample exam applied.
    pub async fn planned(plan: Plan) -> Self {
        let place = places::take(plan.weight).await;
        let server = plan
            .server
            .clone()
            .unwrap_or_else(|| setting("DATABASE_URL"));
        let database = Arc::new(TestDatabase::create(&server).await);
        exams::apply(&database.pool, &exams::sample()).await;
        let folder = tempfile::tempdir().expect("a folder for logs");
        let addresses = Addresses::choose(plan.workers);
        let settings = plan.settings(&database.url);
        let mut system = Self {
            engine: TestEngine::connect(),
            api: plan::start_api(&addresses, &settings, folder.path()),
            terminal: plan::start_terminal(&addresses, &settings, folder.path()),
            workers: (0..plan.workers)
                .map(|number| plan::start_worker(&addresses, &settings, folder.path(), number))
                .collect(),
            database,
            addresses,
            settings,
            folder,
            _place: place,
        };
        system.await_ready().await;
        system
    }

    /// Starts one more worker, which finds the database without anything in between.
    pub fn add_worker(&mut self) {
        let number = self.addresses.worker_admins.len();
        self.addresses.add_worker();
        let folder = self.folder.path();
        let worker = plan::start_worker(&self.addresses, &self.settings, folder, number);
        self.workers.push(worker);
    }

    /// Waits until every process that was started says that it is ready.
    pub async fn await_ready(&mut self) {
        let admins = [&self.addresses.api_admin, &self.addresses.terminal_admin].into_iter();
        let admins = admins.chain(&self.addresses.worker_admins);
        let processes = [&mut self.api, &mut self.terminal]
            .into_iter()
            .chain(&mut self.workers);
        for (process, admin) in processes
            .zip(admins)
            .filter(|(process, _)| process.is_started())
        {
            let probe = Http::new(&format!("http://{admin}"));
            until(&format!("{admin} is ready"), PROCESS_READY, async || {
                process.assert_running();
                let answer = probe.request(reqwest::Method::GET, "/readyz").send().await;
                answer
                    .is_ok_and(|answer| answer.status() == 200)
                    .then_some(())
            })
            .await;
        }
    }

    /// Its database, for looks.
    pub fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// Where processes keep their logs.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The api's address, which is the page's origin too.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.addresses.api)
    }

    /// The terminal process's address.
    pub fn terminal_url(&self) -> String {
        format!("http://{}", self.addresses.terminal)
    }

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

    /// Waits until no job is left, and asserts that nothing is where it should not be.
    pub async fn assert_invariants(&self) {
        until("every job is finished", SOON, async || {
            let left = sqlx::query_scalar!(
                r#"SELECT count(*) AS "left!" FROM jobs WHERE state IN ('ready', 'running')"#
            )
            .fetch_one(self.pool())
            .await
            .expect("the database answers");
            (left == 0).then_some(())
        })
        .await;
        let broken = invariants::broken(&self.database, &self.engine).await;
        assert!(
            broken.is_empty(),
            "broken invariants:\n{}",
            broken.join("\n")
        );
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

impl Drop for TestSystem {
    fn drop(&mut self) {
        let (database, engine) = (Arc::clone(&self.database), self.engine.clone());
        let logs = std::thread::panicking().then(|| {
            let processes = [&self.api, &self.terminal].into_iter().chain(&self.workers);
            processes.map(Process::log_tail).collect::<Vec<_>>()
        });
        if let Some(logs) = &logs {
            diagnosis::print(&database, logs);
        }
        // The workers first: what makes environments must be gone before they are removed.
        let processes = self
            .workers
            .iter_mut()
            .chain([&mut self.api, &mut self.terminal]);
        processes.for_each(Process::end);
        on_own_thread(async move { engine.remove_all(database.install_id).await });
    }
}
