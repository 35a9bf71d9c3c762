//! Requests that are held, so that a test can do something at exactly that point.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{Call, Step, steps};

/// On which side of the API server a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The API server never heard of it.
    Before,
    /// It was done; nobody was told.
    After,
}

#[derive(Debug)]
pub(super) struct Trap {
    session_id: String,
    step: Step,
    pub(super) point: Point,
    sprung: oneshot::Sender<oneshot::Sender<()>>,
}

/// The test's end of a trap. Dropped while a request is held, it cuts that request off.
#[derive(Debug)]
pub struct Caught {
    step: Step,
    sprung: oneshot::Receiver<oneshot::Sender<()>>,
    held: Option<oneshot::Sender<()>>,
}

impl Trap {
    pub(super) fn new(session_id: &str, step: &Step, point: Point) -> (Self, Caught) {
        let (tell, sprung) = oneshot::channel();
        let trap = Self {
            session_id: session_id.to_owned(),
            step: step.clone(),
            point,
            sprung: tell,
        };
        let caught = Caught {
            step: step.clone(),
            sprung,
            held: None,
        };
        (trap, caught)
    }

    /// Tells whether the newest of all requests is the one that is waited for.
    pub(super) fn is_sprung_by(&self, calls: &[Call]) -> bool {
        let Some((newest, before)) = calls.split_last() else {
            return false;
        };
        let seen = steps(before, &self.session_id);
        newest.concerns(&self.session_id)
            && !seen.contains(&self.step)
            && steps(calls, &self.session_id).contains(&self.step)
    }

    /// Holds the request; `false` when it is to be cut off.
    pub(super) async fn hold(self) -> bool {
        let (go, held) = oneshot::channel();
        // Nobody waits any more: the test has ended.
        self.sprung.send(go).is_ok() && held.await.is_ok()
    }
}

impl Caught {
    /// Waits until the request is held.
    pub async fn wait(&mut self, within: Duration) {
        let sprung = tokio::time::timeout(within, &mut self.sprung).await;
        let sprung = sprung.unwrap_or_else(|_| panic!("never asked: {}", self.step));
        self.held = Some(sprung.expect("the proxy runs"));
    }

    /// Lets the request go on.
    pub fn release(mut self) {
        let held = self.held.take().expect("the request is held");
        // The worker may have given up meanwhile.
        held.send(()).ok();
    }
}
