//! What an attach went through, written down beside it.
//!
//! Nothing waits for it: a database that is slow or gone keeps no terminal from moving, and what could
//! not be written is tried again, with the time it happened at.

use std::time::{Duration, Instant};

use environment_access::wire::CloseCode;
use environment_access::{Outage, OutageCause, close_attachment, open_attachment, record_outage};
use session_identity::ExamSessionId;
use sqlx::{PgConnection, PgPool};
use tokio::time::{sleep, timeout};

/// A statement that takes longer has failed.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// Pause before the next try…
const PAUSE: Duration = Duration::from_secs(2);
/// …up to this long after the event; then an operator finds it in the log alone.
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);
/// Shorter outages are nobody's business.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// Writes down what one attach goes through.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pool: PgPool,
    session_id: ExamSessionId,
    epoch: i64,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Opened,
    Outage(OutageCause, Duration),
    Closed(CloseCode),
}

impl Evidence {
    pub(crate) const fn of(pool: PgPool, session_id: ExamSessionId, epoch: i64) -> Self {
        Self {
            pool,
            session_id,
            epoch,
        }
    }

    /// The shell has answered.
    pub(crate) fn opened(&self) {
        self.spawn(Event::Opened);
    }

    /// What began `since` is over.
    pub(crate) fn outage(&self, cause: OutageCause, since: Instant) {
        let lasted = since.elapsed();
        if lasted >= NOTICEABLE {
            self.spawn(Event::Outage(cause, lasted));
        }
    }

    /// The attach is over. Waits until it is written.
    pub(crate) async fn closed(&self, code: CloseCode) {
        self.write(Event::Closed(code)).await;
    }

    fn spawn(&self, event: Event) {
        let this = self.clone();
        tokio::spawn(async move { this.write(event).await });
    }

    async fn write(&self, event: Event) {
        let happened = Instant::now();
        loop {
            let failure = match timeout(WRITE_WITHIN, self.try_write(event, happened)).await {
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

    async fn try_write(&self, event: Event, happened: Instant) -> Result<(), sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        self.record(&mut conn, event, happened.elapsed()).await
    }

    async fn record(
        &self,
        conn: &mut PgConnection,
        event: Event,
        ago: Duration,
    ) -> Result<(), sqlx::Error> {
        let (session_id, epoch) = (self.session_id, self.epoch);
        match event {
            Event::Opened => open_attachment(conn, session_id, epoch, ago).await,
            Event::Outage(cause, lasted) => {
                let outage = Outage {
                    cause,
                    lasted,
                    ended_ago: ago,
                };
                record_outage(conn, (session_id, epoch), outage).await
            }
            Event::Closed(code) => close_attachment(conn, session_id, epoch, code, ago)
                .await
                .map(drop),
        }
    }
}
