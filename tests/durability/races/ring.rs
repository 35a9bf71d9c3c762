//! Where a run and an operator race for jobs, over and over, each time closer to each other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use job_queue::{EnqueueOptions, Waker, enqueue};
use session_identity::JobId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::Intensity;
use system_tests::ledger::{LedgerJob, Note};
use system_tests::wait::{SOON, until};
use tokio::time::Instant;

use crate::bench::Bench;
use crate::checker::{Intent, JobRow};
use crate::evidence;

/// Races at once.
pub(super) const LANES: usize = 8;
const FIRST_DELAY: Duration = Duration::from_millis(10);
const SHORTEST_DELAY: Duration = Duration::from_micros(10);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Races of a lane in which it finds the moment, before it narrows it down.
const SEARCHES: usize = 10;

/// How many races of each sort this run has.
pub(super) fn rounds() -> usize {
    Intensity::of_this_run().choose(240, 10_000)
}

/// What the operator does in the next race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This time the run was too early for the moment that is wanted.
    Sooner,
    /// This time the operator was.
    Later,
}

/// How one race went.
pub(super) struct Told {
    /// In a few words, which are counted.
    pub(super) story: &'static str,
    pub(super) next: Next,
    pub(super) intent: Intent,
}

/// What the races need.
pub(super) struct Ring {
    pub(super) pool: PgPool,
    waker: Waker,
}

impl Ring {
    pub(super) fn beside(bench: &Bench) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(u32::try_from(LANES).unwrap() + 2)
            .acquire_timeout(SOON)
            .connect_lazy(&bench.database.url)
            .unwrap();
        let waker = Waker::new(pool.clone());
        Self { pool, waker }
    }

    pub(super) async fn put(&self, job: &Note) -> JobId {
        let mut connection = self.pool.acquire().await.unwrap();
        let put = enqueue(&mut connection, job, &EnqueueOptions::default()).await;
        self.waker.wake();
        put.unwrap().id()
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Waits until the job has ended.
    pub(super) async fn end_of(&self, id: JobId) -> JobRow {
        until("the job has ended", SOON, async || {
            let job = evidence::job(&self.pool, id.as_uuid()).await.ok()?;
            job.has_end.then_some(job)
        })
        .await
    }

    /// Has all races run and returns what was asked for. Every story must have been told.
    pub(super) async fn race(
        &self,
        stories: &[&'static str],
        race: impl AsyncFn(usize, Duration) -> Told,
    ) -> Vec<Intent> {
        let begun = Instant::now();
        let lanes = (0..LANES).map(|lane| run_lane(lane, &race));
        let told: Vec<Told> = join_all(lanes).await.into_iter().flatten().collect();
        let mut counts: BTreeMap<_, usize> = stories.iter().map(|story| (*story, 0)).collect();
        for told in &told {
            *counts.entry(told.story).or_default() += 1;
        }
        say(&counts, begun.elapsed());
        assert!(counts.values().all(|count| *count > 0), "{counts:?}");
        told.into_iter().map(|told| told.intent).collect()
    }
}

/// Even and odd races look for different moments, so each has a delay of its own.
async fn run_lane(lane: usize, race: &impl AsyncFn(usize, Duration) -> Told) -> Vec<Told> {
    let mut aims = [Aim::default(), Aim::default()];
    let mut told = Vec::new();
    for (done, number) in (lane..rounds()).step_by(LANES).enumerate() {
        let aim = &mut aims[done % 2];
        let this = race(2 * number + done % 2, aim.delay).await;
        aim.correct(this.next);
        told.push(this);
    }
    told
}

/// When the operator acts: nearer and nearer to the moment in which either may win, on whatever machine.
pub(super) struct Aim {
    pub(super) delay: Duration,
    shots: usize,
}

impl Default for Aim {
    fn default() -> Self {
        let (delay, shots) = (FIRST_DELAY, 0);
        Self { delay, shots }
    }
}

impl Aim {
    pub(super) fn correct(&mut self, next: Next) {
        let step = if self.shots < SEARCHES { 2.0 } else { 1.2 };
        self.shots += 1;
        self.delay = match next {
            Next::Later => self.delay.mul_f64(step).min(LONGEST_DELAY),
            Next::Sooner => self.delay.div_f64(step).max(SHORTEST_DELAY),
        };
    }
}

#[expect(clippy::print_stderr, reason = "the figures that the README publishes")]
pub(super) fn say(counts: &BTreeMap<&'static str, usize>, took: Duration) {
    eprintln!("{counts:?} in {:.0} s", took.as_secs_f64());
}

/// What must be there in the end of a race: the effect where the job is done, and nothing else.
pub(super) fn intent(job: &JobRow, asked: &Note) -> Intent {
    let effect = asked.promised().filter(|_| job.state == "done");
    Intent::acknowledged(job.id, effect)
}
