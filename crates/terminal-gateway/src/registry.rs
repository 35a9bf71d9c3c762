//! The terminals attached to this process: whom the authority loop and a drain have to reach.
//!
//! A list for reaching tasks, never a truth: who holds a terminal is said by the database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use environment_access::wire::CloseCode;
use environment_access::{Standing, TerminalAuthority};
use session_identity::ExamSessionId;
use telemetry::metrics::Metric;
use tokio::sync::watch;

use crate::gate::Gate;

/// One attach of this process.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The session.
    pub(crate) session_id: ExamSessionId,
    /// The attach's epoch.
    pub(crate) epoch: i64,
    /// The gate that every typed byte passes.
    pub(crate) gate: Arc<Gate>,
    /// The session's end as last learnt; `None` while its clock has not started.
    pub(crate) ends_at: watch::Sender<Option<Instant>>,
    /// Bytes sent to its browser and not parsed yet.
    pub(crate) unacked: AtomicU64,
}

/// Every attach of this process, by session.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    attached: Mutex<HashMap<ExamSessionId, Arc<Attached>>>,
}

impl Registry {
    /// Adds an attach and supersedes an older one of the same session.
    pub(crate) fn insert(&self, attached: Arc<Attached>) {
        let mut map = self.lock();
        let older = match map.get(&attached.session_id) {
            // Two attaches can arrive here in the other order than they took their epochs.
            Some(present) if present.epoch > attached.epoch => attached,
            _ => match map.insert(attached.session_id, attached) {
                Some(older) => older,
                None => return,
            },
        };
        older.gate.shut(CloseCode::Superseded);
        Metric::TerminalAttachments.set(count(&map), &[]);
    }

    /// Takes an attach out, unless a newer one has its place.
    pub(crate) fn remove(&self, attached: &Attached) {
        let mut map = self.lock();
        if map
            .get(&attached.session_id)
            .is_some_and(|present| present.epoch == attached.epoch)
        {
            map.remove(&attached.session_id);
        }
        Metric::TerminalAttachments.set(count(&map), &[]);
    }

    /// The attach of a session, if it is here.
    pub(crate) fn get(&self, session_id: ExamSessionId) -> Option<Arc<Attached>> {
        self.lock().get(&session_id).cloned()
    }

    /// Every attach.
    pub(crate) fn all(&self) -> Vec<Arc<Attached>> {
        self.lock().values().cloned().collect()
    }

    /// Whether nothing is attached.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Bytes sent to browsers and not parsed yet.
    pub(crate) fn unacked(&self) -> u64 {
        let map = self.lock();
        let each = map.values().map(|it| it.unacked.load(Ordering::Relaxed));
        each.sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExamSessionId, Arc<Attached>>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attached {
    /// Obeys what the database says now, as asked at `asked_at`.
    ///
    /// The end is counted from before the question, so that an answer under way can only make
    /// the gate shut early, by that much, and never late.
    pub(crate) fn obey(&self, authority: &TerminalAuthority, asked_at: Instant) {
        let code = if authority.epoch > self.epoch {
            CloseCode::Superseded
        } else if authority.standing == Standing::Ended {
            CloseCode::SessionEnded
        } else {
            self.gate.move_deadline(asked_at + authority.cut_off_in);
            self.learn_end(authority.remaining.map(|remaining| asked_at + remaining));
            return;
        };
        if self.gate.shut(code) {
            Metric::TerminalCutoffSeconds.observe(asked_at.elapsed(), &[]);
            if let Some(ended_for) = authority.ended_for {
                // As of the question at the earliest: too long by what the question took, never too short.
                Metric::TerminalCutoffLagSeconds.observe(ended_for + asked_at.elapsed(), &[]);
            }
        }
    }

    /// Passes an end on to the page when it differs by more than reading it twice would.
    fn learn_end(&self, end: Option<Instant>) {
        const SAME: Duration = Duration::from_secs(1);
        self.ends_at.send_if_modified(|known| {
            let moved = match (*known, end) {
                (Some(known), Some(end)) => {
                    known.saturating_duration_since(end) > SAME
                        || end.saturating_duration_since(known) > SAME
                }
                (known, end) => known != end,
            };
            if moved {
                *known = end;
            }
            moved
        });
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a process holds thousands of terminals at most"
)]
fn count(map: &HashMap<ExamSessionId, Arc<Attached>>) -> f64 {
    map.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(session_id: ExamSessionId, epoch: i64) -> Arc<Attached> {
        let deadline = Instant::now() + Duration::from_mins(1);
        let (ends_at, _) = watch::channel(None);
        Arc::new(Attached {
            session_id,
            epoch,
            gate: Arc::new(Gate::new(deadline)),
            ends_at,
            unacked: AtomicU64::new(0),
        })
    }

    fn authority(attached: &Attached, epoch: i64, standing: Standing) -> TerminalAuthority {
        TerminalAuthority {
            session_id: attached.session_id,
            epoch,
            standing,
            state: "running".to_owned(),
            remaining: Some(Duration::from_secs(30)),
            ended_for: None,
            cut_off_in: Duration::from_secs(30),
        }
    }

    #[test]
    fn a_newer_attach_supersedes_an_older_one_in_whatever_order_they_come() {
        for order in [[1, 2], [2, 1]] {
            let registry = Registry::default();
            let session = ExamSessionId::generate();
            let pair = order.map(|epoch| attached(session, epoch));
            for attached in &pair {
                registry.insert(attached.clone());
            }
            for attached in &pair {
                let expected = (attached.epoch == 1).then_some(CloseCode::Superseded);
                assert_eq!(attached.gate.reason(), expected);
                registry.remove(&Attached {
                    epoch: 1,
                    ..clone(attached)
                });
            }
            assert_eq!(registry.get(session).unwrap().epoch, 2);
        }
    }

    fn clone(attached: &Attached) -> Attached {
        let (ends_at, _) = watch::channel(None);
        Attached {
            session_id: attached.session_id,
            epoch: attached.epoch,
            gate: attached.gate.clone(),
            ends_at,
            unacked: AtomicU64::new(0),
        }
    }

    #[test]
    fn the_gate_follows_epoch_state_and_end() {
        let now = Instant::now();
        let session = ExamSessionId::generate();
        let superseded = attached(session, 1);
        superseded.obey(&authority(&superseded, 2, Standing::Open), now);
        assert_eq!(superseded.gate.reason(), Some(CloseCode::Superseded));
        let ended = attached(session, 2);
        ended.obey(&authority(&ended, 2, Standing::Ended), now);
        assert_eq!(ended.gate.reason(), Some(CloseCode::SessionEnded));
        let open = attached(session, 2);
        open.obey(&authority(&open, 2, Standing::Open), now);
        assert_eq!(open.gate.reason(), None);
        assert!(open.gate.deadline() <= now + Duration::from_secs(30));
        assert_eq!(*open.ends_at.borrow(), Some(now + Duration::from_secs(30)));
    }

    #[test]
    fn an_end_that_only_jitters_is_not_news() {
        let now = Instant::now();
        let open = attached(ExamSessionId::generate(), 1);
        let mut news = open.ends_at.subscribe();
        open.obey(&authority(&open, 1, Standing::Open), now);
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        open.obey(
            &authority(&open, 1, Standing::Open),
            now + Duration::from_millis(900),
        );
        assert!(!news.has_changed().unwrap());
        open.obey(
            &authority(&open, 1, Standing::Open),
            now + Duration::from_mins(1),
        );
        assert!(news.has_changed().unwrap());
    }
}
