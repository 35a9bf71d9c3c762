//! Where an engine answers, and the sockets to it.

use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long one request may take, in seconds; every call has a shorter limit of its own.
const REQUEST_SECONDS: u64 = 120;
/// A host that vanished is noticed within a minute: probes when nothing is under way, the limit
/// when something is not confirmed.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;
const UNCONFIRMED_AT_MOST: Duration = Duration::from_mins(1);

/// Tells the two places an engine listens at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EngineAddress {
    /// A socket of the file system.
    File(PathBuf),
    /// `host:port`, without a proof of who that is: for engines on the same machine or network.
    Host(String),
}

impl EngineAddress {
    /// Reads `unix://…`, `tcp://…` or `http://…`.
    pub(super) fn parse(docker_host: &str) -> Result<Self, Error> {
        let host = |scheme| docker_host.strip_prefix(scheme);
        if let Some(path) = host("unix://") {
            return Ok(Self::File(path.into()));
        }
        match host("tcp://").or_else(|| host("http://")) {
            Some(host) => Ok(Self::Host(host.trim_end_matches('/').to_owned())),
            None => Err(Error::UnsupportedURISchemeError {
                uri: docker_host.to_owned(),
            }),
        }
    }

    /// Makes a client for what is asked and answered. Nothing is contacted yet.
    pub(super) fn client(&self) -> Result<Docker, Error> {
        match self {
            Self::File(path) => Docker::connect_with_unix(
                &format!("unix://{}", path.display()),
                REQUEST_SECONDS,
                API_DEFAULT_VERSION,
            ),
            Self::Host(host) => client_of(host),
        }
    }
}

/// bollard's own would keep what is written until what went before it is confirmed, up to 40 ms.
fn client_of(host: &str) -> Result<Docker, Error> {
    let mut sockets = Client::builder(TokioExecutor::new());
    sockets.pool_max_idle_per_host(0);
    let client = sockets.build(connector());
    let transport = move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(Error::from) }
    };
    let address = format!("http://{host}");
    Docker::connect_with_custom_transport(
        transport,
        Some(address),
        REQUEST_SECONDS,
        API_DEFAULT_VERSION,
    )
}

/// Makes sockets on which a keystroke leaves at once.
pub(super) fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(PROBE_AFTER));
    connector.set_keepalive_interval(Some(PROBE_EVERY));
    connector.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNCONFIRMED_AT_MOST));
    connector
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tower::Service as _;

    use super::*;

    #[test]
    fn what_is_no_engines_address_is_refused() {
        for address in ["", "engine:2375", "ssh://engine", "https://engine:2376"] {
            let refused = EngineAddress::parse(address).unwrap_err();
            assert!(refused.to_string().contains(address), "{refused}");
        }
        let host = EngineAddress::Host("engine:2375".to_owned());
        for address in ["tcp://engine:2375", "http://engine:2375/"] {
            assert_eq!(EngineAddress::parse(address).unwrap(), host);
        }
    }

    #[tokio::test]
    async fn a_socket_to_an_engine_keeps_nothing_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let socket = connector().call(url.parse().unwrap()).await.unwrap();
        assert!(socket.inner().nodelay().unwrap());
    }

    #[tokio::test]
    async fn an_engine_over_tcp_is_asked_what_it_is_asked_over_a_file() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let count = socket.read(&mut request).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";
            socket.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let engine = EngineAddress::Host(address.to_string());
        assert_eq!(engine.client().unwrap().ping().await.unwrap(), "OK");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /"), "{asked}");
        assert!(asked.to_lowercase().contains(&format!("host: {address}")));
    }
}
