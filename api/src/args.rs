//! The settings of the process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use command_line::{DatabaseArgs, DirectDatabaseArgs};
use environment_access::{PageOrigin, TokenArgs};
use telemetry::TelemetryArgs;
use url::Url;

/// Where a build of the page lies in a checkout.
pub(crate) const PAGE_IN_CHECKOUT: &str = "frontend/dist";

/// Serves Carrel's API and the candidate's page.
#[derive(Debug, Parser)]
#[command(name = "carrel-api", version, about)]
pub struct ApiArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    #[command(flatten)]
    pub(crate) direct: DirectDatabaseArgs,

    #[command(flatten)]
    pub(crate) tokens: TokenArgs,

    /// Where the API and the page answer.
    #[arg(
        long,
        env = "CARREL_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: SocketAddr,

    /// Where metrics and probes answer; never reachable by candidates.
    #[arg(
        long,
        env = "CARREL_ADMIN_LISTEN",
        default_value = "127.0.0.1:9080",
        value_name = "ADDRESS"
    )]
    pub(crate) admin_listen: SocketAddr,

    /// Folder of the built page; by default frontend/dist where that is built, else no page.
    #[arg(long, env = "CARREL_PAGE_DIR", value_name = "FOLDER")]
    pub(crate) page_dir: Option<PathBuf>,

    /// Origins whose pages may write with the login cookie, with commas between; by default this
    /// process's own address.
    #[arg(
        long = "page-origin",
        env = "CARREL_PAGE_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub(crate) page_origins: Vec<PageOrigin>,

    /// Where browsers reach the terminal process.
    #[arg(
        long,
        env = "CARREL_TERMINAL_URL",
        default_value = "http://127.0.0.1:8081",
        value_name = "URL",
        value_parser = terminal_url
    )]
    pub(crate) terminal_url: Url,

    /// Logging; last, because its heading would be put over whatever follows it.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Accepts an address that browsers can be sent to: http or https, a host, nothing after it.
fn terminal_url(text: &str) -> Result<Url, String> {
    let wanted = "write http://host:port or https://host";
    let url = Url::parse(text).map_err(|error| format!("{error}; {wanted}"))?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && bare {
        Ok(url)
    } else {
        Err(wanted.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        ApiArgs::command().debug_assert();
    }

    #[test]
    fn a_terminal_address_is_an_origin_and_nothing_more() {
        for text in ["http://127.0.0.1:8081", "https://terminal.example/"] {
            assert!(terminal_url(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "terminal",
            "ws://a",
            "http://a/path",
            "http://a?x",
            "http://me@a",
            "file:///x",
        ] {
            assert!(terminal_url(text).is_err(), "{text}");
        }
    }
}
