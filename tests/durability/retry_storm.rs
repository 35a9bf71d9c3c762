//! Thousands of jobs fail together: they do not come back together, and what they call is never called
//! by more of them at once than the limit of their queue says (fault F3 of stock storage, where what had
//! failed was claimable at once).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use job_queue::{BACKOFF_BASE, JobAction, backoff_window, limit_queue};
use system_tests::ledger::{Note, Task};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::checker::most_at_once;
use crate::worker_plan::WorkerPlan;

const BATCH: usize = 5_000;
const TENTHS: i64 = 10;
/// What the jobs call takes no more at once; the workers have five times the slots.
const BUDGET: i32 = 20;

#[tokio::test]
async fn jobs_that_fail_together_are_spread_over_the_whole_backoff_window() {
    let (jobs, limit) = Intensity::of_this_run().choose((5_000, 10), (100_000, 60));
    let mut bench = Bench::start(Weight::Suite).await;
    let begun = Instant::now();
    let all: Vec<_> = (0..jobs)
        .map(|it| Note(Task::new(format!("storm {it}")).failing(1)))
        .collect();
    let action = JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("what they call is slow".to_owned()),
    };
    let mut connection = bench.pool().acquire().await.unwrap();
    limit_queue(&mut connection, "durability", Some(BUDGET), &action)
        .await
        .unwrap();
    drop(connection);
    for batch in all.chunks(BATCH) {
        bench.put(batch).await;
    }
    for name in ["one", "two"] {
        // As in production: what a starved heartbeat loses comes back without having failed.
        bench.work(&WorkerPlan {
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            ..WorkerPlan::named(name).slots(50)
        });
    }
    let evidence = bench.judge(Duration::from_mins(limit)).await;
    let most = most_at_once(&evidence.changes);
    let budget = usize::try_from(BUDGET).unwrap();
    assert!((2..=budget).contains(&most), "{most} ran at once");
    let window = i64::try_from(backoff_window(1).as_millis()).unwrap();
    assert_eq!(window, i64::try_from(BACKOFF_BASE.as_millis()).unwrap());
    let mut tenths: BTreeMap<i64, usize> = BTreeMap::new();
    for run in evidence
        .attempts
        .iter()
        .filter(|run| run.outcome == "retry")
    {
        let job = evidence.job(run.job_id);
        // Where a busy machine had it fail once more, the row's `run_at` has moved since.
        if job.run_token != 2 {
            continue;
        }
        let waits = job.run_at_ms - run.finished_at_ms;
        assert!(waits <= window, "put off by {waits} ms");
        *tenths
            .entry(waits.max(0) * TENTHS / (window + 1))
            .or_default() += 1;
    }
    say(most, &tenths, begun.elapsed());
    let counted = tenths.values().sum::<usize>();
    assert!(counted > jobs * 9 / 10, "only {counted} failed once");
    // The first tenth is the floor under the jitter; evenly spread, the others have a ninth each.
    let fair = counted / 9;
    for tenth in 1..TENTHS {
        let count = tenths.get(&tenth).copied().unwrap_or(0);
        assert!((fair / 2..fair * 2).contains(&count), "tenths: {tenths:?}");
    }
}

#[expect(clippy::print_stderr, reason = "the figures that the README publishes")]
fn say(most: usize, tenths: &BTreeMap<i64, usize>, took: Duration) {
    let took = took.as_secs_f64();
    eprintln!("{most} at once, by tenths of the window {tenths:?}, in {took:.0} s");
}
