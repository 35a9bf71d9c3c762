//! Every metric of the queue's METRICS.md moves when what it tells of happens, and says what happened.

mod acts;
mod scrapes;

use system_tests::Weight;
use system_tests::ledger::{Brief, External, Note, Task, Told};
use system_tests::ports::free_port;
use system_tests::wait::{SOON, until};

use self::scrapes::{Scrapes, start_api};
use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::WorkerPlan;

/// The table that promises them.
const PROMISED: &str = include_str!("../../crates/job-queue/METRICS.md");

/// The names of the first column.
fn promised() -> Vec<&'static str> {
    let rows = PROMISED.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split_once('`'));
    let names = names.map(|(name, _)| name);
    let is_ours = |name: &&str| {
        ["carrel_", "messaging_"]
            .iter()
            .any(|it| name.starts_with(it))
    };
    names.filter(is_ours).collect()
}

#[tokio::test]
async fn each_promised_metric_moves_with_what_it_tells_of() {
    let mut bench = Bench::start(Weight::Light).await;
    let folder = tempfile::tempdir().unwrap();
    let (proxy, url) = bench.proxy().await;
    let addresses = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let _api = start_api(&bench.database.url, &addresses[0], folder.path());
    let mut scrapes = Scrapes::of(&addresses);
    scrapes.await_one(0).await;
    let plan = WorkerPlan {
        listen_url: Some(url.clone()),
        admin: Some(addresses[1].clone()),
        ..WorkerPlan::named("w").through(url)
    };
    bench.work(&plan);
    scrapes.await_one(1).await;

    runs_end_in_every_way(&mut bench, &mut scrapes).await;
    acts::a_worker_is_evicted(&mut bench, &mut scrapes).await;
    acts::a_queue_is_paused(bench.pool(), &mut scrapes).await;
    acts::a_lease_runs_out(bench.pool(), &mut scrapes).await;
    acts::a_schedule_is_missed_and_paused(bench.pool(), &mut scrapes).await;
    acts::the_database_is_held_up(bench.pool(), &mut scrapes).await;
    proxy.cut();
    scrapes
        .reach(r#"carrel_job_listeners{state="down"}"#, 1.0)
        .await;
    scrapes
        .reach("carrel_job_exchange_failures_total", 1.0)
        .await;
    proxy.pass();
    scrapes
        .reach(r#"carrel_job_listeners{state="up"}"#, 1.0)
        .await;

    let names = promised();
    assert!(names.len() > 35, "{names:?}");
    until("each metric has moved", SOON, async || {
        scrapes.take().await;
        names
            .iter()
            .all(|name| scrapes.has_moved(name))
            .then_some(())
    })
    .await;
}

/// What a worker and an api tell at least, once runs have ended in every way.
const TOLD: [(&str, f64); 19] = [
    // What a handler records itself counts as what it was.
    (
        r#"carrel_jobs_finished_total{kind="note",outcome="done"}"#,
        3.0,
    ),
    (
        r#"carrel_jobs_finished_total{kind="external",outcome="retry"}"#,
        1.0,
    ),
    (
        r#"carrel_jobs_finished_total{kind="external",outcome="done"}"#,
        1.0,
    ),
    (
        r#"carrel_jobs_finished_total{kind="brief",outcome="snooze"}"#,
        1.0,
    ),
    (
        r#"carrel_jobs_finished_total{kind="note",outcome="dead"}"#,
        1.0,
    ),
    (r#"carrel_jobs_dead_total{kind="note"}"#, 1.0),
    (r#"carrel_job_decode_errors_total{kind="note"}"#, 1.0),
    (r#"carrel_job_retries_total{class="told_to"}"#, 1.0),
    (
        r#"carrel_job_retries_total{class="deadline_exceeded"}"#,
        1.0,
    ),
    (r#"carrel_job_rescues_total{reason="deadline"}"#, 1.0),
    (r#"carrel_job_looks_total{cause="notify"}"#, 1.0),
    (
        r#"carrel_jobs_enqueued_total{queue="durability",kind="note"}"#,
        4.0,
    ),
    (
        r#"carrel_jobs_without_handler{queue="durability",kind="nobody"}"#,
        1.0,
    ),
    (r#"carrel_jobs{queue="durability",state="scheduled"}"#, 1.0),
    (r#"carrel_jobs{queue="durability",state="dead"}"#, 1.0),
    (r#"carrel_job_end_to_end_seconds_count{kind="note"}"#, 4.0),
    (
        r#"messaging_client_consumed_messages_total{messaging_system="carrel",messaging_destination_name="durability",messaging_operation_name="claim"}"#,
        6.0,
    ),
    // A failure that the handler returned, and an end that it recorded itself.
    (
        r#"messaging_process_duration_seconds_count{messaging_system="carrel",messaging_destination_name="durability",messaging_operation_name="run",error_type="told_to"}"#,
        1.0,
    ),
    (
        r#"messaging_process_duration_seconds_count{messaging_system="carrel",messaging_destination_name="durability",messaging_operation_name="run",error_type=""}"#,
        3.0,
    ),
];

/// A run for each outcome that a job can have while its worker lives.
async fn runs_end_in_every_way(bench: &mut Bench, scrapes: &mut Scrapes) {
    let recorded = ["a", "b", "c"].map(|effect| Note(Task::new(effect)));
    bench.put(&recorded).await;
    bench
        .put_one(External(Task::new("tried twice").failing(1)))
        .await;
    let brief = bench.put_one(Brief(Task::new("over its time"))).await;
    acts::put_unreadable(bench.pool()).await;
    acts::put_unhandled(bench.pool()).await;
    acts::put_later(bench.pool()).await;
    for (series, at_least) in TOLD {
        scrapes.reach(series, at_least).await;
    }
    // Three by their handlers, and nothing twice.
    let done = scrapes.last(TOLD[0].0);
    assert!(done < 3.5, "{done}");
    acts::cancel(bench.pool(), brief).await;
    acts::no_longer_unhandled(bench.pool()).await;
    // Its run may have ended, to be tried again, before it was cancelled.
    until("the brief one has ended", SOON, async || {
        scrapes.take().await;
        let ends = ["cancelled", "retry"].map(|outcome| {
            format!(r#"carrel_jobs_finished_total{{kind="brief",outcome="{outcome}"}}"#)
        });
        let state = evidence::job(bench.pool(), brief).await.ok()?.state;
        let has_ended = ends.iter().any(|series| scrapes.last(series) > 0.0);
        (state == "cancelled" && has_ended).then_some(())
    })
    .await;
    bench.put_one(Told(Task::new("runs on"))).await;
    scrapes
        .reach(r#"carrel_jobs{queue="durability",state="running"}"#, 1.0)
        .await;
    scrapes
        .reach(r#"carrel_job_slots{state="used"}"#, 1.0)
        .await;
}
