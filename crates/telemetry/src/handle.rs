//! The process's metrics, as text for a scrape.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::metrics::{COUNTS, Metric, MetricKind, SECONDS};

/// Recorded values wait in memory until they are folded into their histograms; often enough that a
/// process nobody scrapes does not grow.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static INSTALLED: Mutex<Option<MetricsHandle>> = Mutex::new(None);

/// Reports why the process's metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The bounds of a histogram are not acceptable.
    #[error("build the metrics recorder")]
    Build(#[from] BuildError),
    /// Somebody else installed a recorder first.
    #[error("install the metrics recorder: another one is already in place")]
    AlreadyInstalled,
    /// The upkeep thread could not be started.
    #[error("start the metrics upkeep thread")]
    Upkeep(#[source] std::io::Error),
}

/// Renders the metrics of this process. Cheap to clone; every clone shows the same registry.
#[derive(Debug, Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
}

impl MetricsHandle {
    /// Installs the process-wide recorder, describes every [`Metric`] and returns the handle.
    ///
    /// Later calls return the same handle, so several servers in one test process share a registry.
    pub fn install() -> Result<Self, MetricsError> {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = installed.as_ref() {
            return Ok(handle.clone());
        }
        let recorder = recorder()?;
        let handle = Self {
            prometheus: recorder.handle(),
        };
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::AlreadyInstalled)?;
        crate::metrics::describe();
        handle.start_upkeep()?;
        *installed = Some(handle.clone());
        Ok(handle)
    }

    /// Returns the present values in the Prometheus text format.
    pub fn render(&self) -> String {
        self.prometheus.render()
    }

    fn start_upkeep(&self) -> Result<(), MetricsError> {
        let prometheus = self.prometheus.clone();
        let upkeep = move || {
            loop {
                std::thread::sleep(UPKEEP_EVERY);
                prometheus.run_upkeep();
            }
        };
        let thread = std::thread::Builder::new().name("metrics-upkeep".to_owned());
        thread.spawn(upkeep).map(drop).map_err(MetricsError::Upkeep)
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in Metric::ALL
        .iter()
        .filter(|metric| metric.kind() == MetricKind::Histogram)
    {
        let bounds = if metric.unit() == Unit::Seconds {
            SECONDS
        } else {
            COUNTS
        };
        let name = Matcher::Full(metric.name().to_owned());
        builder = builder.set_buckets_for_metric(name, bounds)?;
    }
    Ok(builder.build_recorder())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_values_are_rendered_with_help_labels_and_buckets() {
        let handle = MetricsHandle::install().unwrap();
        let labels = [("method", "GET"), ("route", "/livez"), ("status", "200")];
        Metric::HttpRequests.increment(2, &labels);
        Metric::HttpRequestSeconds.observe(Duration::from_millis(3), &[("route", "/livez")]);
        let text = handle.render();
        assert!(
            text.contains("# TYPE carrel_http_requests_total counter"),
            "{text}"
        );
        assert!(
            text.contains("# HELP carrel_http_requests_total "),
            "{text}"
        );
        assert!(text.contains(r#"status="200""#), "{text}");
        assert!(
            text.contains(r#"carrel_http_request_seconds_bucket{route="/livez",le="0.005"} 1"#)
        );
        assert!(
            text.contains(r#"carrel_http_request_seconds_bucket{route="/livez",le="0.002"} 0"#)
        );
    }

    #[test]
    fn a_second_installation_shares_the_first_registry() {
        let (first, second) = (
            MetricsHandle::install().unwrap(),
            MetricsHandle::install().unwrap(),
        );
        Metric::Sessions.set(41.0, &[("state", "shared")]);
        assert!(
            first
                .render()
                .contains(r#"carrel_sessions{state="shared"} 41"#)
        );
        assert!(
            second
                .render()
                .contains(r#"carrel_sessions{state="shared"} 41"#)
        );
    }
}
