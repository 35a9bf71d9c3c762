//! A crowd of terminals for a while, of whom some always come back: nothing may grow, be lost, or stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Rounds;
use crate::database::Database;
use crate::gateway::Running;
use crate::report::{Report, Target};
use crate::samples::{Sample, Samples};
use crate::sitter::{Habit, Sitter, Stayed};

/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One in so many comes back each minute.
const COMES_BACK: u32 = 20;
/// For everybody to sit down before anything is compared: allocations that a crowd needs once are made.
const SETTLE: Duration = Duration::from_secs(30);
/// For what is left to go, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let running = Running::start(database).await;
    let mut calls = Vec::new();
    let leave = CancellationToken::new();
    let mut crowd = JoinSet::new();
    for number in 0..rounds.crowd {
        let sitter = Sitter::sit(&running, Habit::of(number)).await;
        let called = Arc::<AtomicBool>::default();
        crowd.spawn(sitter.stay(called.clone(), leave.clone()));
        calls.push(called);
    }
    sleep(SETTLE.min(rounds.soak / 4)).await;
    let samples = watch_over(&running, rounds, &calls).await;
    leave.cancel();
    let mut stayed = Stayed::default();
    while let Some(one) = crowd.join_next().await {
        // It ends the run where a byte was lost or doubled.
        stayed.add(&one.unwrap());
    }
    tell(&samples, &stayed, rounds.crowd, report);
    gone(&running, rounds.crowd, report).await;
}

/// Looks at the process, and has somebody come back now and then.
async fn watch_over(running: &Running, rounds: Rounds, calls: &[Arc<AtomicBool>]) -> Samples {
    let pause = Duration::from_mins(1) * COMES_BACK / u32::try_from(calls.len()).unwrap();
    let (begun, mut samples) = (Instant::now(), Samples::default());
    let mut looked = begun;
    while begun.elapsed() < rounds.soak {
        calls[rand::rng().random_range(0..calls.len())].store(true, Ordering::Relaxed);
        sleep(pause).await;
        if looked.elapsed() >= LOOK_EVERY {
            looked = Instant::now();
            samples.add(look(running).await);
        }
    }
    samples
}

async fn look(running: &Running) -> Sample {
    Sample {
        resident_kib: running.child.resident_kib(),
        open_files: running.child.open_files(),
        attached: running.metric("carrel_terminal_attachments").await,
        legs: running.shells.streams(),
    }
}

fn tell(samples: &Samples, stayed: &Stayed, crowd: usize, report: &mut Report) {
    let (first, last) = samples.quarters();
    let growth = last.resident_kib as f64 / first.resident_kib as f64;
    let mib = |kib: u64| kib as f64 / 1024.0;
    let found = format!(
        "{:.1} → {:.1} MiB, {growth:.2}×",
        mib(first.resident_kib),
        mib(last.resident_kib)
    );
    let target = Target::met_if("≤ 1.10×", growth <= 1.10);
    let what = "soak: memory, first quarter to last";
    report.row(what, crowd, &found, &target);
    let found = format!("{} → {}", first.open_files, last.open_files);
    let more = last.open_files.saturating_sub(first.open_files);
    let target = Target::met_if("≤ +1 %", more * 100 <= first.open_files);
    report.row("soak: open files, the same", crowd, &found, &target);
    let found = format!("{} and {} at the median", last.attached, last.legs);
    report.row("soak: terminals and legs", crowd, &found, &Target::none());
    let found = format!("0 of {} bytes", stayed.bytes);
    let what = "soak: bytes lost or doubled over reconnects";
    report.row(what, stayed.returns, &found, &Target::met_if("0", true));
}

/// Everybody has left and every shell has ended: nothing may be there any more.
async fn gone(running: &Running, crowd: usize, report: &mut Report) {
    let left = async || {
        let terminals = running.metric("carrel_terminal_attachments").await;
        let unattended = running.metric("carrel_terminal_unattended").await;
        [terminals, unattended, running.shells.streams() as f64]
    };
    let all_gone = async {
        while left().await.iter().any(|it| *it > 0.0) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let is_gone = timeout(PATIENCE, all_gone).await.is_ok();
    let [terminals, unattended, legs] = left().await;
    let found = format!("{terminals}, {unattended}, {legs}");
    let what = "soak: terminals, unattended shells, legs left behind";
    report.row(what, crowd, &found, &Target::met_if("0", is_gone));
}
