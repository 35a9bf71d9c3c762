//! A shell that a failed attach took from whoever recorded it, and left to nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrel_keeper::frames::{Opened, Resume};
use session_identity::ExamSessionId;

use super::{Allowance, Unattended, is_for_good, pause_after_loss};
use crate::connection::link::Link;
use crate::connection::pace::ScreenSize;
use crate::connection::recording::{RecordingTerms, prepare};
use crate::leg::{Leg, LegEnd, LegEvent, LegSpec};
use crate::state::GatewayState;

/// An attach that was admitted, may have superseded a leg, and has no browser to read on for.
pub(in crate::connection) struct TakeOver {
    pub(in crate::connection) state: Arc<GatewayState>,
    pub(in crate::connection) session_id: ExamSessionId,
    pub(in crate::connection) spec: LegSpec,
    pub(in crate::connection) recording: RecordingTerms,
    pub(in crate::connection) size: ScreenSize,
    /// The place its browser asked for, which it may ask for again.
    pub(in crate::connection) resume: Option<Resume>,
    pub(in crate::connection) may_return: bool,
}

impl TakeOver {
    /// Records as for a browser that went, unless somebody else is here by then.
    pub(in crate::connection) async fn run(self) {
        let draining = self.state.draining.clone();
        let unattended = tokio::select! {
            biased;
            () = draining.cancelled() => None,
            unattended = self.begin() => unattended,
        };
        if let Some(unattended) = unattended {
            unattended.run(draining).await;
        }
    }

    async fn begin(self) -> Option<Unattended> {
        let prepared = prepare(&self.state, self.session_id, self.recording).await;
        let prepared = prepared.ok()??;
        let (leg, opened) = self.reach(prepared.resume_unattended(self.resume)).await?;
        if self.has_successor() {
            return None;
        }
        let taped = prepared.begin(&opened, self.size, false).await.ok()??;
        let (from, now) = (opened.replay_from, Instant::now());
        Some(Unattended {
            session_id: self.session_id,
            leg: leg.taped(&taped.recorded),
            link: Link::default(),
            written_to: taped.written_to(),
            taped,
            spec: self.spec,
            shell_epoch: opened.shell_epoch,
            size: self.size,
            allowance: Allowance::new(from, from, self.may_return, now),
        })
    }

    /// Opens a leg at the failed attach's epoch; nothing where another has the shell, or none is left.
    async fn reach(&self, place: Option<Resume>) -> Option<(Leg, Opened)> {
        let (mut link, mut pause) = (Link::default(), Duration::ZERO);
        loop {
            let mut leg = Leg::start(self.spec.clone(), self.size, place, pause);
            match answer(&mut leg).await {
                Ok(opened) => return Some((leg, opened)),
                Err(end) if is_for_good(&end) => return None,
                Err(_) => pause = pause_after_loss(&mut link, Instant::now())?,
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
