//! The spool into the database: a few sessions at a time, each session's segments in their order.

mod empty;
mod pace;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::Shared;
use super::track::{Track, locked};
use crate::manifest::SigningKey;
use crate::spool::{Leftover, Roll};
use crate::store::{close_ended, count_unsigned, sign_waiting};
use empty::{Emptied, empty};
use pace::Pace;

/// Connections that shipping takes at most. A transaction takes some 3 ms, so that four make over a
/// thousand sessions in the time of one round.
const AT_ONCE: usize = 4;
/// What the database refuses is offered again after so long: a session that it does not know will not
/// appear within a second, and keeps none of the others back.
const OFFER_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// While a process ends, its last segments are looked for so often.
const AT_THE_END: Duration = Duration::from_millis(20);
/// So long recordings are signed before something is shipped again, a thousand and more in a second.
const SIGNING_TURN: Duration = Duration::from_secs(2);

/// What shipping tells of itself.
#[derive(Debug, Default)]
pub(super) struct ShippingState {
    failing_since: Mutex<Option<Instant>>,
    refused: AtomicU64,
    unsigned: AtomicU64,
}

impl ShippingState {
    /// How long nothing could be shipped.
    pub(super) fn not_shipped_for(&self) -> Option<Duration> {
        locked(&self.failing_since).map(|since| since.elapsed())
    }

    /// Recordings that the database does not take.
    pub(super) fn refused_sessions(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Recordings that were closed a while ago and are not signed, as they were counted last.
    pub(super) fn unsigned_recordings(&self) -> u64 {
        self.unsigned.load(Ordering::Relaxed)
    }

    fn note(&self, well: bool) {
        let mut since = locked(&self.failing_since);
        *since = (!well).then(|| since.unwrap_or_else(Instant::now));
    }
}

/// Files to be emptied.
#[derive(Debug, Clone)]
pub(super) struct Shipment {
    roll: Arc<Roll>,
    /// Whose they are, if not a dead process's.
    own: Option<Arc<Track>>,
}

/// One session's files of one life of a process. Another life's are no reason to wait.
type ShipmentKey = (ExamSessionId, TerminalProcessId);

impl Shipment {
    pub(super) fn of_leftover(leftover: Leftover) -> Self {
        Self {
            roll: leftover.roll,
            own: None,
        }
    }

    fn of_own(track: Arc<Track>) -> Self {
        Self {
            roll: Arc::clone(&track.roll),
            own: Some(track),
        }
    }

    fn key(&self) -> ShipmentKey {
        (self.roll.session_id(), self.roll.life())
    }
}

/// Empties the spool as it fills.
#[derive(Debug)]
pub(super) struct Shipper {
    shared: Arc<Shared>,
    leftovers: Vec<Shipment>,
    /// What the database refused, and when.
    refused: HashMap<ShipmentKey, Instant>,
    pace: Pace,
    closed_at: Instant,
}

impl Shipper {
    pub(super) fn new(shared: Arc<Shared>, leftovers: Vec<Shipment>) -> Self {
        Self {
            shared,
            leftovers,
            refused: HashMap::new(),
            pace: Pace::default(),
            closed_at: Instant::now(),
        }
    }

    /// Ships until the recorder is stopped and nothing waits any more, or it gave up.
    pub(super) async fn run(mut self) {
        loop {
            // Asked before the round: what is said until a stop is written before the tasks have ended.
            let is_last = self.is_stopped_and_written();
            let well = self.round().await;
            if is_last && self.waiting().is_empty() {
                return;
            }
            let pause = match self.pace.after(well, rand::random()) {
                pause if well && self.shared.stopped.is_cancelled() => pause.min(AT_THE_END),
                pause => pause,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.hurry.notified() => {}
                () = self.shared.given_up.cancelled() => return,
            }
        }
    }

    /// This task is the last of the recorder's.
    fn is_stopped_and_written(&self) -> bool {
        self.shared.stopped.is_cancelled() && self.shared.tasks.len() == 1
    }

