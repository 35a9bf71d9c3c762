//! The settings of the process.

use std::net::SocketAddr;

use clap::Parser;
use command_line::{DatabaseArgs, DirectDatabaseArgs};
use environment_access::{PageOrigin, TokenArgs};
use execution_environment::RuntimeArgs;
use telemetry::TelemetryArgs;

use crate::spool::RecordingArgs;

/// Serves terminals: authorises each attach and streams between browser and environment.
#[derive(Debug, Parser)]
#[command(name = "carrel-terminal", version, about)]
pub struct GatewayArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    #[command(flatten)]
    pub(crate) direct: DirectDatabaseArgs,

    #[command(flatten)]
    pub(crate) tokens: TokenArgs,

    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,

    #[command(flatten)]
    pub(crate) recording: RecordingArgs,

    /// Logging.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,

    /// Where terminals are reached.
    #[arg(
        long,
        env = "CARREL_TERMINAL_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: SocketAddr,

    /// Where metrics and probes answer; never reachable by candidates.
    #[arg(
        long,
        env = "CARREL_TERMINAL_ADMIN_LISTEN",
        default_value = "127.0.0.1:9081",
        value_name = "ADDRESS"
    )]
    pub(crate) admin_listen: SocketAddr,

    /// Origins whose pages may attach, with commas between.
    #[arg(
        long = "page-origin",
        env = "CARREL_PAGE_ORIGINS",
        default_value = "http://127.0.0.1:8080",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub(crate) page_origins: Vec<PageOrigin>,

    /// Terminals this process serves at most.
    #[arg(
        long,
        env = "CARREL_TERMINAL_MAX",
        default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(1..=4000)
    )]
    pub(crate) max_terminals: u32,

    /// Threads that serve terminals; by default one for each processor.
    #[arg(
        long,
        env = "CARREL_TERMINAL_WORKERS",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub(crate) workers: Option<u16>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        GatewayArgs::command().debug_assert();
    }

    #[test]
    fn origins_come_as_a_list_and_wrong_ones_are_refused() {
        let parse = |origins| {
            GatewayArgs::try_parse_from(["carrel-terminal", "--page-origin", origins])
                .map(|args| args.page_origins.len())
        };
        assert_eq!(
            parse("http://127.0.0.1:8080,https://exam.example").unwrap(),
            2
        );
        assert!(parse("exam.example").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn a_signing_key_without_a_spool_is_refused() {
        let parse = |more: &[&str]| {
            let words = ["carrel-terminal", "--recording-signing-key-file", "/key"];
            GatewayArgs::try_parse_from([&words, more].concat())
        };
        let refused = parse(&[]).unwrap_err().to_string();
        assert!(refused.contains("--recording-spool"), "{refused}");
        assert!(parse(&["--recording-spool", "/spool"]).is_ok());
    }
}
