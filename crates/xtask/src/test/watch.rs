//! One runner: what it prints is shown and counted, and it ends when we are asked to.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::times::Times;
use super::totals::{Runner, Totals};
use crate::process_group;
use crate::shell;
use crate::stop::{Stop, Waited};

/// Time for a runner's tests to end once asked.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Longer than any run.
const DAY: Duration = Duration::from_hours(24);

/// Runs a runner, shows what it prints, counts along and notes how long its suites take.
pub(super) fn watch(
    runner: Runner,
    command: &mut Command,
    stop: &Stop,
    times: &mut Times,
) -> Result<Totals> {
    let mut totals = Totals::default();
    if stop.is_asked() {
        return Ok(totals);
    }
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // With all that its tests start, so that they end together.
        .process_group(0)
        .spawn()?;
    let output = child
        .stdout
        .take()
        .context("the runner's output was piped")?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ender = scope.spawn(|| end_when_asked(&child, stop, &ended));
        let read = count(runner, output, &mut totals, times);
        ended.store(true, Ordering::Release);
        ender.join().ok();
        read
    })?;
    if !child.wait()?.success() {
        totals.mark_failed();
    }
    match runner {
        // Its suites say it themselves.
        Runner::Cargo => {}
        Runner::Vitest => times.note("the page", begun.elapsed()),
        Runner::Go => times.note("the cluster's enforcer of policies", begun.elapsed()),
    }
    Ok(totals)
}

/// Asks the runner to end when we are asked to, and sees to it that it does.
fn end_when_asked(child: &Child, stop: &Stop, ended: &AtomicBool) {
    let over = || Ok(ended.load(Ordering::Acquire));
    if !matches!(stop.wait_until(DAY, over), Ok(Waited::Stopped)) {
        return;
    }
    process_group::ask_to_end(child);
    let begun = Instant::now();
    while !ended.load(Ordering::Acquire) && begun.elapsed() < STOP_LIMIT {
        std::thread::sleep(Duration::from_millis(50));
    }
    process_group::kill(child);
}

fn count(runner: Runner, output: impl Read, totals: &mut Totals, times: &mut Times) -> Result<()> {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    // Tests may print what is no text, so lines are read as bytes.
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        shell::say(text.trim_end_matches('\n'));
        totals.read_line(runner, &text);
        if runner == Runner::Cargo {
            times.read_line(&text);
        }
        line.clear();
    }
    Ok(())
}
