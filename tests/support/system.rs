//! A whole Carrel: real processes on a database of their own and one of the run's runtimes.

mod places;
mod plan;
mod sessions;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use execution_environment::Listed;
use sqlx::PgPool;
use tempfile::TempDir;

pub use places::{Taken, Weight, take_places};
pub use plan::{Place, Plan, SECOND_PAGE};
pub use sessions::{Candidate, read};

use self::plan::Addresses;
use self::settings::Settings;
use crate::api_proxy::ApiProxy;
use crate::database::TestDatabase;
use crate::engine::TestEngine;
use crate::exams;
use crate::http::Http;
use crate::kubernetes::TestCluster;
use crate::process::Process;
use crate::runtime::TestRuntime;
use crate::settings::{binary, setting};
use crate::wait::{on_own_thread, until};
use crate::{diagnosis, invariants};

/// Time for one process to bind and connect; seen: under 1 s each.
const PROCESS_READY: Duration = Duration::from_mins(1);

/// A running system. Dropped, it ends its processes, removes its environments and its database;
/// dropped by a panic, it first prints what it was doing.
#[derive(Debug)]
pub struct TestSystem {
    /// Its database.
    pub database: Arc<TestDatabase>,
    /// What its environments run on.
    pub runtime: TestRuntime,
    /// What the first worker's requests to the cluster pass, if it was planned so.
    pub api_proxy: Option<ApiProxy>,
    /// The api process.
    pub api: Process,
    /// The terminal process.
    pub terminal: Process,
    /// The workers.
    pub workers: Vec<Process>,
    addresses: Addresses,
    settings: Settings,
    folder: TempDir,
    _place: Taken,
}

impl TestSystem {
    /// Starts a system with one worker and the sample exam.
    pub async fn start() -> Self {
        Self::planned(Plan::default()).await
    }

    /// Starts a system as planned, with the sample exam applied.
    pub async fn planned(plan: Plan) -> Self {
        let place = take_places(plan.weight).await;
        let server = plan
            .server
            .clone()
            .unwrap_or_else(|| setting("DATABASE_URL"));
        let database = Arc::new(TestDatabase::create(&server).await);
        exams::apply(&database.pool, &exams::sample()).await;
        let folder = tempfile::tempdir().expect("a folder for logs");
        let addresses = Addresses::choose(plan.workers);
        let runtime = match plan.place {
            Place::Engine => TestRuntime::Engine(TestEngine::connect()),
            Place::Cluster => TestRuntime::Cluster(TestCluster::create().await),
        };
        let (settings, api_proxy) =
            Settings::write(&plan, &database.url, &runtime, folder.path()).await;
        let mut system = Self {
            runtime,
            api_proxy,
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

    /// Ends every process, as for maintenance.
    pub fn end_processes(&mut self) {
        let processes = self.workers.iter_mut();
        for process in processes.chain([&mut self.api, &mut self.terminal]) {
            process.terminate();
        }
    }

    /// Starts every process again and waits until it is ready.
    pub async fn start_processes(&mut self) {
        let processes = self.workers.iter_mut();
        for process in processes.chain([&mut self.api, &mut self.terminal]) {
            process.start_again();
        }
        self.await_ready().await;
    }

    /// Runs the operator's command line, which must succeed.
    pub async fn carrel(&self, arguments: &[&str]) -> String {
        let done = self.carrel_ends(arguments).await;
        // What finds something unhealthy tells it on its standard output.
        let [printed, complaint] =
            [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(done.status.success(), "{arguments:?}: {complaint}{printed}");
        printed.into_owned()
    }

    /// Runs the operator's command line, however it ends.
    pub async fn carrel_ends(&self, arguments: &[&str]) -> std::process::Output {
        tokio::process::Command::new(binary("carrel"))
            .args(arguments)
            .env("CARREL_DATABASE_URL", &self.database.url)
            .output()
            .await
            .expect("the command line starts")
    }

    /// Runs the operator's command line with a worker's way to the runtime, however it ends.
    pub async fn carrel_with_runtime(&self, arguments: &[&str]) -> std::process::Output {
        tokio::process::Command::new(binary("carrel"))
            .args(arguments)
            .envs(self.settings.of_worker(0))
            .env("CARREL_DATABASE_URL", &self.database.url)
            .output()
            .await
            .expect("the command line starts")
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

    /// What the worker of this number, from 0, tells of itself.
    pub async fn worker_metrics(&self, number: usize) -> String {
        let admin = &self.addresses.worker_admins[number];
        let probe = Http::new(&format!("http://{admin}"));
        let answer = probe.request(reqwest::Method::GET, "/metrics").send().await;
        let text = answer.expect("the worker answers").text().await;
        text.expect("metrics are text")
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

    /// What is there of this system's environments.
    pub async fn environments(&self) -> Vec<Listed> {
        self.runtime.environments(self.database.install_id).await
    }

    /// Waits until no job is left.
    pub async fn await_no_jobs(&self, within: Duration) {
        invariants::await_no_jobs(self.pool(), within).await;
    }

    /// Waits until no job is left, and asserts that nothing is where it should not be.
    pub async fn assert_invariants(&self) {
        let install_id = self.database.install_id;
        invariants::assert_none_broken(self.pool(), install_id, &self.runtime).await;
    }
}

impl Drop for TestSystem {
    fn drop(&mut self) {
        let (database, runtime) = (Arc::clone(&self.database), self.runtime.clone());
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
        on_own_thread(move || async move { runtime.remove_all(database.install_id).await });
    }
}
