//! Times of one measurement and what a table says about them.

use std::time::Duration;

/// At least one time, sorted.
#[derive(Debug)]
pub(crate) struct Figures(Vec<Duration>);

impl Figures {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn of_micros(micros: Vec<i64>) -> Self {
        let times = micros.into_iter().map(|micros| {
            let micros = u64::try_from(micros).expect("time goes forward");
            Duration::from_micros(micros)
        });
        Self::of(times.collect())
    }

    /// The nearest rank, so that every figure was seen.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.max(1) - 1]
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(100)
    }

    /// One line of the table.
    pub(crate) fn row(&self, name: &str, ratio: &str) -> String {
        let figures = [50, 95, 99, 100].map(|percent| text(self.percentile(percent)));
        let count = self.0.len();
        format!("| {name} | {count} | {} | {ratio} |", figures.join(" | "))
    }
}

/// How many times the second the first is, and by which figure.
pub(crate) fn ratio(of: Duration, beside: Duration, figure: &str) -> String {
    let ratio = of.as_secs_f64() / beside.as_secs_f64();
    format!("{ratio:.2} ({figure})")
}

/// A time as people read it.
pub(crate) fn text(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.2} ms", time.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}
