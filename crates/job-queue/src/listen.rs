//! When a worker looks for work: at a notification, at its poll, and when its own retries fall due.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{sync::Notify, time::Instant};

use crate::{measure, wake::CHANNEL};

/// A lost listener is tried again this soon; polling carries on meanwhile.
const RECONNECT: Duration = Duration::from_secs(1);

/// Where a rate holds jobs back, a worker looks for the next start no more often than this: many
/// workers wait for the same one.
const LOOK_AT_RATE: Duration = Duration::from_millis(100);
/// What is as far off as this is left to the poll, which comes no later.
const LEFT_TO_POLL: Duration = Duration::from_secs(1);

/// The signal the exchange loops wait for.
#[derive(Debug, Default)]
pub(crate) struct LookSignal {
    wanted: AtomicBool,
    changed: Notify,
    due: Mutex<BinaryHeap<Reverse<Instant>>>,
    due_changed: Notify,
}

impl LookSignal {
    /// Says that there may be work.
    pub(crate) fn look(&self) {
        self.wanted.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Takes the wish to look; the caller then looks.
    pub(crate) fn take(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Waits until somebody has said so, or until a run has ended.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Wakes one loop without asking it to claim.
    pub(crate) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Looks when a job this worker has put off falls due, sooner than the next poll would.
    pub(crate) fn look_after(&self, delay: Duration) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.push(Reverse(Instant::now() + delay));
        drop(due);
        self.due_changed.notify_one();
    }

    /// Looks when the rate of a queue lets its next run start, or a little later, sooner than the
    /// next poll.
    pub(crate) fn look_at_rate(&self, held_for: Duration) {
        if held_for < LEFT_TO_POLL {
            let jitter = rand::rng().random_range(1.0..1.5);
            let delay = held_for.max(LOOK_AT_RATE).mul_f64(jitter);
            let at = Instant::now() + delay;
            // A look that comes sooner learns it anew; one more each time would be ever more looks.
            if self.next_due().is_none_or(|due| due > at) {
                self.look_after(delay);
            }
        }
    }

    /// Returns when the earliest put-off job falls due, dropping those that already have.
    fn next_due(&self) -> Option<Instant> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while due.peek().is_some_and(|at| at.0 <= now) {
            due.pop();
        }
        due.peek().map(|at| at.0)
    }
}

/// Asks to look at each poll, jittered so that workers started together drift apart, and whenever
/// a put-off job falls due. Never returns.
pub(crate) async fn poll(signal: &LookSignal, every: Duration) {
    poll_by(signal, || jittered(every)).await;
}

/// However long nothing was found, the next pause is as long as the first.
fn jittered(every: Duration) -> Duration {
    rand::rng().random_range(every / 2..=every)
}

async fn poll_by(signal: &LookSignal, mut next_pause: impl FnMut() -> Duration) {
    loop {
        let poll_at = Instant::now() + next_pause();
        let wake_at = signal.next_due().map_or(poll_at, |due| due.min(poll_at));
        tokio::select! {
            () = tokio::time::sleep_until(wake_at) => {
                measure::looked(if wake_at == poll_at { "poll" } else { "due" });
                signal.look();
            }
            () = signal.due_changed.notified() => {}
        }
    }
}

/// Asks to look at each notification, on a connection of its own. Never returns: where listening
/// fails it keeps trying, and polling bounds what that costs.
pub(crate) async fn listen(signal: &LookSignal, options: PgConnectOptions) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options);
    let mut shown = measure::ListenerShown::down();
    loop {
        if let Err(error) = listen_once(signal, &pool, &mut shown).await {
            tracing::warn!(%error, "listening for jobs failed; the poll goes on");
        }
        shown.show(false);
        let pause = RECONNECT.mul_f64(rand::rng().random_range(0.5..1.5));
        tokio::time::sleep(pause).await;
    }
}

async fn listen_once(
    signal: &LookSignal,
    pool: &sqlx::PgPool,
    shown: &mut measure::ListenerShown,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    shown.show(true);
    // Whatever was notified before the LISTEN took effect is found by looking now.
    signal.look();
    while listener.try_recv().await?.is_some() {
        measure::looked("notify");
        signal.look();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::PgPool;

    use super::*;
    use crate::Waker;

    async fn look(signal: &LookSignal) {
        let asked = async {
            while !signal.take() {
                signal.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), asked)
            .await
            .expect("a wish to look");
    }

    /// How long a worker pauses that has found nothing for an hour.
    async fn pause_after_an_idle_hour(next_pause: impl FnMut() -> Duration) -> Duration {
        let signal = LookSignal::default();
        let begun = Instant::now();
        let idle = async {
            let mut before = begun;
            loop {
                look(&signal).await;
                let now = Instant::now();
                if now - begun > Duration::from_hours(1) {
                    return now - before;
                }
                before = now;
            }
        };
        tokio::select! {
            pause = idle => pause,
            () = poll_by(&signal, next_pause) => unreachable!("a poll has no end"),
        }
    }

    /// Fault F8 of stock storage: its pauses double while nothing is found, and a job waited a minute.
    #[tokio::test(start_paused = true)]
    async fn a_pause_that_does_not_grow_is_what_keeps_an_idle_worker_quick() {
        let every = Duration::from_secs(1);
        // The clock of a test goes in milliseconds.
        let bound = every + Duration::from_millis(2);
        assert!(pause_after_an_idle_hour(|| jittered(every)).await <= bound);
        let mut pause = every;
        let doubling = || {
            pause = (pause * 2).min(Duration::from_secs(50));
            pause
        };
        assert!(pause_after_an_idle_hour(doubling).await > Duration::from_secs(40));
    }

    /// When a worker looks whose poll is an hour away.
    async fn first_look(signal: &LookSignal) -> Duration {
        let begun = Instant::now();
        tokio::select! {
            () = async {
                while !signal.take() {
                    signal.changed().await;
                }
            } => begun.elapsed(),
            () = poll_by(signal, || Duration::from_hours(1)) => unreachable!("a poll has no end"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_looks_when_a_rate_lets_the_next_run_start() {
        // The clock of a test goes in milliseconds.
        let tick = Duration::from_millis(2);
        for (held_for, earliest) in [(5, 100), (400, 400)] {
            let signal = LookSignal::default();
            signal.look_at_rate(Duration::from_millis(held_for));
            let earliest = Duration::from_millis(earliest);
            let looked = first_look(&signal).await;
            assert!(looked >= earliest, "{looked:?}");
            assert!(looked <= earliest.mul_f64(1.5) + tick, "{looked:?}");
        }
        let signal = LookSignal::default();
        signal.look_at_rate(Duration::from_hours(2));
        assert!(signal.next_due().is_none(), "the poll comes sooner");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_is_held_again_and_again_does_not_look_the_more_often() {
        let signal = LookSignal::default();
        signal.look_after(Duration::from_millis(1));
        for _ in 0..10 {
            signal.look_at_rate(Duration::from_millis(400));
        }
        assert_eq!(signal.due.lock().unwrap().len(), 1);
    }

    #[sqlx::test(migrations = false)]
    async fn each_notification_asks_to_look_without_any_poll(pool: PgPool) {
        let signal = Arc::new(LookSignal::default());
        let options = PgConnectOptions::clone(&pool.connect_options());
        let listening = tokio::spawn({
            let signal = signal.clone();
            async move { listen(&signal, options).await }
        });
        look(&signal).await;
        let waker = Waker::new(pool);
        for _ in 0..3 {
            waker.wake();
            look(&signal).await;
        }
        listening.abort();
    }
}
