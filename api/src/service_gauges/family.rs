//! Gauges by label, of which none is forgotten.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use telemetry::metrics::Metric;

/// Remembers the labels of one gauge: what the database no longer tells of reads zero.
#[derive(Debug)]
pub(super) struct Family {
    metric: Metric,
    known: Mutex<BTreeSet<Vec<String>>>,
}

impl Family {
    pub(super) fn new(metric: Metric) -> Self {
        Self {
            metric,
            known: Mutex::default(),
        }
    }

    /// Sets the gauge of each row; the labels are in the metric's order.
    pub(super) fn show<const LABELS: usize>(
        &self,
        rows: impl IntoIterator<Item = ([String; LABELS], f64)>,
    ) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = known.clone();
        for (labels, value) in rows {
            let labels = labels.to_vec();
            gone.remove(&labels);
            self.set(&labels, value);
            known.insert(labels);
        }
        for labels in gone {
            self.set(&labels, 0.0);
        }
    }

    fn set(&self, labels: &[String], value: f64) {
        let names = self.metric.labels().iter().copied();
        let labels: Vec<_> = names.zip(labels.iter().map(String::as_str)).collect();
        self.metric.set(value, &labels);
    }
}

#[cfg(test)]
mod tests {
    use telemetry::MetricsHandle;

    use super::*;

    #[test]
    fn what_is_no_longer_told_of_reads_zero() {
        let scrape = MetricsHandle::install().unwrap();
        let family = Family::new(Metric::JobsWithoutHandler);
        let row = |kind: &str, jobs| (["q".to_owned(), kind.to_owned()], jobs);
        family.show([row("old", 3.0), row("new", 1.0)]);
        family.show([row("new", 2.0)]);
        let text = scrape.render();
        for line in [r#"kind="old"} 0"#, r#"kind="new"} 2"#] {
            let line = format!(r#"carrel_jobs_without_handler{{queue="q",{line}"#);
            assert!(text.contains(&line), "{text}");
        }
    }
}
