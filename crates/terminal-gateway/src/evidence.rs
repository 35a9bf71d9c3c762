//! What an attach went through, written down beside it.
//!
//! Nothing waits for it: a database that is slow or gone keeps no terminal from moving, and what could
//! not be written is tried again, with the time it happened at.

use std::time::{Duration, Instant};

use environment_access::wire::CloseCode;
use environment_access::{
    Outage, OutageCause, TurnedAway, close_attachment, open_attachment, record_outage,
    record_turned_away,
};
use session_identity::{ExamSessionId, UserId};
use sqlx::{PgConnection, PgPool};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// A statement that takes longer has failed.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// Pause before the next try…
const PAUSE: Duration = Duration::from_secs(2);
/// …up to this long after the event; then an operator finds it in the log alone.
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);
/// Shorter outages are nobody's business.
const NOTICEABLE: Duration = Duration::from_secs(1);
/// What is not written so long after the last terminal has left stays unwritten.
const FLUSH_WITHIN: Duration = Duration::from_secs(4);

/// Writes for every attach of a process, on the process's own runtime: those of single connections end
/// before it.
#[derive(Debug)]
pub(crate) struct EvidenceWriter {
    pool: PgPool,
    runtime: Handle,
    writing: TaskTracker,
}

impl EvidenceWriter {
    /// Makes one that writes on the runtime it is made on.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            runtime: Handle::current(),
            writing: TaskTracker::new(),
        }
    }

    pub(crate) fn of(&self, session_id: ExamSessionId, epoch: i64) -> Evidence {
        Evidence {
            pool: self.pool.clone(),
            runtime: self.runtime.clone(),
            writing: self.writing.clone(),
            session_id,
            epoch,
        }
    }

    /// A candidate who may attach was not let, and no attach began.
    pub(crate) fn turned_away(&self, session_id: ExamSessionId, user: &UserId, why: TurnedAway) {
        let none = self.of(session_id, 0);
        none.spawn(Event::TurnedAway(why, user.clone()));
    }

    /// Waits, for a while, until all is written. Call it when nothing is attached any more.
    pub(crate) async fn flush(&self) {
        self.writing.close();
        if timeout(FLUSH_WITHIN, self.writing.wait()).await.is_err() {
            let left = self.writing.len();
            tracing::warn!(left, "what some attaches went through was not recorded");
        }
    }
}

/// Writes down what one attach goes through.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pool: PgPool,
    runtime: Handle,
    writing: TaskTracker,
    session_id: ExamSessionId,
    epoch: i64,
}

#[derive(Debug, Clone)]
enum Event {
    Opened,
    Outage(OutageCause, Duration, Uuid),
    Closed(CloseCode),
    TurnedAway(TurnedAway, UserId),
}

impl Evidence {
    /// The shell has answered.
    pub(crate) fn opened(&self) {
        self.spawn(Event::Opened);
    }

    /// What began `since` is over.
    pub(crate) fn outage(&self, cause: OutageCause, since: Instant) {
        let lasted = since.elapsed();
        if lasted >= NOTICEABLE {
            self.spawn(Event::Outage(cause, lasted, Uuid::now_v7()));
        }
    }

    /// The attach is over.
    pub(crate) fn closed(&self, code: CloseCode) {
        self.spawn(Event::Closed(code));
    }

    fn spawn(&self, event: Event) {
        let (this, happened) = (self.clone(), Instant::now());
        let writing = async move { this.write(event, happened).await };
        self.writing.spawn_on(writing, &self.runtime);
    }

    async fn write(&self, event: Event, happened: Instant) {
        loop {
            let failure = match timeout(WRITE_WITHIN, self.try_write(&event, happened)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database did not answer in time".to_owned(),
            };
            if happened.elapsed() >= GIVE_UP_AFTER {
                tracing::error!(session.id = %self.session_id, epoch = self.epoch, ?event, failure,
                    "what an attach went through was not recorded");
                return;
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_write(&self, event: &Event, happened: Instant) -> Result<(), sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        self.record(&mut conn, event, happened.elapsed()).await
    }

    async fn record(
        &self,
        conn: &mut PgConnection,
        event: &Event,
        ago: Duration,
    ) -> Result<(), sqlx::Error> {
        let (session_id, epoch) = (self.session_id, self.epoch);
        match *event {
            Event::Opened => open_attachment(conn, session_id, epoch, ago).await,
            Event::Outage(cause, lasted, id) => {
                let outage = Outage {
                    id,
                    cause,
                    lasted,
                    ended_ago: ago,
                };
                record_outage(conn, (session_id, epoch), outage).await
            }
            Event::Closed(code) => close_attachment(conn, session_id, epoch, code, ago)
                .await
                .map(drop),
            Event::TurnedAway(why, ref user) => {
                record_turned_away(conn, session_id, user, why, ago).await
            }
        }
    }
}
