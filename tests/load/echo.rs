//! How long one typed byte takes to come back.

use std::time::{Duration, Instant};

use system_tests::terminal::Terminal;
use system_tests::{Candidate, TestSystem};

use crate::direct::DirectTerminal;
use crate::figures::{Figures, ratio};

const BYTES: usize = 300;
/// Bytes before, which are not counted.
const WARM_UP: usize = 20;
/// Between two bytes, so that one byte's acknowledgements are over before the next is typed.
const PAUSE: Duration = Duration::from_millis(10);
/// Every byte comes back once, written by a program and not by the line discipline.
const RAW: &str = "stty -echo raw; echo raw-$((6*7)); exec cat\r";
const BEGUN: &str = "raw-42";

/// Types into one session through the gateway and into the other past it, byte by byte in turn:
/// whatever else the machine does meets both.
pub(crate) async fn measure(
    system: &TestSystem,
    through_gateway: &Candidate,
    past_it: &Candidate,
) -> (Figures, Figures) {
    let mut gateway = system.attach(through_gateway).await;
    let mut direct = DirectTerminal::attach(system, past_it).await;
    gateway.type_text(RAW).await;
    gateway.expect(BEGUN).await;
    direct.type_text(RAW).await;
    direct.expect(BEGUN).await;
    let (mut of_gateway, mut of_direct) = (Vec::new(), Vec::new());
    for byte in ('a'..='z').map(String::from).cycle().take(WARM_UP + BYTES) {
        gateway.read_for(PAUSE).await;
        of_gateway.push(echo_of_gateway(&mut gateway, &byte).await);
        gateway.read_for(PAUSE).await;
        of_direct.push(echo_of_direct(&mut direct, &byte).await);
    }
    let counted = |times: Vec<Duration>| Figures::of(times[WARM_UP..].to_vec());
    (counted(of_gateway), counted(of_direct))
}

async fn echo_of_gateway(terminal: &mut Terminal, byte: &str) -> Duration {
    let begun = Instant::now();
    terminal.type_text(byte).await;
    terminal.expect(byte).await;
    begun.elapsed()
}

async fn echo_of_direct(terminal: &mut DirectTerminal, byte: &str) -> Duration {
    let begun = Instant::now();
    terminal.type_text(byte).await;
    terminal.expect(byte).await;
    begun.elapsed()
}

pub(crate) fn ratios(gateway: &Figures, direct: &Figures) -> String {
    let of = |percent, name| {
        ratio(
            gateway.percentile(percent),
            direct.percentile(percent),
            name,
        )
    };
    format!("{}, {}", of(50, "p50"), of(99, "p99"))
}
