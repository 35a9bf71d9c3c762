//! An issuer's keys, kept fresh.
//!
//! One loop fetches. Whoever meets a token with an unknown key asks the loop and waits, so that a
//! thousand such tokens make one fetch, and a caller who goes away ends none.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::config::FetchPace;
use super::fetch::{FetchError, KeyClient};
use super::header::shorten;
use super::keys::VerifyingKey;
use super::{JwksUrl, KeyError};

/// Wait after a first failure; each further one doubles it…
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// …up to this, or the pace of successes: whoever waits for the issuer notices soon that it is back.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How fetching an issuer's keys stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFreshness {
    /// Time since the keys in use were fetched; `None` before the first ones.
    pub age: Option<Duration>,
    /// Fetches that failed since the last that succeeded.
    pub failures: u32,
}

/// The keys of an issuer, as they were last fetched.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    client: KeyClient,
    pace: FetchPace,
    state: watch::Sender<State>,
    /// Asks the loop for a fetch before its time.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    fetched: Option<Fetched>,
    /// When the last fetch began.
    began: Option<Instant>,
    is_fetching: bool,
    /// Fetches that ended, well or not.
    finished: u64,
    failures: u32,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<[VerifyingKey]>,
    at: Instant,
}

impl RemoteKeys {
    pub(super) fn new(url: JwksUrl, pace: FetchPace) -> Result<Self, KeyError> {
        Ok(Self {
            client: KeyClient::new(url, pace.within)?,
            pace,
            state: watch::Sender::default(),
            wanted: Notify::new(),
        })
    }

    /// The keys of the last fetch that succeeded, however long ago.
    pub(super) fn at_hand(&self) -> Option<Arc<[VerifyingKey]>> {
        let state = self.state.borrow();
        state.fetched.as_ref().map(|it| Arc::clone(&it.keys))
    }

    pub(super) fn freshness(&self) -> KeyFreshness {
        let state = self.state.borrow();
        KeyFreshness {
            age: state.fetched.as_ref().map(|it| it.at.elapsed()),
            failures: state.failures,
        }
    }

    /// Fetches now, then again and again; never returns. Dropping it gives up the fetch under way.
    pub(super) async fn keep_fresh(&self) {
        loop {
            self.fetch().await;
            let pause = sleep(self.pause());
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    () = self.wanted.notified() => if self.may_fetch_early() { break },
                }
            }
        }
    }

    /// Has the keys fetched because a token names one that is not among `seen`, unless that was
    /// just tried. Returns whether it is here now.
    pub(super) async fn find(&self, kid: &str, seen: &Arc<[VerifyingKey]>) -> bool {
        let is_fetching = {
            let state = self.state.borrow();
            if state.has(kid) {
                return !state.holds(seen);
            }
            state.is_fetching
        };
        // A fetch under way may have read what the issuer had before the token's key.
        self.next_fetch_has(kid).await || is_fetching && self.next_fetch_has(kid).await
    }

    /// Waits for the end of the fetch under way, or of one that it asks for, unless one has just been.
    async fn next_fetch_has(&self, kid: &str) -> bool {
        let mut state = self.state.subscribe();
        let (finished, is_fetching) = {
            let state = state.borrow();
            (state.finished, state.is_fetching)
        };
        if !is_fetching {
            if !self.may_fetch_early() {
                return false;
            }
            self.wanted.notify_one();
        }
        // A loop that has stopped answers nobody: the process is about to end.
        let fetched = state.wait_for(|state| state.finished != finished);
        let fetched = tokio::time::timeout(self.pace.within * 2, fetched).await;
        fetched.is_ok_and(|state| state.is_ok_and(|state| state.has(kid)))
    }

    async fn fetch(&self) {
        self.state.send_modify(|state| {
            state.began = Some(Instant::now());
            state.is_fetching = true;
        });
        let fetched = self.client.fetch().await;
        self.report(&fetched);
        self.state.send_modify(|state| state.finish(fetched));
    }

    fn may_fetch_early(&self) -> bool {
        let began = self.state.borrow().began;
        began.is_none_or(|began| began.elapsed() >= self.pace.at_most_every)
    }

    /// Replicas that started together do not ask together.
    fn pause(&self) -> Duration {
        let failures = self.state.borrow().failures;
        let pause = match failures.checked_sub(1) {
            None => self.pace.every,
            Some(doublings) => FIRST_RETRY
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(LONGEST_RETRY)
                .min(self.pace.every),
        };
        pause.mul_f64(rand::random_range(0.9..=1.1))
    }

    fn report(&self, fetched: &Result<Vec<VerifyingKey>, FetchError>) {
        let url = self.client.url();
        let before = self.freshness();
        match fetched {
            Ok(keys) if before.failures > 0 || self.differs(keys) => {
                let kids = keys.iter().filter_map(|key| key.kid.as_deref());
                let kids: Vec<_> = kids.map(shorten).collect();
                tracing::info!(%url, keys = keys.len(), ?kids, "the keys for logins were fetched");
            }
            Ok(_) => tracing::debug!(%url, "the keys for logins are the same"),
            Err(error) => report_failure(url, error, before.age),
        }
    }

    fn differs(&self, keys: &[VerifyingKey]) -> bool {
        let kids =
            |keys: &[VerifyingKey]| keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
        self.at_hand()
            .is_none_or(|known| kids(&known) != kids(keys))
    }
}

impl State {
    fn has(&self, kid: &str) -> bool {
        let keys = self.fetched.iter().flat_map(|fetched| fetched.keys.iter());
        keys.filter_map(|key| key.kid.as_deref())
            .any(|it| it == kid)
    }

    fn holds(&self, seen: &Arc<[VerifyingKey]>) -> bool {
        let fetched = self.fetched.as_ref();
        fetched.is_some_and(|fetched| Arc::ptr_eq(&fetched.keys, seen))
    }

    fn finish(&mut self, fetched: Result<Vec<VerifyingKey>, FetchError>) {
        self.is_fetching = false;
        self.finished += 1;
        match fetched {
            Ok(keys) => {
                self.failures = 0;
                self.fetched = Some(Fetched {
                    keys: keys.into(),
                    at: Instant::now(),
                });
            }
            Err(_) => self.failures = self.failures.saturating_add(1),
        }
    }
}

/// Says what a failure means for those who log in.
fn report_failure(url: &JwksUrl, error: &FetchError, age: Option<Duration>) {
    let error = chain(error);
    let age_seconds = age.map(|age| age.as_secs());
    let meaning = match age {
        Some(_) => "the last ones stay in use",
        None => "nobody can log in until they are",
    };
    tracing::warn!(%url, error, age_seconds, "the keys for logins could not be fetched; {meaning}");
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
