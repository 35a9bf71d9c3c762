//! Whether typed bytes have to wait, and what for.

use session_recording::SpoolFault;
use tokio::sync::watch;

/// What keeps typed bytes from the shell while the leg is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The database has been silent for long: nobody knows whether they may still type.
    AuthorityInDoubt,
    /// Nothing can be recorded, and the exam does not go on without.
    NotRecorded,
    /// The recording is as long as one may be, and the exam does not go on without.
    RecordingFull,
}

impl Reason {
    /// The key of what the page says.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::AuthorityInDoubt => "terminal.frozen",
            Self::NotRecorded => "terminal.not_recorded",
            Self::RecordingFull => "terminal.recording_full",
        }
    }
}

/// Follows everything that freezes input.
#[derive(Debug)]
pub(super) struct Freeze {
    in_doubt: watch::Receiver<bool>,
    /// Of an exam that must be recorded.
    spool: Option<SpoolWatch>,
}

/// What keeps anything from being recorded.
#[derive(Debug)]
pub(super) struct SpoolWatch {
    /// What the spool says.
    pub(super) faults: watch::Receiver<Option<SpoolFault>>,
    /// Whether the session's recording is as long as one may be.
    pub(super) is_full: watch::Receiver<bool>,
}

impl SpoolWatch {
    fn reason(&self) -> Option<Reason> {
        if *self.is_full.borrow() {
            Some(Reason::RecordingFull)
        } else if self.faults.borrow().is_some() {
            Some(Reason::NotRecorded)
        } else {
            None
        }
    }

    async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        tokio::select! {
            changed = self.faults.changed() => changed,
            changed = self.is_full.changed() => changed,
        }
    }
}

/// One of those followed has gone.
#[derive(Debug)]
pub(super) struct Ended;

impl Freeze {
    pub(super) const fn new(in_doubt: watch::Receiver<bool>, spool: Option<SpoolWatch>) -> Self {
        Self { in_doubt, spool }
    }

    /// Why input waits now, if it does.
    pub(super) fn reason(&self) -> Option<Reason> {
        if *self.in_doubt.borrow() {
            return Some(Reason::AuthorityInDoubt);
        }
        self.spool.as_ref().and_then(SpoolWatch::reason)
    }

    /// Waits until something has changed. Nothing is lost when it is cancelled.
    pub(super) async fn changed(&mut self) -> Result<(), Ended> {
        let spool = async {
            match &mut self.spool {
                Some(spool) => spool.changed().await,
                None => std::future::pending().await,
            }
        };
        let changed = tokio::select! {
            changed = self.in_doubt.changed() => changed,
            changed = spool => changed,
        };
        changed.map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> SpoolFault {
        SpoolFault::Full { used: 1, limit: 1 }
    }

    #[tokio::test]
    async fn each_alone_freezes_and_all_must_be_over() {
        let (doubt, spool) = (watch::Sender::new(false), watch::Sender::new(None));
        let full = watch::Sender::new(false);
        let watched = SpoolWatch {
            faults: spool.subscribe(),
            is_full: full.subscribe(),
        };
        let mut freeze = Freeze::new(doubt.subscribe(), Some(watched));
        assert_eq!(freeze.reason(), None);
        spool.send_replace(Some(fault()));
        freeze.changed().await.unwrap();
        assert_eq!(freeze.reason(), Some(Reason::NotRecorded));
        doubt.send_replace(true);
        spool.send_replace(None);
        freeze.changed().await.unwrap();
        assert_eq!(freeze.reason(), Some(Reason::AuthorityInDoubt));
        doubt.send_replace(false);
        assert_eq!(freeze.reason(), None);
        full.send_replace(true);
        freeze.changed().await.unwrap();
        assert_eq!(freeze.reason(), Some(Reason::RecordingFull));
    }

    #[tokio::test]
    async fn a_spool_is_nobody_s_business_where_the_exam_goes_on_without() {
        let doubt = watch::Sender::new(false);
        let freeze = Freeze::new(doubt.subscribe(), None);
        assert_eq!(freeze.reason(), None);
    }
}
