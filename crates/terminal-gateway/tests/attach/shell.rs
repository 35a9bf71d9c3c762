//! A real keeper with a real shell, which a gateway reaches as an exec would.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{AttachStreams, EnvironmentRuntime, RuntimeError, RuntimeName};
use sqlx::PgPool;
use tempfile::TempDir;
use terminal_gateway::RecordingSpool;
use tokio::net::UnixStream;

use crate::bench::{Running, USER, apart, start_gateway_into};
use crate::door::{Door, OnlyAttaches, not_there};
use crate::keeper::TestKeeper;
use crate::keeper_process::KeeperProcess;
use crate::rows::insert_running_of;
use crate::seat::Seat;

/// A running keeper, ended with the test.
pub(crate) struct Keeper {
    process: KeeperProcess,
    folder: TempDir,
}

impl Keeper {
    /// One whose first attach runs `script`, and that holds nothing back for who is away.
    pub(crate) async fn start(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", script];
        let process = KeeperProcess::start(folder.path(), &command, Duration::ZERO).await;
        Self { process, folder }
    }

    /// Where its shell works.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn await_file(&self, name: &str) {
        self.process.await_file(name).await;
    }

    /// Starts a gateway that leads to it.
    pub(crate) async fn gateway(&self, pool: &PgPool, spool: Option<RecordingSpool>) -> Running {
        start_gateway_into(pool, self.runtime(), spool).await
    }

    /// What leads to it.
    pub(crate) fn runtime(&self) -> Arc<dyn EnvironmentRuntime> {
        reached_by(self.socket())
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.process.socket()
    }

    /// A session in which it runs, and a gateway that leads to it.
    pub(crate) async fn seat(
        &self,
        pool: &PgPool,
        wanted: &str,
        spool: Option<RecordingSpool>,
    ) -> (Seat, Running) {
        let pool = apart(pool);
        let running = self.gateway(&pool, spool).await;
        (seat_at(pool, running.0, wanted).await, running)
    }
}

/// A session, to be reached at a gateway.
pub(crate) async fn seat_at(pool: PgPool, address: std::net::SocketAddr, wanted: &str) -> Seat {
    let session_id = insert_running_of(&pool, USER, wanted).await;
    Seat {
        pool,
        address,
        http: reqwest::Client::new(),
        keeper: TestKeeper::new(),
        session_id,
        user: USER.to_owned(),
        network: None,
    }
}

/// What leads to the keeper that listens there.
pub(crate) fn reached_by(socket: PathBuf) -> Arc<dyn EnvironmentRuntime> {
    Arc::new(OnlyAttaches(SocketDoor(socket)))
}

/// Leads to a keeper's own socket.
#[derive(Debug)]
struct SocketDoor(PathBuf);

#[async_trait]
impl Door for SocketDoor {
    async fn open(&self, _: &RuntimeName) -> Result<AttachStreams, RuntimeError> {
        let socket = UnixStream::connect(&self.0).await;
        let (reader, writer) = socket.map_err(|_| not_there("attach"))?.into_split();
        Ok(AttachStreams {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}