    /// What is to be shipped, dead processes' first: theirs is older.
    fn waiting(&self) -> Vec<Shipment> {
        let own = self.shared.known_tracks().into_iter().map(Shipment::of_own);
        let all = self.leftovers.iter().cloned().chain(own);
        let offered = |shipment: &Shipment| !self.refused.contains_key(&shipment.key());
        all.filter(|shipment| shipment.roll.is_waiting() && offered(shipment))
            .collect()
    }

    /// Ships what waits. Returns whether the database answered.
    async fn round(&mut self) -> bool {
        self.refused
            .retain(|_, since| since.elapsed() < OFFER_AGAIN_AFTER);
        let shared = &self.shared;
        let emptied: Vec<_> = stream::iter(self.waiting())
            .map(|shipment| async move {
                let emptied = empty(shared, &shipment).await;
                // A round that waits for answers is long, and this is known already.
                if emptied == Emptied::Unanswered {
                    shared.shipping.note(false);
                }
                (shipment.key(), emptied)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut well = true;
        for (key, emptied) in emptied {
            match emptied {
                Emptied::Whole => {}
                Emptied::Partly => shared.hurry.notify_one(),
                Emptied::Refused => drop(self.refused.insert(key, Instant::now())),
                Emptied::Unanswered => well = false,
            }
        }
        self.note_refused();
        self.leave_emptied().await;
        let well = well && self.close_and_sign().await;
        self.shared.shipping.note(well);
        well
    }

    fn note_refused(&self) {
        let sessions: HashSet<_> = self
            .refused
            .keys()
            .map(|(session_id, _)| session_id)
            .collect();
        let refused = &self.shared.shipping.refused;
        refused.store(sessions.len() as u64, Ordering::Relaxed);
    }

    /// Lets go of dead processes' files that are all shipped, and their directories with them.
    async fn leave_emptied(&mut self) {
        let is_over = |shipment: &mut Shipment| !shipment.roll.is_waiting();
        let over: Vec<_> = self.leftovers.extract_if(.., is_over).collect();
        if !over.is_empty() {
            let leave = move || over.iter().for_each(|shipment| shipment.roll.leave());
            if let Err(error) = self.shared.disk.run(leave).await {
                tracing::warn!(%error, "an empty folder stays in the spool");
            }
        }
    }

    /// Closes what is over and signs what is closed, every now and then. Returns whether the database let it close;
    /// a signature that fails keeps nothing from being shipped, and is told by what stays unsigned.
    async fn close_and_sign(&mut self) -> bool {
        if self.closed_at.elapsed() < self.shared.timing.close_every {
            return true;
        }
        let closed = self.close_in_time().await;
        if let Err(error) = &closed {
            tracing::warn!(%error, "recordings could not be closed");
        }
        if let Some(key) = &self.shared.signing_key
            && let Err(error) = self.sign_in_time(key).await
        {
            tracing::error!(%error, key.id = %key.id(), "closed recordings could not be signed");
        }
        self.closed_at = Instant::now();
        closed.is_ok()
    }

    async fn close_in_time(&self) -> Result<(), sqlx::Error> {
        let mut conn = self.shared.pool.acquire().await?;
        let patience = self.shared.timing.patience;
        let closed = tokio::time::timeout(patience, close_ended(&mut conn)).await;
        closed.map_or_else(
            |_| Err(unanswered(&mut conn, patience)),
            |closed| closed.map(drop),
        )
    }

    async fn sign_in_time(&self, key: &SigningKey) -> Result<(), sqlx::Error> {
        let mut conn = self.shared.pool.acquire().await?;
        let patience = self.shared.timing.patience;
        let sign = async {
            let signed = sign_waiting(&mut conn, key, SIGNING_TURN).await;
            // Above all where that failed.
            let unsigned = count_unsigned(&mut conn).await?;
            let noted = &self.shared.shipping.unsigned;
            noted.store(unsigned, Ordering::Relaxed);
            signed
        };
        let signed = tokio::time::timeout(patience, sign).await;
        signed.unwrap_or_else(|_| Err(unanswered(&mut conn, patience)))
    }
}

/// Lets go of a connection that has not answered: the next who asks gets another.
fn unanswered(conn: &mut PoolConnection<Postgres>, patience: Duration) -> sqlx::Error {
    conn.close_on_drop();
    let error = format!("the database has not answered for {patience:?}");
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, error))
}
