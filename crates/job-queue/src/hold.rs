//! A worker that could do nothing with a job leaves it to others, and says why.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells one worker or several when to claim nothing. What runs is not touched.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    reason: watch::Sender<Option<Arc<str>>>,
}

impl Holder {
    /// Has nothing claimed from now on, for a reason that operators are told.
    pub fn hold(&self, reason: &str) {
        self.set(Some(reason.into()));
    }

    /// Lets jobs be claimed again, at once.
    pub fn let_go(&self) {
        self.set(None);
    }

    fn set(&self, reason: Option<Arc<str>>) {
        self.reason.send_if_modified(|before| {
            let differs = *before != reason;
            *before = reason;
            differs
        });
    }

    pub(crate) fn watch(&self) -> Hold {
        Hold {
            reason: self.reason.subscribe(),
        }
    }
}

/// A worker's view of its [`Holder`].
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    reason: watch::Receiver<Option<Arc<str>>>,
}

impl Hold {
    /// Returns why nothing is to be claimed; from now on only later changes count as such.
    pub(crate) fn reason(&mut self) -> Option<Arc<str>> {
        self.reason.borrow_and_update().clone()
    }

    /// Waits until the reason differs from the one that was last returned.
    pub(crate) async fn changed(&mut self) {
        if self.reason.changed().await.is_err() {
            // Nobody is left who could change it.
            std::future::pending::<()>().await;
        }
    }
}
