//! The client of terminal streams: authenticated by kube, on sockets of its own.

use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use tower::{BoxError, ServiceBuilder};

use super::super::KubernetesConfigError;

/// A keystroke leaves at once, and a server that vanished is noticed within a minute: probes when
/// nothing is under way, the limit when something is not confirmed. A server that lives but takes
/// nothing for a minute is cut off by the limit too; the keeper always takes.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;
const UNCONFIRMED_AT_MOST: Duration = Duration::from_mins(1);

/// Makes a client whose every request has a connection of its own, by HTTP/1.1.
///
/// kube's own client would delay keystrokes for the confirmation of what went before, and repeat
/// an exec whose answer says that the server is busy: two attaches of one epoch. Nothing is
/// contacted yet.
pub(in super::super) fn client(
    config: &kube::Config,
) -> Result<kube::Client, KubernetesConfigError> {
    build(config).map_err(|source| {
        let source = Box::new(source);
        KubernetesConfigError::Client { source }
    })
}

fn build(config: &kube::Config) -> Result<kube::Client, kube::Error> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_keepalive(Some(PROBE_AFTER));
    connector.set_keepalive_interval(Some(PROBE_EVERY));
    connector.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNCONFIRMED_AT_MOST));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let mut sockets = Client::builder(TokioExecutor::new());
    sockets.pool_max_idle_per_host(0);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(sockets.build::<_, Body>(connector));
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}
