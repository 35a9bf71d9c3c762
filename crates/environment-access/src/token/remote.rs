//! An issuer's keys, kept fresh.
//!
//! One loop fetches. Whoever meets a token with an unknown key asks the loop and waits, so that a
//! thousand such tokens make one fetch, and a caller who goes away ends none.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
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
    /// Keys in use: none before the first fetch, and once the issuer has taken all of them back.
    pub keys: usize,
}

/// What became of the search for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// It is here now.
    Found,
    /// The issuer does not have it: it was asked since, or so lately that it is not asked again.
    Absent,
    /// The issuer did not answer when it was last asked: it may have it.
    Unanswered,
}

/// The keys of an issuer, as they were last fetched.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    client: KeyClient,
    pace: FetchPace,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    fetched: Option<Fetched>,
    /// When the last fetch began.
    began: Option<Instant>,
    is_fetching: bool,
    /// A fetch before its time was asked for, and has not begun.
    is_wanted: bool,
    /// There is a loop that fetches.
    is_kept: bool,
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
    pub(super) fn new(
        url: JwksUrl,
        pace: FetchPace,
        authorities: Option<&Path>,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            client: KeyClient::new(url, pace.within, authorities)?,
            pace,
            state: watch::Sender::default(),
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
            keys: state.fetched.as_ref().map_or(0, |it| it.keys.len()),
        }
    }

    /// Fetches now, then again and again; never returns. Dropping it gives up the fetch under way, and
    /// whoever waits for one is told so at once.
    pub(super) async fn keep_fresh(&self) {
        self.state.send_modify(|state| state.is_kept = true);
        let _told = TellWaiters(&self.state);
        let mut asked = self.state.subscribe();
        loop {
            self.fetch().await;
            let wanted = async { asked.wait_for(|state| state.is_wanted).await.map(drop) };
            tokio::select! {
                () = sleep(self.pause()) => {}
                Ok(()) = wanted => {}
            }
        }
    }

    /// Fetches once and keeps nothing: how many keys there are, or why not.
    pub(super) async fn try_once(&self) -> Result<usize, String> {
        let fetched = self.client.fetch().await;
        fetched
            .map(|keys| keys.len())
            .map_err(|error| chain(&error))
    }

    /// Has the keys fetched because a token names one that is not among `seen`, unless that was
    /// just tried.
    pub(super) async fn find(&self, kid: &str, seen: &Arc<[VerifyingKey]>) -> Search {
        let was_fetching = {
            let state = self.state.borrow();
            match (state.has(kid), state.holds(seen)) {
                (true, true) => return Search::Absent,
                (true, false) => return Search::Found,
                (false, _) => state.is_fetching,
            }
        };
        match self.next_fetch_has(kid).await {
            // A fetch under way may have read what the issuer had before the token's key.
            Some(Search::Absent) if was_fetching => {
                self.next_fetch_has(kid).await.unwrap_or(Search::Unanswered)
            }
            Some(found) => found,
            // Whoever holds a token of an old key is not to come back in vain, and whoever makes names
            // up is not to make anybody wait.
            None if self.state.borrow().is_answered() => Search::Absent,
            None => Search::Unanswered,
        }
    }

    /// Waits for the end of the fetch under way, or of one that it asks for; `None` if there will be none
    /// so soon after the last.
    async fn next_fetch_has(&self, kid: &str) -> Option<Search> {
        let mut state = self.state.subscribe();
        let finished = self.ask()?;
        let over = state.wait_for(|state| state.finished != finished || !state.is_kept);
        Some(
            match tokio::time::timeout(self.pace.within * 2, over).await {
                Ok(Ok(state)) if state.has(kid) => Search::Found,
                Ok(Ok(state)) if state.finished != finished && state.failures == 0 => {
                    Search::Absent
                }
                Ok(_) | Err(_) => Search::Unanswered,
            },
        )
    }

    /// Asks for a fetch, unless one is under way or asked for. Returns how many had ended before it;
    /// `None` if there will be none.
    fn ask(&self) -> Option<u64> {
        let mut answer = None;
        self.state.send_if_modified(|state| {
            let is_coming = state.is_fetching || state.is_wanted;
            let may_ask = is_coming
                || state
                    .began
                    .is_none_or(|at| at.elapsed() >= self.pace.at_most_every);
            answer = (state.is_kept && may_ask).then_some(state.finished);
            let asks = answer.is_some() && !is_coming;
            state.is_wanted |= asks;
            asks
        });
        answer
    }

    async fn fetch(&self) {
        self.state.send_modify(|state| {
            state.began = Some(Instant::now());
            state.is_fetching = true;
            // Whoever asked until now is answered by this one.
            state.is_wanted = false;
        });
        let fetched = self.client.fetch().await;
        self.report(&fetched);
        self.state.send_modify(|state| state.finish(fetched));
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
            Ok(keys) if keys.is_empty() => {
                tracing::error!(%url, "the issuer shows no key for logins: every login is refused until it does");
            }
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

    /// Whether the last fetch succeeded, and more will follow.
    fn is_answered(&self) -> bool {
        self.is_kept && self.fetched.is_some() && self.failures == 0
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

/// Lets nobody wait for a loop that has ended.
struct TellWaiters<'a>(&'a watch::Sender<State>);

impl Drop for TellWaiters<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|state| {
            state.is_kept = false;
            state.is_fetching = false;
            state.is_wanted = false;
        });
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
