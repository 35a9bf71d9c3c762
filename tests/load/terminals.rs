//! How long one typed byte takes to come back, and how long much output takes to arrive.

use std::time::{Duration, Instant};

use system_tests::{TestSystem, exams};

use crate::exam::PATIENCE;
use crate::figures::{Figures, ratio};
use crate::lines::{self, Line, Named};
use crate::report::Report;
use crate::starts;

const BYTES: usize = 300;
/// Bytes before, which are not counted.
const WARM_UP: usize = 20;
/// Between two bytes, so that one byte's acknowledgements are over before the next is typed.
const PAUSE: Duration = Duration::from_millis(10);
/// Every byte comes back once, written by a program and not by the line discipline.
const RAW: &str = "stty -echo raw; echo raw-$((6*7)); exec cat\r";
const BEGUN: &str = "raw-42";

const BULK_MIB: usize = 64;
const BULK: usize = BULK_MIB * 1024 * 1024;
/// Seen to differ little.
const BULKS: usize = 5;

/// Measures every way to a shell in one run: whatever else the machine does meets all of them.
pub(crate) async fn measure(system: &TestSystem, report: &mut Report) {
    let mut candidates = Vec::new();
    for number in 0..lines::count(&system.runtime) {
        let user = format!("typist-{number}");
        candidates.push(system.candidate(&user, exams::SAMPLE).await);
    }
    for candidate in &candidates {
        system.await_state(candidate, "ready", PATIENCE).await;
    }
    let mut lines = lines::open(system, &candidates).await;
    let bulks = measure_bulk(&mut lines).await;
    let echoes = measure_echo(&mut lines).await;
    tell(report, "echo of one byte", &lines, &echoes, &[50, 99]);
    let name = format!("{BULK_MIB} MiB of output");
    tell(report, &name, &lines, &bulks, &[50]);
    drop(lines);
    starts::end(system, &candidates).await;
}

/// The gateway's row says how it stands to each other way, by so many figures.
fn tell(report: &mut Report, what: &str, lines: &[Named], figures: &[Figures], by: &[usize]) {
    let gateway = &figures[0];
    let stands = |(named, its): (&Named, &Figures)| {
        let ratios = by.iter().map(|percent| {
            let (of, beside) = (gateway.percentile(*percent), its.percentile(*percent));
            ratio(of, beside, &format!("p{percent}"))
        });
        format!(
            "to {}: {}",
            named.name,
            ratios.collect::<Vec<_>>().join(", ")
        )
    };
    let ways = lines.iter().zip(figures);
    let mut ratios = ways
        .clone()
        .skip(1)
        .map(stands)
        .collect::<Vec<_>>()
        .join("; ");
    for (named, its) in ways {
        let name = format!("{what} by {}", named.name);
        report.row(&name, its, &std::mem::take(&mut ratios));
    }
}

/// Types byte by byte, in turn.
async fn measure_echo(lines: &mut [Named]) -> Vec<Figures> {
    for named in &mut *lines {
        named.line.type_text(RAW).await;
        named.line.expect(BEGUN).await;
    }
    let mut times = vec![Vec::new(); lines.len()];
    for byte in ('a'..='z').map(String::from).cycle().take(WARM_UP + BYTES) {
        for (number, times) in times.iter_mut().enumerate() {
            lines[0].line.rest(PAUSE).await;
            times.push(echo(&mut *lines[number].line, &byte).await);
        }
    }
    let counted = |times: Vec<Duration>| Figures::of(times[WARM_UP..].to_vec());
    times.into_iter().map(counted).collect()
}

async fn echo(line: &mut dyn Line, byte: &str) -> Duration {
    let begun = Instant::now();
    line.type_text(byte).await;
    line.expect(byte).await;
    begun.elapsed()
}

/// Has output printed as fast as it is taken, in turn; the first round is not counted.
async fn measure_bulk(lines: &mut [Named]) -> Vec<Figures> {
    let mut times = vec![Vec::new(); lines.len()];
    for round in 0..=BULKS {
        for (named, times) in lines.iter_mut().zip(&mut times) {
            let time = bulk(&mut *named.line).await;
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.into_iter().map(Figures::of).collect()
}

/// The time from the first byte's announcement to the last byte.
async fn bulk(line: &mut dyn Line) -> Duration {
    let print = format!("head -c {BULK} /dev/zero | tr '\\0' x");
    line.type_text(&format!(
        "stty -echo raw; echo raw-$((6*7)); {print}; stty sane; echo all-$((6*7))\r"
    ))
    .await;
    line.expect(BEGUN).await;
    let begun = Instant::now();
    line.pass_by(BULK).await;
    let time = begun.elapsed();
    line.expect("all-42").await;
    time
}
