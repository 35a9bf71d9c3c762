//! Echo as many candidates see it who type at their own pace, whether or not the last key has come back.

use std::collections::VecDeque;
use std::time::Duration;

use environment_access::wire::{ClientFrame, ServerFrame};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::Rounds;
use crate::browser::{Browser, Came};
use crate::gateway::Running;
use crate::report::{Report, Target, Times};

const PAGES: u32 = 20;
/// Ten keys a second.
const KEY_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn measure(running: &Running, rounds: Rounds, report: &mut Report) {
    let mut typing = JoinSet::new();
    let keys = rounds.keys / PAGES as usize;
    for page in 0..PAGES {
        let (browser, _) = Browser::attach(&running.seat().await, None).await;
        // Not all at the same moment.
        typing.spawn(type_steadily(browser, keys, KEY_EVERY * page / PAGES));
    }
    let times = Times::of(typing.join_all().await.concat());
    let what = format!("echo to {PAGES} pages with 10 keys a second each, open loop");
    report.row(&what, times.count(), &times.text(), &Target::none());
}

async fn type_steadily(mut browser: Browser, keys: usize, after: Duration) -> Vec<Duration> {
    let mut due = Instant::now() + after;
    let (mut typed, mut under_way, mut times) = (0, VecDeque::new(), Vec::new());
    while times.len() < keys {
        match next(&mut browser, (typed < keys).then_some(due)).await {
            None => {
                under_way.push_back(Instant::now());
                browser.type_at(typed as u64, b"k").await;
                typed += 1;
                due += KEY_EVERY;
            }
            Some(Came::Frame(ServerFrame::Output { bytes })) => {
                let now = Instant::now();
                times.extend(under_way.drain(..bytes.len()).map(|sent| now - sent));
                let offset = times.len() as u64;
                browser.send(ClientFrame::Ack { offset }).await;
            }
            Some(Came::Frame(_)) => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    times
}

/// What comes before the next key is due.
async fn next(browser: &mut Browser, due: Option<Instant>) -> Option<Came> {
    match due {
        Some(due) => timeout_at(due, browser.next()).await.ok(),
        None => Some(browser.next().await),
    }
}
