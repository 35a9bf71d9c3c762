//! One client's stream of status events.

use std::time::Duration;

use actix_web::web::Bytes;
use session_identity::ExamSessionId;
use session_status::{StatusDocument, StatusError};
use sqlx::PgPool;
use telemetry::metrics::Metric;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::hints::Follower;

/// Keeps proxies and browsers from taking silence for loss.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Tells the browser how soon to come back when a stream breaks.
const RETRY_AFTER: &str = "retry: 2000\n\n";
/// No login lasts longer; keeps the arithmetic on instants within bounds.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads one session's status and sends each revision once, until nothing can change any more, the
/// client leaves, the login ends or the process stops.
#[derive(Debug)]
pub(crate) struct StatusStream {
    pub(crate) session_id: ExamSessionId,
    pub(crate) pool: PgPool,
    pub(crate) follower: Follower,
    pub(crate) sender: mpsc::Sender<Bytes>,
    /// The revision that the client has.
    pub(crate) seen: i64,
    pub(crate) stopping: CancellationToken,
    pub(crate) login_ends_in: Duration,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// What woke a stream.
enum Woken {
    Changed,
    Heartbeat,
    End,
}

/// Whether there can be more to send.
#[derive(PartialEq, Eq)]
enum More {
    Possible,
    Never,
}

/// The client closed its connection.
struct ClientLeft;

impl StatusStream {
    /// Runs the stream, beginning with the status that the request read.
    pub(crate) async fn run(mut self, present: StatusDocument) {
        Metric::StatusStreams.change(1.0, &[]);
        let left = self.follow(&present).await.is_err();
        Metric::StatusStreams.change(-1.0, &[]);
        tracing::debug!(session.id = %self.session_id, left, "status stream ended");
        drop(self.permit);
    }

    async fn follow(&mut self, present: &StatusDocument) -> Result<(), ClientLeft> {
        self.send(RETRY_AFTER.into()).await?;
        let mut more = self.offer(present).await?;
        let mut heartbeats = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let login_ends = Instant::now() + self.login_ends_in.min(LONGEST);
        while more == More::Possible {
            match self.wake(&mut heartbeats, login_ends).await {
                Woken::End => return Ok(()),
                Woken::Heartbeat => self.send(": heartbeat\n\n".into()).await?,
                Woken::Changed => more = self.read().await?,
            }
        }
        Ok(())
    }

    async fn wake(&mut self, heartbeats: &mut Interval, login_ends: Instant) -> Woken {
        tokio::select! {
            () = self.stopping.cancelled() => Woken::End,
            () = self.sender.closed() => Woken::End,
            () = sleep_until(login_ends) => Woken::End,
            () = self.follower.changed(self.seen) => Woken::Changed,
            _ = heartbeats.tick() => Woken::Heartbeat,
        }
    }

    /// Reads the status; while the database does not answer, the next poll's hint tries again.
    async fn read(&mut self) -> Result<More, ClientLeft> {
        match self.load().await {
            Ok(Some(document)) => self.offer(&document).await,
            Ok(None) => Ok(More::Never),
            Err(error) => {
                tracing::debug!(%error, session.id = %self.session_id, "a status was not read");
                Ok(More::Possible)
            }
        }
    }

    async fn load(&self) -> Result<Option<StatusDocument>, StatusError> {
        let mut conn = self.pool.acquire().await?;
        session_status::status(&mut conn, self.session_id).await
    }

    /// Sends the document if its revision is new to the client.
    async fn offer(&mut self, document: &StatusDocument) -> Result<More, ClientLeft> {
        if document.revision > self.seen {
            self.seen = document.revision;
            match serde_json::to_string(document) {
                Ok(data) => self.send(event(document.revision, &data)).await?,
                Err(error) => tracing::error!(%error, "a status document was not written"),
            }
        }
        Ok(if is_final(document) {
            More::Never
        } else {
            More::Possible
        })
    }

    async fn send(&self, bytes: Bytes) -> Result<(), ClientLeft> {
        self.sender.send(bytes).await.map_err(|_| ClientLeft)
    }
}

/// Writes one event. JSON has no line breaks of its own, so the data is one line.
fn event(revision: i64, data: &str) -> Bytes {
    format!("event: status\nid: {revision}\ndata: {data}\n\n").into()
}

/// Tells whether nothing of this document can change any more: the session is over and its
/// environment confirmed gone.
pub(crate) fn is_final(document: &StatusDocument) -> bool {
    document.ended_at.is_some() && document.environment.gone_at.is_some()
}
