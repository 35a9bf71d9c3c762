//! The one task that writes a session's recording: entries to segments, segments to the spool. While
//! one segment is on its way there the next one fills.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use session_identity::TerminalProcessId;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::refusals::Refusals;
use super::room::Taken;
use super::spooler::Spooler;
use super::track::{Track, Turn};
use crate::draft::Draft;
use crate::entry::{Entry, GapReason};
use crate::place::Place;
use crate::segment::{LONGEST, Segment, SegmentHeader};
use crate::spool::{Record, SpoolFault, Writer};

/// What tapes say.
#[derive(Debug)]
pub(super) enum Event {
    /// A shell began, or a tape of it.
    Begin(Place),
    /// Output at a place, and why what lies before it is missing if it is.
    Output(Place, Bytes, GapReason),
    /// Input of a shell.
    Input(u32, Bytes),
    /// Anything else of a shell.
    Entry(u32, Entry),
    /// Answer when all before is durable.
    Flush(oneshot::Sender<()>),
}

impl Event {
    /// Whether it is no part of the record of this shell. A tape may have waited while another shell began.
    const fn is_of_another(&self, shell_epoch: u32) -> bool {
        match self {
            Self::Output(place, ..) => place.shell_epoch != shell_epoch,
            Self::Input(epoch, _) | Self::Entry(epoch, _) => *epoch != shell_epoch,
            Self::Begin(_) | Self::Flush(_) => false,
        }
    }
}

/// Something said at a moment.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) at_micros: i64,
    pub(super) event: Event,
    /// Its place in the queue, free when the message has been taken.
    pub(super) _room: Option<Taken>,
}

/// Writes one session's recording.
#[derive(Debug)]
pub(super) struct Reel {
    pub(super) track: Arc<Track>,
    pub(super) turn: OwnedMutexGuard<Turn>,
    pub(super) writer: TerminalProcessId,
    pub(super) spooler: Spooler,
    pub(super) clock: Clock,
    /// What was refused, where the exam goes on without it.
    pub(super) refusals: Option<Arc<Refusals>>,
    /// Nothing more is said after it.
    pub(super) stopped: CancellationToken,
    pub(super) draft: Draft,
    /// The segment before the draft, until the spool has it.
    pub(super) under_way: Option<UnderWay>,
    pub(super) times: Times,
    /// Whether everything that was cut is in the spool; the process gives up only at its end.
    pub(super) is_whole: bool,
}

