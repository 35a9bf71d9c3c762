//! The settings every process shares.

use std::io::IsTerminal;

/// Selects the shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, fields flat.
    Json,
    /// For people.
    Text,
}

/// Groups the logging settings of a process.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct TelemetryArgs {
    /// What is logged, as tracing directives such as `info,carrel_api=debug`.
    #[arg(
        long = "log",
        env = "CARREL_LOG",
        default_value = "info",
        value_name = "DIRECTIVES"
    )]
    pub log: String,

    /// The shape of log lines; by default text on a terminal and JSON elsewhere.
    #[arg(long = "log-format", env = "CARREL_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

impl TelemetryArgs {
    /// Returns the shape that applies: the one asked for, else by where the lines go.
    pub fn format(&self) -> LogFormat {
        self.log_format.unwrap_or_else(|| {
            if std::io::stderr().is_terminal() {
                LogFormat::Text
            } else {
                LogFormat::Json
            }
        })
    }
}
