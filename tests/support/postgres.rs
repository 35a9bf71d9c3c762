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
/// Making a cluster takes 2 s, on a slow disk many times that.
const START_LIMIT: Duration = Duration::from_mins(1);

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
        let image = setting("CARREL_POSTGRES_IMAGE");
        let (name, tag) = image.rsplit_once(':').expect("the image has a tag");
        // Chosen here, since the library reads no ports from Podman's answers.
        let port = free_port();
        let container = GenericImage::new(name, tag)
            .with_mapped_port(port, 5432.tcp())
            .with_env_var("POSTGRES_PASSWORD", PASSWORD)
            .with_env_var("POSTGRES_DB", "carrel")
            // Explicit, since a machine may give less than an engine asks for by default.
            .with_ulimit("nofile", 1024, Some(2048))
            .with_ulimit("nproc", 4096, Some(4096))
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
        let (docker, id) = (&self.engine.docker, self.container.id());
        let kill = KillContainerOptionsBuilder::default()
            .signal("SIGKILL")
            .build();
        docker
            .kill_container(id, Some(kill))
            .await
            .expect("the container is killed");
        tokio::time::sleep(pause).await;
        self.container
            .start()
            .await
            .expect("PostgreSQL starts again");
        self.await_connections().await;
    }

    async fn await_connections(&self) {
        until("PostgreSQL takes connections", START_LIMIT, async || {
            let conn = PgConnection::connect(&self.url).await.ok()?;
            conn.close().await.ok()
        })
        .await;
    }
}
