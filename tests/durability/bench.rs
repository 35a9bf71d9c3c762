//! A database with a ledger, the workers on it, and what was asked of them.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use job_queue::{EnqueueOptions, Enqueued, enqueue_many};
use rustix::process::Signal;
use sqlx::PgPool;
use sqlx::types::Uuid;
use system_tests::database::TestDatabase;
use system_tests::fault_proxy::FaultProxy;
use system_tests::ledger::{LedgerJob, create_ledger};
use system_tests::ports::moved;
use system_tests::postgres::OwnPostgres;
use system_tests::process::Process;
use system_tests::settings::setting;
use system_tests::wait::{SOON, until};
use system_tests::{Taken, Weight, take_places};
use tempfile::TempDir;

use crate::checker::{Evidence, Intent, violations};
use crate::evidence;
use crate::worker_plan::WorkerPlan;

/// What a worker said of its life when it had drained.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub(crate) struct Drained {
    pub(crate) recorded: u64,
    pub(crate) released: u64,
    pub(crate) stale: u64,
    pub(crate) unanswered: u64,
}

/// Dropped, it ends its workers and then its database; dropped by a panic, it first prints what
/// the workers said.
pub(crate) struct Bench {
    pub(crate) workers: Vec<Process>,
    pub(crate) database: TestDatabase,
    /// A PostgreSQL of its own, if it has one.
    pub(crate) postgres: Option<OwnPostgres>,
    /// What producers know, outside the queue: ids whose commit was answered, and the others.
    pub(crate) intents: Vec<Intent>,
    folder: TempDir,
    _place: Taken,
}

impl Bench {
    /// On the run's PostgreSQL.
    pub(crate) async fn start(weight: Weight) -> Self {
        let place = take_places(weight).await;
        Self::on(&setting("DATABASE_URL"), None, place).await
    }

    /// On a PostgreSQL that this test alone uses.
    pub(crate) async fn with_own_postgres(weight: Weight, settings: &[&str]) -> Self {
        let place = take_places(weight).await;
        let postgres = OwnPostgres::start_with(settings).await;
        Self::on(&postgres.url.clone(), Some(postgres), place).await
    }

    async fn on(server: &str, postgres: Option<OwnPostgres>, place: Taken) -> Self {
        let database = TestDatabase::create(server).await;
        create_ledger(&database.pool).await;
        Self {
            workers: Vec::new(),
            database,
            postgres,
            intents: Vec::new(),
            folder: tempfile::tempdir().expect("a folder for logs"),
            _place: place,
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    pub(crate) fn postgres(&self) -> &OwnPostgres {
        self.postgres.as_ref().expect("this test has its own")
    }

    /// Starts one more worker and returns its number.
    pub(crate) fn work(&mut self, plan: &WorkerPlan) -> usize {
        let number = self.workers.len();
        self.workers.push(Process::start_at(
            &format!("{}-{number}", plan.name),
            PathBuf::from(env!("CARGO_BIN_EXE_ledger-worker")),
            plan.flags(&self.database.url),
            Vec::new(),
            self.folder.path(),
        ));
        number
    }

    /// A proxy before the database, and the database's address through it.
    pub(crate) async fn proxy(&self) -> (FaultProxy, String) {
        let proxy = FaultProxy::before(&self.database.url).await;
        let url = moved(&self.database.url, &proxy.place());
        (proxy, url)
    }

    /// Enqueues in one transaction and notes the jobs once their commit was answered.
    pub(crate) async fn put<J: LedgerJob>(&mut self, jobs: &[J]) -> Vec<Uuid> {
        let mut tx = self.pool().begin().await.unwrap();
        let options = EnqueueOptions::default();
        let answers = enqueue_many(&mut tx, jobs, &options).await.unwrap();
        tx.commit().await.unwrap();
        let ids: Vec<Uuid> = answers.iter().map(|it| it.id().as_uuid()).collect();
        for ((id, answer), job) in ids.iter().zip(&answers).zip(jobs) {
            if matches!(answer, Enqueued::New(_)) {
                self.intents.push(Intent::acknowledged(*id, job.promised()));
            }
        }
        ids
    }

    pub(crate) async fn put_one<J: LedgerJob>(&mut self, job: J) -> Uuid {
        self.put(&[job]).await[0]
    }

    /// Waits until a job is in a state and at a run.
    pub(crate) async fn await_run(&self, id: Uuid, state: &str, run_token: i64) {
        self.await_run_within(id, state, run_token, SOON).await;
    }

    pub(crate) async fn await_run_within(
        &self,
        id: Uuid,
        state: &str,
        run_token: i64,
        within: Duration,
    ) {
        until(
            &format!("job {id} is {state} at run {run_token}"),
            within,
            async || {
                let row = evidence::job(self.pool(), id).await.ok()?;
                (row.state == state && row.run_token == run_token).then_some(())
            },
        )
        .await;
    }

    /// Waits until an effect stands in the ledger.
    pub(crate) async fn await_effect(&self, effect: &str) {
        until(&format!("the effect {effect}"), SOON, async || {
            let entries = evidence::ledger(self.pool()).await.ok()?;
            entries
                .iter()
                .any(|entry| entry.effect == effect)
                .then_some(())
        })
        .await;
    }

    /// Waits until a worker has ended by itself.
    pub(crate) async fn await_end(&mut self, worker: usize) -> ExitStatus {
        let process = &mut self.workers[worker];
        until("the worker has ended", SOON, async || process.ended()).await
    }

    /// Ends a worker with SIGTERM and returns what it says of its life. The test's own runtime goes
    /// on meanwhile, and with it the proxies.
    pub(crate) async fn drain(&mut self, worker: usize) -> Drained {
        self.workers[worker].signal(Signal::TERM);
        let status = self.await_end(worker).await;
        assert!(status.success(), "the worker ended with {status}");
        let log = self.workers[worker].log();
        let mut lines = log.lines().rev();
        let said = lines.find_map(|line| line.strip_prefix("drained "));
        serde_json::from_str(said.expect("a drained worker says so")).unwrap()
    }

    /// Waits until every acknowledged job has ended, and asserts that nothing happened that may
    /// not.
    pub(crate) async fn judge(&self, within: Duration) -> Evidence {
        until("every job has ended", within, async || {
            (evidence::live_jobs(self.pool()).await.ok()? == 0).then_some(())
        })
        .await;
        let evidence = evidence::gather(self.pool(), &self.intents).await.unwrap();
        let found = violations(&evidence);
        assert!(found.is_empty(), "{found:#?}");
        evidence
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.end();
        }
        if std::thread::panicking() {
            print(&self.workers);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a failed test says what its workers said"
)]
fn print(workers: &[Process]) {
    for worker in workers {
        eprintln!("{}", worker.log_tail());
    }
}
