//! What the program says, as it finds it: a table of times, and below it what does not fit in there.
#![expect(
    clippy::print_stdout,
    reason = "the tables are what this program is for"
)]

use crate::figures::Figures;

/// The table of times comes first.
pub(crate) struct Report {
    load_before: String,
    is_begun: bool,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            load_before: load_average(),
            is_begun: false,
        }
    }

    pub(crate) fn row(&mut self, name: &str, figures: &Figures, ratio: &str) {
        if !self.is_begun {
            println!("| Measured | n | p50 | p95 | p99 | max | Ratio |");
            println!("|---|---|---|---|---|---|---|");
            self.is_begun = true;
        }
        println!("{}", figures.row(name, ratio));
    }

    /// Adds lines of a table of their own, after which no more rows come.
    pub(crate) fn below(&mut self, lines: impl IntoIterator<Item = String>) {
        println!();
        for line in lines {
            println!("{line}");
        }
        self.is_begun = false;
    }

    pub(crate) fn end(self) {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "\n{processors} processors; load average {} before, {} after.",
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
