//! The recorder of a process: tapes in, segments to the spool, the spool into the database.

mod ceiling;
mod clock;
mod deck;
mod disk;
mod health;
mod open;
mod reel;
mod refusals;
mod room;
mod shipping;
mod spooler;
mod tape;
#[cfg(test)]
mod tests;
mod track;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgPool;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use ceiling::SESSION_CEILING_BYTES;
pub use health::{RecorderHealth, SpoolState};
pub use open::OpenTapeError;
pub use room::{PROCESS_QUEUE_BYTES, SESSION_QUEUE_BYTES};
pub use tape::{SessionTape, Tape, TapeError};

use crate::manifest::SigningKey;
use crate::place::Place;
use crate::spool::{Spool, SpoolFault};
use ceiling::Ceiling;
use disk::Disk;
use shipping::{Shipment, Shipper, ShippingState};
use track::{Track, locked};

/// A database that has not answered for so long does not: a transaction takes some milliseconds, and its
/// lock is held by others for as long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// So long a drained process waits for its empty directory to go.
const LEFT_WITHIN: Duration = Duration::from_secs(1);

/// What a recorder needs to know.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    /// This life of the process; segments carry it.
    pub writer: TerminalProcessId,
    /// A directory on a disk of its own, shared only with other lives of the same process on the same
    /// machine. Made if it is not there.
    pub spool_dir: PathBuf,
    /// Bytes that may wait on that disk.
    pub spool_limit_bytes: u64,
    /// Bytes that may wait in memory over all sessions; [`PROCESS_QUEUE_BYTES`] unless there is a reason.
    pub queue_bytes: u32,
    /// Bytes of entries that one session may leave; [`SESSION_CEILING_BYTES`] unless there is a reason.
    pub session_ceiling_bytes: u64,
    /// Signs what is closed; without one it stays unsigned, until a process that has one comes by.
    pub signing_key: Option<SigningKey>,
}

/// How long a recorder waits for what.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// For the database's answer, while it ships.
    patience: Duration,
    /// Until it looks again for recordings to be closed and signed.
    close_every: Duration,
}

/// As a process runs.
const TIMING: Timing = Timing {
    patience: ANSWERS_WITHIN,
    close_every: Duration::from_secs(30),
};

/// Why a recorder does not start.
#[derive(Debug, thiserror::Error)]
#[error("open the spool {}; make it a directory that this process may write", path.display())]
pub struct StartError {
    /// The directory.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// Keeps what terminals show. One a process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: PgPool,
    writer: TerminalProcessId,
    spool: Spool,
    disk: Disk,
    tracks: Mutex<HashMap<ExamSessionId, Arc<Track>>>,
    /// How far dead processes had recorded, by what they left here.
    left: HashMap<ExamSessionId, Place>,
    queue: Arc<Semaphore>,
    queue_bytes: u32,
    session_ceiling_bytes: u64,
    signing_key: Option<SigningKey>,
    timing: Timing,
    fault: watch::Sender<Option<SpoolFault>>,
    /// Tasks that the spool refuses something.
    failing: Arc<AtomicUsize>,
    shipping: Arc<ShippingState>,
    tasks: TaskTracker,
    /// Tasks live where the recorder was started, not with the connection that opened a tape.
    runtime: Handle,
    stopped: CancellationToken,
    given_up: CancellationToken,
    /// Wakes the shipper at the end.
    hurry: Notify,
}

/// What a recorder that was drained leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Bytes that stay in the spool, for the next process that starts on it.
    pub spooled_bytes: u64,
}

impl Recorder {
    /// Opens the spool, takes over what dead processes left in it, and begins to ship. Reads the disk, so
    /// that nothing else should run on the calling thread yet.
    ///
    /// # Errors
    /// [`StartError`], where the spool cannot be opened.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(pool: PgPool, settings: RecorderSettings) -> Result<Self, StartError> {
        Self::start_timed(pool, settings, TIMING)
    }

    fn start_timed(
        pool: PgPool,
        settings: RecorderSettings,
        timing: Timing,
    ) -> Result<Self, StartError> {
        let path = settings.spool_dir;
        let opened = Spool::open(&path, settings.writer, settings.spool_limit_bytes);
        let opened = opened.and_then(|opened| Ok((opened, Disk::start()?)));
        let opened = opened.map_err(|source| StartError { path, source })?;
        let ((spool, leftovers), disk) = opened;
        let mut left = HashMap::new();
        for leftover in &leftovers {
            let known: &mut Place = left.entry(leftover.roll.session_id()).or_default();
            *known = leftover.recorded_to.unwrap_or_default().max(*known);
        }
        let shared = Arc::new(Shared {
            pool,
            writer: settings.writer,
            spool,
            disk,
            tracks: Mutex::default(),
            left,
            queue: Arc::new(Semaphore::new(settings.queue_bytes as usize)),
            queue_bytes: settings.queue_bytes,
            session_ceiling_bytes: settings.session_ceiling_bytes,
            signing_key: settings.signing_key,
            timing,
            fault: watch::Sender::new(None),
            failing: Arc::default(),
            shipping: Arc::default(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            stopped: CancellationToken::new(),
            given_up: CancellationToken::new(),
            hurry: Notify::new(),
        });
        let leftovers = leftovers.into_iter().map(Shipment::of_leftover).collect();
        if let Some(key) = &shared.signing_key {
            tracing::info!(key.id = %key.id(), "closed recordings are signed");
        } else {
            tracing::info!("closed recordings are not signed: this process has no key");
        }
        let shipper = Shipper::new(Arc::clone(&shared), leftovers);
        shared.tasks.spawn(shipper.run());
        Ok(Self { shared })
    }

    /// Stops recording, writes everything that was said, and ships until everything is in the database
    /// or `grace` is over. What stays in the spool is shipped by the next process that starts on it.
    pub async fn drain(&self, grace: Duration) -> Drained {
        let shared = &self.shared;
        shared.stopped.cancel();
        shared.tasks.close();
        shared.hurry.notify_one();
        let ended = tokio::time::timeout(grace, shared.tasks.wait()).await;
        if ended.is_err() {
            shared.given_up.cancel();
        } else {
            let directory = shared.spool.directory();
            let leave = shared.disk.run(move || directory.clear_away());
            // What is not gone in time is found, empty, by the next process that starts here.
            tokio::time::timeout(LEFT_WITHIN, leave).await.ok();
        }
        Drained {
            spooled_bytes: shared.spool.usage().used(),
        }
    }

    /// Says how recording goes.
    pub fn health(&self) -> RecorderHealth {
        self.shared.health()
    }

    /// Follows what the spool says: a fault while it takes nothing, nothing while all is well.
    pub fn faults(&self) -> watch::Receiver<Option<SpoolFault>> {
        self.shared.fault.subscribe()
    }
}

impl Shared {
    fn track(&self, session_id: ExamSessionId) -> Arc<Track> {
        let mut tracks = locked(&self.tracks);
        let track = tracks.entry(session_id).or_insert_with(|| {
            let track = Track::new(
                self.spool.roll(session_id),
                Ceiling::new(self.session_ceiling_bytes),
            );
            if let Some(place) = self.left.get(&session_id) {
                track.note_recorded(*place);
            }
            Arc::new(track)
        });
        Arc::clone(track)
    }

    fn known_tracks(&self) -> Vec<Arc<Track>> {
        locked(&self.tracks).values().cloned().collect()
    }
}
