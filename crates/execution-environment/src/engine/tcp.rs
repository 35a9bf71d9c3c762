//! An engine over TCP, on sockets of our own: what is typed leaves at once.

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long one request may take, in seconds, as over a socket of the file system; every call has a
/// shorter limit of its own.
const REQUEST_SECONDS: u64 = 120;

/// Makes a client of the engine at `host:port`. Nothing is contacted yet.
///
/// bollard's own would keep a keystroke until what went before it is confirmed, up to 40 ms.
pub(super) fn connect(address: &str) -> Result<Docker, Error> {
    let mut sockets = Client::builder(TokioExecutor::new());
    sockets.pool_max_idle_per_host(0);
    let client = sockets.build(connector());
    let transport = move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(Error::from) }
    };
    let address = format!("http://{address}");
    Docker::connect_with_custom_transport(
        transport,
        Some(address),
        REQUEST_SECONDS,
        API_DEFAULT_VERSION,
    )
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tower::Service as _;

    use super::*;

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
        let answer = connect(&address.to_string()).unwrap().ping().await;
        assert_eq!(answer.unwrap(), "OK");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /"), "{asked}");
        assert!(asked.to_lowercase().contains(&format!("host: {address}")));
    }
}
