//! A shell that nobody reads any more: a failed attach took it from whoever recorded it, or the process
//! that did has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrel_keeper::frames::{Opened, Resume};
use environment_access::Leaving;
use environment_access::wire::CloseCode;
use orchestrator::UnreadShell;
use session_identity::ExamSessionId;
use session_recording::Marker;

use super::{
    AT_ONCE, Allowance, LOOK_AGAIN_AFTER, Unattended, is_for_good, left_by, pause_after_loss,
};
use crate::connection::link::Link;
use crate::connection::recording::{Prepared, RecordingTerms, Taped, prepare};
use crate::gate::Gate;
use crate::leg::{Leg, LegEnd, LegEvent, LegSpec, OnceShut};
use crate::readings::Reading;
use crate::screen_size::ScreenSize;
use crate::state::GatewayState;

/// A shell to be read on for the record, at an epoch that was admitted: whoever attaches has a later one.
pub(in crate::connection) struct TakeOver {
    pub(in crate::connection) state: Arc<GatewayState>,
    pub(in crate::connection) session_id: ExamSessionId,
    pub(in crate::connection) spec: LegSpec,
    pub(in crate::connection) recording: RecordingTerms,
    pub(in crate::connection) size: ScreenSize,
    pub(in crate::connection) sought: Sought,
    pub(in crate::connection) may_return: bool,
    pub(in crate::connection) reading: Reading,
}

/// Which shell it is, and from where it is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::connection) enum Sought {
    /// The one that the failed attach's browser asked for, and may ask for again.
    OfBrowser(Option<Resume>),
    /// The one that another process had, from where its record ends.
    OfReader(u32),
}

/// Reads on for a process that is gone. Its gate is shut: nothing that is typed has any way to the shell.
pub(crate) async fn read_on(state: Arc<GatewayState>, unread: UnreadShell, reading: Reading) {
    let shell = unread.shell;
    let gate = Gate::new(Instant::now());
    gate.shut(CloseCode::Superseded);
    let spec = LegSpec {
        runtime: state.runtime.clone(),
        name: unread.name,
        uid: unread.uid,
        epoch: shell.epoch,
        gate: Arc::new(gate),
        starts: state.starts.clone(),
        once_shut: OnceShut::ReadsOn,
    };
    let take_over = TakeOver {
        state,
        session_id: shell.session_id,
        spec,
        recording: RecordingTerms::of(unread.recording),
        size: ScreenSize {
            columns: shell.columns,
            rows: shell.rows,
        },
        sought: Sought::OfReader(shell.shell_epoch),
        may_return: true,
        reading,
    };
    take_over.run().await;
}

impl Sought {
    fn place(self, prepared: &Prepared) -> Option<Resume> {
        match self {
            Self::OfBrowser(resume) => prepared.resume_unattended(resume),
            Self::OfReader(shell_epoch) => prepared.resume_read(shell_epoch),
        }
    }

    /// Who came; nobody where a process read on for another.
    const fn marker(self) -> Option<Marker> {
        match self {
            Self::OfBrowser(_) => Some(Marker::Attach),
            Self::OfReader(_) => None,
        }
    }
}

impl TakeOver {
    /// Records as for a browser that went, unless somebody else is here by then.
    pub(in crate::connection) async fn run(self) {
        self.reading.detached();
        let (draining, lost) = (self.state.draining.clone(), self.reading.lost());
        let opened = tokio::select! {
            biased;
            () = draining.cancelled() => Err(Some(AT_ONCE)),
            () = lost.cancelled() => Err(None),
            opened = self.open() => opened,
        };
        match opened {
            Ok(opened) => self.unattended(opened).run(draining).await,
            Err(Some(leaving)) => self.reading.leave(leaving),
            Err(None) => {}
        }
    }

    /// Opens leg and tape, or says what becomes of the shell.
    async fn open(&self) -> Result<(Leg, Opened, Taped), Option<Leaving>> {
        let prepared = prepare(&self.state, self.session_id, self.recording).await;
        let prepared = prepared.ok().flatten().ok_or(None)?;
        let (leg, opened) = self.reach(self.sought.place(&prepared)).await?;
        if self.has_successor() {
            return Err(None);
        }
        let taped = prepared.begin(&opened, self.size, self.sought.marker());
        let taped = taped.await.ok().flatten().ok_or(None)?;
        Ok((leg, opened, taped))
    }

    fn unattended(self, (leg, opened, taped): (Leg, Opened, Taped)) -> Unattended {
        let (from, now) = (opened.replay_from, Instant::now());
        self.reading.opened(opened.shell_epoch);
        Unattended {
            session_id: self.session_id,
            leg: leg.taped(&taped.recorded),
            link: Link::default(),
            written_to: taped.written_to(),
            taped,
            spec: self.spec,
            shell_epoch: opened.shell_epoch,
            size: self.size,
            allowance: Allowance::new(from, from, self.may_return, now),
            reading: self.reading,
        }
    }

    /// Opens a leg; not where another has the shell, or none is left.
    async fn reach(&self, place: Option<Resume>) -> Result<(Leg, Opened), Option<Leaving>> {
        let (mut link, mut pause) = (Link::default(), Duration::ZERO);
        loop {
            let mut leg = Leg::start(self.spec.clone(), self.size, place, pause);
            match answer(&mut leg).await {
                Ok(opened) => return Ok((leg, opened)),
                Err(end) if is_for_good(&end) => return Err(left_by(&end)),
                Err(_) => {
                    let again = pause_after_loss(&mut link, Instant::now());
                    pause = again.ok_or(Some(Leaving::Unread(LOOK_AGAIN_AFTER)))?;
                }
            }
        }
    }

    /// Whether the session's next attach is here, which records by itself.
    fn has_successor(&self) -> bool {
        let newest = self.state.registry.get(self.session_id);
        newest.is_some_and(|newest| newest.epoch > self.spec.epoch)
    }
}

async fn answer(leg: &mut Leg) -> Result<Opened, LegEnd> {
    loop {
        match leg.events.recv().await {
            Some(LegEvent::Opened(opened)) => return Ok(opened),
            Some(LegEvent::Ended(end)) => return Err(end),
            Some(_) => {}
            None => return Err(LegEnd::Lost("the leg is gone")),
        }
    }
}
