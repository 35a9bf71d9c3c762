//! A PostgreSQL of one test's own, which can be killed and started again with the same data.

use std::time::Duration;

use bollard::query_parameters::KillContainerOptionsBuilder;
use sqlx::{Connection as _, PgConnection};
use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use crate::engine::TestEngine;
use crate::ports::free_port;
use crate::settings::setting;
use crate::wait::until;

const PASSWORD: &str = "carrel";
/// Names the test run that started a container, so that a later one finds those of a killed run.
pub(crate) const RUN_LABEL: &str = "carrel.test-run";
/// Making a cluster takes 2 s, on a slow disk many times that.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A checkpoint and the ends of its backends; on a slow disk seconds.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How PostgreSQL is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Transactions are rolled back, clients are told, a checkpoint is written.
    Fast,
    /// Nothing is written and nobody waited for: the next start recovers from the log.
    Immediate,
}

/// A running PostgreSQL; its container goes when it is dropped.
#[derive(Debug)]
pub struct OwnPostgres {
    container: ContainerAsync<GenericImage>,
    engine: TestEngine,
    /// Where it is.
    pub url: String,
}

impl OwnPostgres {
    /// Starts one and waits until it takes connections.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with settings of its own, such as `max_connections=40`.
    pub async fn start_with(settings: &[&str]) -> Self {
        TestEngine::connect().remove_leftovers(RUN_LABEL).await;
        let image = setting("CARREL_POSTGRES_IMAGE");
        let (name, tag) = image.rsplit_once(':').expect("the image has a tag");
        // Chosen here, since the library reads no ports from Podman's answers.
        let port = free_port();
        let settings = settings.iter().flat_map(|setting| ["-c", setting]);
        let container = GenericImage::new(name, tag)
            .with_mapped_port(port, 5432.tcp())
            .with_env_var("POSTGRES_PASSWORD", PASSWORD)
            .with_env_var("POSTGRES_DB", "carrel")
            // Explicit, since a machine may give less than an engine asks for by default.
            .with_ulimit("nofile", 1024, Some(2048))
            .with_ulimit("nproc", 4096, Some(4096))
            .with_label(RUN_LABEL, std::process::id().to_string())
            .with_cmd(["postgres"].into_iter().chain(settings))
            .start()
            .await
            .expect("PostgreSQL starts");
        let url = format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/carrel");
        let postgres = Self {
            container,
            engine: TestEngine::connect(),
            url,
        };
        postgres.await_connections().await;
        postgres
    }

    /// Kills it without a word and starts it again on the same data after a while.
    pub async fn kill_and_restart(&self, pause: Duration) {
        self.signal("SIGKILL").await;
        tokio::time::sleep(pause).await;
        self.start_again().await;
    }

    /// Stops it as an operator would and waits until it has ended.
    pub async fn stop(&self, stop: Stop) {
        self.signal(match stop {
            Stop::Fast => "SIGINT",
            Stop::Immediate => "SIGQUIT",
        })
        .await;
        until("PostgreSQL has ended", STOP_LIMIT, async || {
            let running = self.container.is_running().await.ok()?;
            (!running).then_some(())
        })
        .await;
    }

    /// Starts it again on the same data and waits until it takes connections.
    pub async fn start_again(&self) {
        let started = self.container.start().await;
        started.expect("PostgreSQL starts again");
        self.await_connections().await;
    }

    /// Stops the time of every one of its processes: connections stay open, nothing is answered.
    pub async fn freeze(&self) {
        self.container.pause().await.expect("PostgreSQL is frozen");
    }

    /// Lets its time go on.
    pub async fn thaw(&self) {
        self.container.unpause().await.expect("PostgreSQL thaws");
    }

    async fn signal(&self, signal: &str) {
        let kill = KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        let docker = &self.engine.docker;
        docker
            .kill_container(self.container.id(), Some(kill))
            .await
            .expect("the container takes signals");
    }

    async fn await_connections(&self) {
        until("PostgreSQL takes connections", START_LIMIT, async || {
            let conn = PgConnection::connect(&self.url).await.ok()?;
            conn.close().await.ok()
        })
        .await;
    }
}
