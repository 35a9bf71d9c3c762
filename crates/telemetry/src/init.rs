//! Turns logging and metrics on, once, at the start of a process.

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::{LogFormat, MetricsError, MetricsHandle, TelemetryArgs};

/// Logs every failed request as an error, which its caller classifies, tries again and reports once.
/// A directive of the same target overrides it.
const QUIETED: &str = "kube_client::client::builder=off";

/// Reports why telemetry could not be turned on.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The log directives do not parse.
    #[error("read the log directives {directives:?} (--log, CARREL_LOG)")]
    Directives {
        /// What was given.
        directives: String,
        /// Where it stops making sense.
        #[source]
        source: ParseError,
    },
    /// Another subscriber is already installed in this process.
    #[error("install the log subscriber")]
    Subscriber(#[source] TryInitError),
    /// Another metrics recorder is already installed in this process.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// Installs the log subscriber and the metrics recorder of this process.
///
/// Log lines go to stderr: stdout belongs to documents. Call it once, first thing; a second call
/// is refused, since the first one's settings are in force.
pub fn init(args: &TelemetryArgs, process: &'static str) -> Result<MetricsHandle, InitError> {
    let filter = EnvFilter::try_new(format!("{QUIETED},{}", args.log)).map_err(|source| {
        InitError::Directives {
            directives: args.log.clone(),
            source,
        }
    })?;
    let lines = match args.format() {
        LogFormat::Json => json_lines().boxed(),
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(InitError::Subscriber)?;
    let handle = MetricsHandle::install()?;
    tracing::info!(process, pid = std::process::id(), "telemetry started");
    Ok(handle)
}

fn json_lines<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn directives_that_do_not_parse_are_refused_by_their_setting() {
        let args = TelemetryArgs {
            log: "carrel_api=loud".into(),
            log_format: None,
        };
        let error = init(&args, "test").expect_err("loud is no level");
        assert!(error.to_string().contains("CARREL_LOG"), "{error}");
        assert!(error.source().is_some());
    }
}
