//! The one task that writes a session's recording: entries to segments, segments to the spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use session_identity::TerminalProcessId;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::disk::Disk;
use super::refusals::Refusals;
use super::room::Taken;
use super::track::{Track, Turn, locked};
use crate::draft::Draft;
use crate::entry::{Entry, GapReason};
use crate::place::Place;
use crate::segment::{LONGEST, Segment, SegmentHeader};
use crate::spool::{Record, SpoolFault, Writer};

/// A spool that takes nothing is tried again so often.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A disk that has not answered for so long takes nothing, as far as terminals are concerned: some
/// cloud volumes stand still for a second or two, and a candidate who waits longer asks for help.
const SILENT_AFTER: Duration = Duration::from_secs(5);

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
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    /// What was refused, where the exam goes on without it.
    pub(super) refusals: Option<Arc<Refusals>>,
    pub(super) fault: watch::Sender<Option<SpoolFault>>,
    /// Tasks that the spool refuses something.
    pub(super) failing: Arc<AtomicUsize>,
    /// Nothing more is said after it.
    pub(super) stopped: CancellationToken,
    /// Ends the trying where a spool takes nothing.
    pub(super) given_up: CancellationToken,
    pub(super) draft: Draft,
    pub(super) times: Times,
    /// Whether everything that was cut is in the spool; the process gives up only at its end.
    pub(super) is_whole: bool,
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
                message = messages.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => break,
                },
                () = stopped.cancelled(), if !messages.is_closed() => messages.close(),
                () = sleep_until(wake_at), if next.is_some() => {}
            }
        }
        self.own_up(self.clock.now_micros());
        self.catch_up().await;
        if self.is_whole {
            self.until_done(Writer::close).await;
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
        self.times = Times::default();
        self.until_done(Writer::sync).await;
        if self.is_whole {
            self.track.note_recorded(self.draft.place());
        }
    }

    /// Ends the segment and appends it to the spool.
    async fn cut(&mut self) {
        self.times.cut_at = None;
        // Nothing follows a segment that was given up: it would be missing before it.
        if self.draft.is_empty() || !self.is_whole {
            return;
        }
        let seq = self.turn.next_seq;
        self.turn.next_seq += 1;
        let (header, log) = self.draft.take(self.track.session_id, self.writer, seq);
        let log = Bytes::from(log);
        self.until_done(move |writer| append(writer, header, &log))
            .await;
        self.turn.place = self.draft.place();
        if self.is_whole {
            self.track.note_written(self.turn.place);
        }
    }

    /// Does something to the spool until it succeeds: what was taken is not dropped, and while it waits
    /// the queue fills and the terminal waits.
    async fn until_done(
        &mut self,
        act: impl Fn(&mut Writer) -> Result<(), SpoolFault> + Clone + Send + 'static,
    ) {
        let mut has_told = false;
        while !self.given_up.is_cancelled() {
            match self.attempt(act.clone(), &mut has_told).await {
                Some(Ok(())) => return self.mended(has_told),
                Some(Err(fault)) => self.tell(fault, &mut has_told),
                None => break,
            }
            tokio::select! {
                () = sleep(TRY_AGAIN_AFTER) => {}
                () = self.given_up.cancelled() => break,
            }
        }
        self.is_whole = false;
        tracing::error!(session.id = %self.track.session_id,
            "the process ends before the spool took the last of a recording");
    }

    /// Does something to the spool, and says so where the disk does not answer in time; nothing where
    /// the process gives up meanwhile.
    async fn attempt(
        &self,
        act: impl FnOnce(&mut Writer) -> Result<(), SpoolFault> + Send + 'static,
        has_told: &mut bool,
    ) -> Option<Result<(), SpoolFault>> {
        let writer = Arc::clone(&self.track.writer);
        let done = self.disk.run(move || act(&mut locked(&writer)));
        let mut done = std::pin::pin!(done);
        let mut silence = std::pin::pin!(sleep(SILENT_AFTER));
        loop {
            tokio::select! {
                biased;
                done = &mut done => {
                    return Some(done.unwrap_or(Err(SpoolFault::Panicked)));
                }
                () = self.given_up.cancelled() => return None,
                () = &mut silence => {
                    let seconds = SILENT_AFTER.as_secs();
                    self.tell(SpoolFault::Silent { seconds }, has_told);
                    // What was asked for goes on and is not asked twice; it is told while it lasts.
                    silence.as_mut().reset(Instant::now() + SILENT_AFTER);
                }
            }
        }
    }

    /// What this task failed at has worked. The fault is over when no other task fails: one that writes
    /// to a sound file says nothing about another's.
    fn mended(&self, has_told: bool) {
        if has_told {
            // Counted under the fault's lock: what another tells meanwhile is not taken back.
            self.fault.send_if_modified(|fault| {
                let was_last = self.failing.fetch_sub(1, Ordering::SeqCst) == 1;
                was_last && fault.take().is_some()
            });
        }
    }

    fn tell(&self, fault: SpoolFault, has_told: &mut bool) {
        let is_first = !std::mem::replace(has_told, true);
        self.fault.send_if_modified(|told| {
            if is_first {
                self.failing.fetch_add(1, Ordering::SeqCst);
            }
            let is_new = told.is_none();
            if is_new {
                tracing::error!(%fault, "recordings cannot be kept");
            }
            let changed = told.as_ref() != Some(&fault);
            *told = Some(fault);
            changed
        });
    }
}

fn append(writer: &mut Writer, header: SegmentHeader, log: &[u8]) -> Result<(), SpoolFault> {
    let segment = Segment::compress(header, log).map_err(|error| SpoolFault::Unwritable {
        path: "a segment".to_owned(),
        reason: error.to_string(),
    })?;
    writer.append(&Record::of(&segment))
}
