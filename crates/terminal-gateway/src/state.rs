//! What every part of the process shares.

use std::sync::Arc;
use std::time::Duration;

use environment_access::{Origins, TokenVerifier};
use execution_environment::{EnvironmentRuntime, RuntimeHealth};
use job_queue::Waker;
use session_identity::TerminalProcessId;
use session_recording::Recorder;
use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::evidence::EvidenceWriter;
use crate::readings::{ReadOn, Readings};
use crate::registry::Registry;
use crate::tees::Tees;
use crate::waiting::WaitingRoom;

/// What every part of the process shares.
#[derive(Debug)]
pub(crate) struct GatewayState {
    /// Names this run of the process in the database.
    pub(crate) process_id: TerminalProcessId,
    /// The database.
    pub(crate) pool: PgPool,
    /// One connection past any pooler, for listening.
    pub(crate) listening: PgPool,
    /// Tells workers that a first attach has enqueued an activation.
    pub(crate) waker: Waker,
    /// Verifies logins.
    pub(crate) verifier: TokenVerifier,
    /// The page origins that may attach.
    pub(crate) origins: Origins,
    /// What runs the environments.
    pub(crate) runtime: Arc<dyn EnvironmentRuntime>,
    /// What the last look at it found.
    pub(crate) health: RuntimeHealth,
    /// The attached terminals.
    pub(crate) registry: Registry,
    /// Keeps what terminals show; `None` where no spool is given.
    pub(crate) recorder: Option<Recorder>,
    /// What still carries terminals to it.
    pub(crate) tees: Tees,
    /// The recorded shells that this process reads.
    pub(crate) readings: Arc<Readings>,
    /// How they are shared with other processes.
    pub(crate) read_on: ReadOn,
    /// Writes down what attaches go through.
    pub(crate) evidence: EvidenceWriter,
    /// One permit for each terminal this process serves.
    pub(crate) places: Arc<Semaphore>,
    /// One permit for each exec that may be starting.
    pub(crate) starts: Arc<Semaphore>,
    /// Sockets that have not said HELLO yet.
    pub(crate) waiting: Arc<WaitingRoom>,
    /// How often what the database says of all terminals is read.
    pub(crate) poll_every: Duration,
    /// Whether typed bytes have to wait because the database has been silent for long.
    pub(crate) frozen: watch::Sender<bool>,
    /// Cancelled when the process is about to stop: no new attaches.
    pub(crate) draining: CancellationToken,
}
