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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers everything with one status, and how often it was asked.
    async fn server(status: u16) -> (kube::Config, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status} Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
                );
                let mut request = [0; 4096];
                assert!(socket.read(&mut request).await.unwrap() > 0);
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (kube::Config::new(url.parse().unwrap()), asked)
    }

    #[tokio::test]
    async fn a_server_that_is_busy_is_asked_once() {
        // Another test of this process may have been first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        for status in [429, 503, 504] {
            let (config, asked) = server(status).await;
            let request = http::Request::get("/api/v1/namespaces/x/pods/y/exec");
            let request = request.body(Body::empty()).unwrap();
            let answer = client(&config).unwrap().send(request).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(asked.load(Ordering::SeqCst), 1, "after {status}");
        }
    }
}
