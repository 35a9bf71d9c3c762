//! Measures how fast sessions become ready and how fast a terminal echoes, each beside the same
//! thing done without Carrel in the same run, and prints one table in Markdown.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod by_hand;
mod direct;
mod echo;
mod figures;

use std::time::Duration;

use futures_util::future::join_all;
use system_tests::logins::Login;
use system_tests::wait::{STARTUP, in_time};
use system_tests::{Candidate, Plan, TestSystem, Weight, exams};

use self::figures::{Figures, ratio};

const SESSIONS: usize = 50;
/// Sessions one after the other, each on an idle system.
const SINGLES: usize = 30;
/// The slots of one worker as it comes; what is made by hand is made as many at once.
const SLOTS: usize = 12;
/// Seen: about two minutes on two shared processors.
const LIMIT: Duration = Duration::from_mins(8);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    in_time("all measurements", LIMIT, Box::pin(measure())).await;
}

async fn measure() {
    let plan = Plan {
        weight: Weight::Whole,
        ..Plan::default()
    };
    let system = TestSystem::planned(plan).await;
    let load_before = load_average();
    // First, since it warms up image, engine, pools and statements for what follows.
    let idle = measure_idle_start(&system).await;
    let by_hand = by_hand::measure(system.runtime.engine(), SESSIONS, SLOTS).await;
    let candidates = request_all(&system).await;
    let (ready, since_first) = times_to_ready(&system, &candidates).await;
    let (kept, left) = candidates.split_at(2);
    end(&system, left).await;
    let (gateway, direct) = echo::measure(&system, &kept[0], &kept[1]).await;
    end(&system, kept).await;

    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{processors} processors; load average {load_before} before, {} after.\n",
        load_average()
    );
    println!("| Measured | n | p50 | p95 | p99 | max | Ratio |");
    println!("|---|---|---|---|---|---|---|");
    let name = format!("{SESSIONS} sessions at once: created → ready");
    println!(
        "{}",
        ready.row(&name, &ratio(ready.max(), by_hand.max(), "max"))
    );
    let whole = format!("{SESSIONS} sessions: first created → ready");
    println!(
        "{}",
        since_first.row(&whole, &ratio(since_first.max(), by_hand.max(), "max"))
    );
    let name = format!("{SESSIONS} containers by hand, {SLOTS} at once: begin → started");
    println!("{}", by_hand.row(&name, "1"));
    println!("{}", idle.row("enqueue → handler start, idle", ""));
    let name = "echo of one byte through the gateway";
    println!("{}", gateway.row(name, &echo::ratios(&gateway, &direct)));
    println!("{}", direct.row("echo of one byte, direct exec", "1"));
}

/// Makes sessions one after the other; each finds nothing else to do.
async fn measure_idle_start(system: &TestSystem) -> Figures {
    let mut candidates = Vec::new();
    for number in 0..SINGLES {
        let candidate = system.ready_candidate(&format!("single-{number}")).await;
        end(system, std::slice::from_ref(&candidate)).await;
        candidates.push(candidate.session_id);
    }
    let waits = sqlx::query_scalar!(
        r#"SELECT (extract(epoch FROM initializing_at - created_at) * 1000000)::bigint AS "micros!"
        FROM exam_sessions WHERE id::text = ANY($1)"#,
        &candidates
    )
    .fetch_all(system.pool())
    .await
    .expect("the database answers");
    assert_eq!(waits.len(), SINGLES);
    Figures::of_micros(waits)
}

async fn request_all(system: &TestSystem) -> Vec<Candidate> {
    let users: Vec<String> = (0..SESSIONS).map(|number| format!("u-{number}")).collect();
    let asked = users
        .iter()
        .map(|user| system.candidate(user, exams::SAMPLE));
    join_all(asked).await
}

/// Waits until all are ready; returns the times since each one's and since the first's creation.
async fn times_to_ready(system: &TestSystem, candidates: &[Candidate]) -> (Figures, Figures) {
    // One after the other, so that asking takes little of what is measured.
    for candidate in candidates.iter().rev() {
        system.await_state(candidate, "ready", STARTUP).await;
    }
    let ids: Vec<String> = candidates
        .iter()
        .map(|candidate| candidate.session_id.clone())
        .collect();
    let rows = sqlx::query!(
        r#"SELECT (extract(epoch FROM ready_at - created_at) * 1000000)::bigint AS "own!",
        (extract(epoch FROM ready_at - min(created_at) OVER ()) * 1000000)::bigint AS "first!"
        FROM exam_sessions WHERE id::text = ANY($1)"#,
        &ids
    )
    .fetch_all(system.pool())
    .await
    .expect("the database answers");
    assert_eq!(rows.len(), SESSIONS);
    let since_first = rows.iter().map(|row| row.first).collect();
    let own = rows.into_iter().map(|row| row.own).collect();
    (Figures::of_micros(own), Figures::of_micros(since_first))
}

/// Ends sessions and waits until nothing of them is left.
async fn end(system: &TestSystem, candidates: &[Candidate]) {
    let service = Login::service();
    let asked = candidates.iter().map(|one| system.terminate(one, &service));
    for answer in join_all(asked).await {
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    for candidate in candidates {
        system.await_gone(candidate, STARTUP).await;
    }
}

/// The load of the last minute: others may share the machine.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
