//! One watch for a whole process, which only ever says "look again".
//!
//! A watch may lag, break off and miss things; every decision is made by a read of its own. So all
//! that is kept of an event is the name it was about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::RuntimeName;
use crate::spec::MANAGED_BY;

/// More names than this are looked through for those nobody waits for any more.
const MANY: usize = 256;
/// Between a look and the wait that follows it lies far less.
const HELD: Duration = Duration::from_mins(1);

/// Wakes those who wait for a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    names: Arc<Names>,
    task: OnceLock<AbortHandle>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The names somebody waits for, or will.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, Expected>>);

#[derive(Debug, Default)]
struct Expected {
    seen: watch::Sender<Seen>,
    /// How many changes there were when it was looked at last.
    looked_at: u64,
    /// When that was, by this process.
    since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    changes: u64,
    deleted: bool,
}

impl Hints {
    /// Remembers from now on what changes about a name. Called before a look, so that what changes
    /// between the look and the wait is not missed.
    pub(super) fn expect(&self, name: &RuntimeName) {
        let mut names = self.0.names.lock();
        if names.len() > MANY {
            names.retain(|_, expected| expected.is_waited_for());
        }
        let expected = names.entry(name.to_string()).or_default();
        expected.looked_at = expected.seen.borrow().changes;
        expected.since = Some(Instant::now());
    }

    /// Nobody will wait for this name.
    pub(super) fn forget(&self, name: &RuntimeName) {
        self.0.names.lock().remove(name.as_str());
    }

    /// Waits for a change since the last look.
    pub(super) async fn changed(
        &self,
        pods: Api<PartialObjectMeta<Pod>>,
        name: &RuntimeName,
        at_most: Duration,
    ) {
        self.wait(pods, name, at_most, |seen, looked_at| {
            seen.changes > looked_at
        })
        .await;
    }

    /// Waits for the deletion.
    pub(super) async fn deleted(
        &self,
        pods: Api<PartialObjectMeta<Pod>>,
        name: &RuntimeName,
        at_most: Duration,
    ) {
        self.wait(pods, name, at_most, |seen, _| seen.deleted).await;
    }

    async fn wait(
        &self,
        pods: Api<PartialObjectMeta<Pod>>,
        name: &RuntimeName,
        at_most: Duration,
        wanted: impl Fn(&Seen, u64) -> bool,
    ) {
        self.start(pods);
        let (mut seen, looked_at) = {
            let mut names = self.0.names.lock();
            let expected = names.entry(name.to_string()).or_default();
            (expected.seen.subscribe(), expected.looked_at)
        };
        let change = seen.wait_for(|seen| wanted(seen, looked_at));
        // An error is a name that somebody else just stopped waiting for: a reason to look, too.
        tokio::time::timeout(at_most, change).await.ok();
    }

    fn start(&self, pods: Api<PartialObjectMeta<Pod>>) {
        self.0.task.get_or_init(|| {
            let names = Arc::clone(&self.0.names);
            tokio::spawn(follow(pods, names)).abort_handle()
        });
    }
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Expected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &str, deleted: bool) {
        if let Some(expected) = self.lock().get(name) {
            expected.note(deleted);
        }
    }

    /// After a list nobody knows what was missed before it.
    fn note_all(&self) {
        for expected in self.lock().values() {
            expected.note(false);
        }
    }
}

impl Expected {
    /// Whoever looked may have died since, or another process may go on with the name.
    fn is_waited_for(&self) -> bool {
        self.seen.receiver_count() > 0 || self.since.is_some_and(|at| at.elapsed() < HELD)
    }

    fn note(&self, deleted: bool) {
        self.seen.send_modify(|seen| {
            seen.changes += 1;
            seen.deleted |= deleted;
        });
    }
}

/// Follows for ever: bookmarks, a list anew when the server has forgotten where we were, and a
/// growing pause between tries are the watcher's.
async fn follow(pods: Api<PartialObjectMeta<Pod>>, names: Arc<Names>) {
    let config = watcher::Config::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
    let mut events = watcher(pods, config).default_backoff().boxed();
    let mut is_well = true;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => names.note(&pod.name_any(), false),
            Ok(Event::Delete(pod)) => names.note(&pod.name_any(), true),
            Ok(Event::InitDone) => {
                is_well = true;
                names.note_all();
            }
            Ok(Event::Init) => {}
            Err(error) if is_well => {
                is_well = false;
                tracing::warn!(%error, "no hints from the cluster; environments are looked at on time instead");
            }
            Err(error) => tracing::debug!(%error, "still no hints from the cluster"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> RuntimeName {
        RuntimeName::from_runtime("carrel-a-1")
    }

    fn seen(hints: &Hints) -> (u64, u64) {
        let names = hints.0.names.lock();
        let expected = &names["carrel-a-1"];
        let changes = expected.seen.borrow().changes;
        (changes, expected.looked_at)
    }

    #[test]
    fn what_changes_after_a_look_and_before_the_wait_is_not_missed() {
        let hints = Hints::default();
        hints.expect(&name());
        hints.0.names.note("carrel-a-1", false);
        assert_eq!(seen(&hints), (1, 0));
        hints.expect(&name());
        assert_eq!(seen(&hints), (1, 1));
    }

    #[test]
    fn only_names_that_somebody_waits_for_take_memory() {
        let hints = Hints::default();
        hints.0.names.note("carrel-b-1", false);
        hints.expect(&name());
        hints.forget(&name());
        assert!(hints.0.names.lock().is_empty());
    }
}