/// A segment on its way to the spool.
pub(super) struct UnderWay {
    /// Where the recording stands once it is there.
    to: Place,
    /// Says whether it is.
    done: BoxFuture<'static, bool>,
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// When what was put has to be on the disk.
#[derive(Debug, Default)]
pub(super) struct Times {
    cut_at: Option<Instant>,
    sync_at: Option<Instant>,
}

impl Times {
    fn next(&self) -> Option<Instant> {
        [self.cut_at, self.sync_at].into_iter().flatten().min()
    }
}

impl Reel {
    /// Writes until nobody can say anything more.
    pub(super) async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let stopped = self.stopped.clone();
        loop {
            let next = self.times.next();
            if next.is_some_and(|next| next <= Instant::now()) {
                self.catch_up().await;
                continue;
            }
            let wake_at = next.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                is_there = arrival(&mut self.under_way) => self.arrived(is_there),
                () = stopped.cancelled(), if !messages.is_closed() => messages.close(),
                message = messages.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => break,
                },
                () = sleep_until(wake_at), if next.is_some() => {}
            }
        }
        self.own_up(self.clock.now_micros());
        self.catch_up().await;
        if self.is_whole {
            self.spooler.until_done(Writer::close).await;
        }
    }

    /// Nobody says any more what was refused: it is a gap.
    fn own_up(&mut self, at: i64) {
        let refused = self.refusals.as_ref().and_then(|refusals| refusals.take());
        if let Some(refused) = refused
            && refused.shell_epoch == self.draft.place().shell_epoch
        {
            self.draft
                .put_gap(at, refused.offset, GapReason::Unrecorded);
        }
    }

    async fn take(&mut self, message: Message) {
        let at = message.at_micros;
        if message.event.is_of_another(self.draft.place().shell_epoch) {
            return;
        }
        match message.event {
            Event::Begin(place) => self.begin(place).await,
            Event::Output(place, bytes, reason) => {
                self.output(at, place.offset, bytes, reason).await;
            }
            Event::Input(_, bytes) => self.bytes(at, bytes, Entry::Input).await,
            Event::Entry(_, entry) => self.entry(at, &entry).await,
            Event::Flush(done) => {
                self.catch_up().await;
                // Whoever asked may have stopped waiting.
                done.send(()).ok();
            }
        }
        if !self.draft.is_empty() && self.times.cut_at.is_none() {
            self.times.cut_at = Some(Instant::now() + LONGEST);
        }
    }

    /// Goes on at a later place: another shell, or one that another process has recorded meanwhile.
    async fn begin(&mut self, place: Place) {
        if place > self.draft.place() {
            self.cut().await;
            self.draft = Draft::new(place);
        }
    }

    /// Bytes that are on record already are skipped; bytes that are missing become a gap.
    async fn output(&mut self, at: i64, offset: u64, bytes: Bytes, reason: GapReason) {
        let unrecorded = self.draft.unrecorded(offset, bytes.len());
        if !unrecorded.is_empty() {
            self.draft.put_gap(at, offset, reason);
            self.bytes(at, bytes.slice(unrecorded), Entry::Output).await;
        }
    }

    async fn bytes(&mut self, at: i64, mut bytes: Bytes, entry: fn(Bytes) -> Entry) {
        self.track.ceiling.note_kept(bytes.len() as u64);
        while !bytes.is_empty() {
            bytes = self.draft.put_bytes(at, bytes, entry);
            self.cut_if_full().await;
        }
    }

    async fn entry(&mut self, at: i64, entry: &Entry) {
        // No output of this shell follows.
        if matches!(entry, Entry::Exit(_)) {
            self.own_up(at);
        }
        self.draft.put(at, entry);
        self.cut_if_full().await;
    }

    async fn cut_if_full(&mut self) {
        if self.draft.is_full() {
            self.cut().await;
            let sync_at = Instant::now() + LONGEST;
            self.times.sync_at.get_or_insert(sync_at);
        }
    }

    /// Puts everything on the disk.
    async fn catch_up(&mut self) {
        self.cut().await;
        self.arrive().await;
        self.times = Times::default();
        self.is_whole = self.is_whole && self.spooler.until_done(Writer::sync).await;
        if self.is_whole {
            self.track.note_recorded(self.draft.place());
        }
    }

    /// Ends the segment and sends it to the spool, behind the one before: there is one at a time, so that
    /// what waits here is bounded and in order.
    async fn cut(&mut self) {
        self.arrive().await;
        self.times.cut_at = None;
        // Nothing follows a segment that was given up: it would be missing before it.
        if self.draft.is_empty() || !self.is_whole {
            return;
        }
        let seq = self.turn.next_seq;
        self.turn.next_seq += 1;
        let (header, log) = self.draft.take(self.track.session_id, self.writer, seq);
        let (spooler, log) = (self.spooler.clone(), Bytes::from(log));
        let append = move |writer: &mut Writer| append(writer, header, &log);
        self.under_way = Some(UnderWay {
            to: self.draft.place(),
            done: Box::pin(async move { spooler.until_done(append).await }),
        });
    }

    /// Waits until the spool has what is on its way there.
    async fn arrive(&mut self) {
        if self.under_way.is_some() {
            let is_there = arrival(&mut self.under_way).await;
            self.arrived(is_there);
        }
    }

    fn arrived(&mut self, is_there: bool) {
        let Some(UnderWay { to, .. }) = self.under_way.take() else {
            return;
        };
        self.turn.place = to;
        self.is_whole = is_there;
        if is_there {
            self.track.note_written(to);
        }
    }
}

/// Says whether the spool has what is on its way there, once that is known. Nothing is lost when it is
/// cancelled.
async fn arrival(under_way: &mut Option<UnderWay>) -> bool {
    match under_way {
        Some(under_way) => (&mut under_way.done).await,
        None => std::future::pending().await,
    }
}

fn append(writer: &mut Writer, header: SegmentHeader, log: &[u8]) -> Result<(), SpoolFault> {
    let segment = Segment::compress(header, log).map_err(|error| SpoolFault::Unwritable {
        path: "a segment".to_owned(),
        reason: error.to_string(),
    })?;
    writer.append(&Record::of(&segment))
}
