//! A worker that could do nothing with some jobs leaves them to others, and says why.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{JobKind, terms::ClaimTerms};

/// Tells one worker or several which kinds not to claim. What runs is not touched.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    held: watch::Sender<Option<Held>>,
}

/// What is not to be claimed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) reason: String,
}

impl Holder {
    /// Has nothing of these kinds claimed from now on, for a reason that operators are told.
    pub fn hold(&self, kinds: &[JobKind], reason: &str) {
        let held = Held {
            kinds: kinds.iter().map(|kind| kind.0).collect(),
            reason: reason.to_owned(),
        };
        self.set(Some(held));
    }

    /// Lets jobs of every kind be claimed again, at once.
    pub fn let_go(&self) {
        self.set(None);
    }

    fn set(&self, held: Option<Held>) {
        self.held.send_if_modified(|before| {
            let differs = *before != held;
            *before = held;
            differs
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Held>> {
        self.held.subscribe()
    }
}

/// A worker's view of those who may hold it: the process it is in, and operators, who drain it.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    process: watch::Receiver<Option<Held>>,
    drained: watch::Receiver<bool>,
}

impl Hold {
    pub(crate) fn by(process: &Holder, drained: &watch::Sender<bool>) -> Self {
        Self {
            process: process.subscribe(),
            drained: drained.subscribe(),
        }
    }

    /// Returns what of these terms is left; from now on only later changes count as such.
    pub(crate) fn narrow(&mut self, terms: &Arc<ClaimTerms>) -> Arc<ClaimTerms> {
        let is_drained = *self.drained.borrow_and_update();
        let held = self.process.borrow_and_update();
        match &*held {
            _ if is_drained => Arc::new(ClaimTerms::finish_only()),
            Some(held) => Arc::new(terms.without(&held.kinds)),
            None => terms.clone(),
        }
    }

    /// Waits until either differs from what was last returned.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            () = changed(&mut self.process) => {}
            () = changed(&mut self.drained) => {}
        }
    }
}

/// Waits for the next change; for ever, once nobody is left who could change anything.
pub(crate) async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
