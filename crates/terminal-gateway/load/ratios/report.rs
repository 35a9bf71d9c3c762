//! One table: what was measured, beside what, and whether the target was met.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::time::Duration;

/// What the program says, as it finds it.
pub(crate) struct Report {
    load_before: String,
    missed: usize,
}

/// A target and whether it was met, if that is known; without one it is only told.
pub(crate) struct Target {
    text: &'static str,
    is_met: Option<bool>,
}

impl Target {
    pub(crate) const fn none() -> Self {
        Self::unmeasured("")
    }

    /// One that nothing was measured against.
    pub(crate) const fn unmeasured(text: &'static str) -> Self {
        Self { text, is_met: None }
    }

    pub(crate) const fn met_if(text: &'static str, is_met: bool) -> Self {
        Self {
            text,
            is_met: Some(is_met),
        }
    }
}

impl Report {
    pub(crate) fn new() -> Self {
        println!("| Measured | n | Found | Target | Met |");
        println!("|---|---|---|---|---|");
        Self {
            load_before: load_average(),
            missed: 0,
        }
    }

    pub(crate) fn row(&mut self, what: &str, count: usize, found: &str, target: &Target) {
        let met = match target.is_met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        self.missed += usize::from(target.is_met == Some(false));
        println!("| {what} | {count} | {found} | {} | {met} |", target.text);
    }

    pub(crate) fn end(self) {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "\n{} targets missed; {processors} processors; load average {} before, {} after.",
            self.missed,
            self.load_before,
            load_average()
        );
    }
}

/// The load of the last minute: others may share the machine.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// At least one time, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The nearest rank, so that every figure was seen.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.max(1) - 1]
    }

    /// Half of them and nearly all.
    pub(crate) fn text(&self) -> String {
        let figures = [50, 99].map(|percent| {
            let millis = self.percentile(percent).as_secs_f64() * 1000.0;
            format!("p{percent} {millis:.3} ms")
        });
        figures.join(", ")
    }

    /// How many times the other's figure this one's is.
    pub(crate) fn ratio(&self, beside: &Self, percent: usize) -> f64 {
        self.percentile(percent).as_secs_f64() / beside.percentile(percent).as_secs_f64()
    }
}
