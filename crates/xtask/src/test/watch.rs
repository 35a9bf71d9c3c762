//! One runner: what it prints is shown and counted, and it ends when we are asked to.

use std::io::{BufRead as _, BufReader, PipeReader, pipe};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::output::{Output, Shown};
use super::times::Times;
use super::totals::{Runner, Totals};
use crate::process_group;
use crate::shell;
use crate::stop::Stop;

/// Time for a runner's tests, or what they left, to end once asked.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Longer than any run.
const DAY: Duration = Duration::from_hours(24);

/// What runners counted, and how long their suites took.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Tests.
    pub(super) totals: Totals,
    /// Seconds.
    pub(super) times: Times,
}

impl Results {
    /// Adds another runner's.
    pub(super) fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        self.times.add(&other.times);
    }

    /// Prints why a runner could not be started or heard to its end, and counts that as a failure.
    pub(super) fn note_failure(&mut self, error: &anyhow::Error) {
        shell::print_failure(error);
        self.totals.mark_failed();
    }
}

/// Runs a runner, shows what it prints, counts along and notes how long its suites take. One that cannot
/// be started has failed.
pub(super) fn watch(runner: Runner, command: Command, stop: &Stop, shown: Shown<'_>) -> Results {
    let mut results = Results::default();
    if !stop.is_asked()
        && let Err(error) = run(runner, command, stop, shown, &mut results)
    {
        results.note_failure(&error);
    }
    results
}

fn run(
    runner: Runner,
    command: Command,
    stop: &Stop,
    shown: Shown<'_>,
    results: &mut Results,
) -> Result<()> {
    let begun = Instant::now();
    let (mut child, printed) = start(command, shown)?;
    let mut output = Output::of(runner, shown);
    let read_to_end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ender = scope.spawn(|| end_when_asked(&child, stop, &read_to_end));
        let read = count(runner, printed, &mut output, results);
        read_to_end.store(true, Ordering::Release);
        ender.join().ok();
        read
    })?;
    if !child.wait()?.success() {
        results.totals.mark_failed();
    }
    // Cargo's suites say it themselves.
    if runner != Runner::Cargo {
        results.times.note(output.suite(), begun.elapsed());
    }
    Ok(())
}

/// Starts a runner, and hands out what it prints. What it says on its standard error, Cargo the names
/// of its suites, is kept in its place where lines are kept at all.
fn start(mut command: Command, shown: Shown<'_>) -> Result<(Child, PipeReader)> {
    let (printed, into) = pipe()?;
    if let Shown::BySuite(_) = shown {
        command.stderr(into.try_clone()?);
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(into)
        // With all that its tests start, so that they end together.
        .process_group(0)
        .spawn()?;
    // The command, which ends here, holds the other end of the pipe too.
    Ok((child, printed))
}

/// Asks the runner to end when we are asked to, and sees to it that it does. Once it has ended, what its
/// tests left goes too: whoever inherited the pipe keeps it open.
fn end_when_asked(child: &Child, stop: &Stop, read_to_end: &AtomicBool) {
    let is_read = || read_to_end.load(Ordering::Acquire);
    let over = || Ok(is_read() || process_group::has_ended(child));
    if stop.wait_until(DAY, over).is_err() || is_read() {
        return;
    }
    process_group::ask_to_end(child);
    let begun = Instant::now();
    while !is_read() && begun.elapsed() < STOP_LIMIT {
        std::thread::sleep(Duration::from_millis(50));
    }
    process_group::kill(child);
}

fn count(
    runner: Runner,
    printed: PipeReader,
    output: &mut Output<'_>,
    results: &mut Results,
) -> Result<()> {
    let mut reader = BufReader::new(printed);
    let mut line = Vec::new();
    // Tests may print what is no text, so lines are read as bytes.
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        output.take(&text).iter().for_each(|it| shell::say(it));
        results.totals.read_line(runner, &text);
        if runner == Runner::Cargo {
            results.times.read_line(output.suite(), &text);
        }
        line.clear();
    }
    output.rest().iter().for_each(|it| shell::say(it));
    Ok(())
}
