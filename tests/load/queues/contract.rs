//! What a contender's program does, whatever queue it drives: its verbs, bounds and clock.
//!
//! Carrel's contender takes it as a module, and so does stock apalis's, which is no part of the
//! workspace. `node/contract.mjs` and `python/contender.py` say the same in their languages.

use std::{
    error::Error,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Jobs of one batched call.
const BATCH: usize = 1000;
/// However slow a queue is, one by one is measured no longer.
const SINGLES: Duration = Duration::from_secs(10);
/// From a worker's start until it waits for work.
const SETTLING: Duration = Duration::from_secs(1);
/// Between a probe's start and the next probe: longer than any contender's debounce.
const GAP: Duration = Duration::from_millis(50);
/// Between two statements of the background.
const TICK: Duration = Duration::from_millis(20);
/// A probe that has not started by then counts as so long and is the last: the queue is stuck or
/// cannot keep up.
const LOST: Duration = Duration::from_secs(10);
const STOPPING: Duration = Duration::from_secs(20);

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A queue that is measured.
pub(crate) trait Queue {
    async fn setup(&self) -> Result<(), Failure>;

    /// Enqueues one job as an application would, telling workers included.
    async fn send(&self, number: u64) -> Result<(), Failure>;

    /// Enqueues so many jobs of number 0 by one call.
    async fn send_many(&self, count: usize) -> Result<(), Failure>;

    /// Starts a worker whose handler does nothing but say that it started.
    fn work(&self, starts: Starts, stop: CancellationToken) -> JoinHandle<Result<(), Failure>>;
}

/// Counts the starts of handlers. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starts(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    count: AtomicU64,
    probe: Mutex<Option<(u64, Instant)>>,
    news: Notify,
}

impl Starts {
    /// To be called first thing in the handler, with the number from the payload.
    pub(crate) fn note(&self, number: u64) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        if number > 0 {
            let mut probe = self.0.probe.lock().unwrap_or_else(PoisonError::into_inner);
            *probe = Some((number, Instant::now()));
            self.0.news.notify_one();
        }
    }

    fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    async fn await_probe(&self, number: u64) -> Instant {
        loop {
            self.0.news.notified().await;
            let probe = *self.0.probe.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((started, at)) = probe
                && started == number
            {
                return at;
            }
        }
    }
}

/// Does what the words ask, and returns what was measured.
pub(crate) async fn run(queue: &impl Queue, words: &[String]) -> Result<Value, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["setup"] => queue.setup().await.map(|()| json!({})),
        ["enqueue", "single", count] => enqueue_singly(queue, count.parse()?).await,
        ["enqueue", "batched", count] => enqueue_batched(queue, count.parse()?).await,
        ["drain", count, cap] => {
            let cap = Duration::from_secs(cap.parse()?);
            drain(queue, count.parse()?, cap).await
        }
        ["latency", probes, background] => {
            latency(queue, probes.parse()?, background.parse()?).await
        }
        _ => Err("setup | enqueue single|batched N | drain N SECONDS | latency N RATE".into()),
    }
}

async fn enqueue_singly(queue: &impl Queue, count: u64) -> Result<Value, Failure> {
    queue.send(0).await?;
    let begun = Instant::now();
    let mut sent = 0;
    while sent < count && begun.elapsed() < SINGLES {
        queue.send(0).await?;
        sent += 1;
    }
    Ok(json!({ "jobs": sent, "seconds": begun.elapsed().as_secs_f64() }))
}

async fn enqueue_batched(queue: &impl Queue, count: usize) -> Result<Value, Failure> {
    let begun = Instant::now();
    let mut sent = 0;
    while sent < count {
        let batch = BATCH.min(count - sent);
        queue.send_many(batch).await?;
        sent += batch;
    }
    Ok(json!({ "jobs": sent, "seconds": begun.elapsed().as_secs_f64() }))
}

/// From the start of a worker until the handler of the last job has started, or the cap.
async fn drain(queue: &impl Queue, count: u64, cap: Duration) -> Result<Value, Failure> {
    let (starts, stop) = (Starts::default(), CancellationToken::new());
    let (begun, cpu) = (Instant::now(), cpu_seconds()?);
    let worker = queue.work(starts.clone(), stop.clone());
    while starts.count() < count && begun.elapsed() < cap && !worker.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let measured = json!({
        "jobs": starts.count(),
        "seconds": begun.elapsed().as_secs_f64(),
        "cpu_seconds": cpu_seconds()? - cpu,
    });
    end(worker, &stop).await?;
    Ok(measured)
}

/// From before the call that enqueues until the handler has started, in milliseconds.
async fn latency(queue: &impl Queue, probes: u64, background: f64) -> Result<Value, Failure> {
    let (starts, stop) = (Starts::default(), CancellationToken::new());
    let worker = queue.work(starts.clone(), stop.clone());
    tokio::time::sleep(SETTLING).await;
    let (begun, before) = (Instant::now(), starts.count());
    let millis = tokio::select! {
        millis = probe(queue, &starts, probes) => millis?,
        failed = flow(queue, background) => return Err(failed),
    };
    let flowed = (starts.count() - before).saturating_sub(probes);
    let flowed = u32::try_from(flowed).map_or(f64::INFINITY, f64::from);
    let background = flowed / begun.elapsed().as_secs_f64();
    end(worker, &stop).await?;
    Ok(json!({ "millis": millis, "background": background }))
}

async fn probe(queue: &impl Queue, starts: &Starts, probes: u64) -> Result<Vec<f64>, Failure> {
    let mut millis = Vec::new();
    for number in 1..=probes {
        let asked = Instant::now();
        queue.send(number).await?;
        let started = tokio::time::timeout(LOST, starts.await_probe(number)).await;
        let took = started.map_or(LOST, |started| started - asked);
        millis.push(took.as_secs_f64() * 1000.0);
        if took >= LOST {
            break;
        }
        tokio::time::sleep(GAP).await;
    }
    Ok(millis)
}

/// Enqueues so many jobs a second until dropped; returns only when the queue refuses one.
async fn flow(queue: &impl Queue, rate: f64) -> Failure {
    if rate <= 0.0 {
        std::future::pending::<()>().await;
    }
    let tick = TICK.max(Duration::from_secs_f64(1.0 / rate));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (begun, mut sent) = (Instant::now(), 0);
    loop {
        ticks.tick().await;
        let due = Duration::from_secs_f64(begun.elapsed().as_secs_f64() * rate).as_secs();
        let Ok(count @ 1..) = usize::try_from(due.saturating_sub(sent)) else {
            continue;
        };
        // What is overdue is not made up for, so that a slow producer does not become a burst.
        sent = due;
        if let Err(failure) = queue.send_many(count.min(BATCH)).await {
            return failure;
        }
    }
}

async fn end(
    worker: JoinHandle<Result<(), Failure>>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    stop.cancel();
    tokio::time::timeout(STOPPING, worker).await??
}

/// What this process has used of the processors. The kernel counts in hundredths of a second.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}
