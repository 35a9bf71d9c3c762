//! The admin port over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use telemetry::metrics::Metric;
use telemetry::{AdminServer, MetricsHandle, Readiness};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

struct Running {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    start_at([127, 0, 0, 1]).await
}

async fn start_at(host: [u8; 4]) -> Running {
    let server = AdminServer::bind((host, 0).into())
        .await
        .expect("a free port");
    let server = server
        .before_scrape(|| Box::pin(async { Metric::Environments.set(7.0, &[("state", "up")]) }));
    let address = server.address();
    let ready = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&ready);
    let readiness = move || -> telemetry::BoxFuture<Readiness> {
        let answer = if seen.load(Ordering::SeqCst) {
            Readiness::Ready
        } else {
            Readiness::NotReady {
                reason: "no database".to_owned(),
            }
        };
        Box::pin(async { answer })
    };
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let metrics = MetricsHandle::install().expect("one recorder");
    let served = tokio::spawn(server.run(metrics, readiness, stopped));
    Running {
        address,
        ready,
        stop,
        served,
    }
}

async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("the answer is text");
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

#[tokio::test]
async fn a_scrape_refreshes_gauges_first_and_a_probe_tells_the_truth() {
    let server = start().await;
    let metrics = get(server.address, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(
        metrics.contains(r#"carrel_environments{state="up"} 7"#),
        "{metrics}"
    );
    assert!(
        get(server.address, "/livez")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        get(server.address, "/readyz")
            .await
            .starts_with("HTTP/1.1 200")
    );
    server.ready.store(false, Ordering::SeqCst);
    let readyz = get(server.address, "/readyz").await;
    assert!(
        readyz.starts_with("HTTP/1.1 503") && readyz.contains("no database"),
        "{readyz}"
    );
    assert!(
        get(server.address, "/livez")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn other_paths_methods_and_garbage_are_turned_away_and_the_port_lives_on() {
    let server = start().await;
    assert!(get(server.address, "/").await.starts_with("HTTP/1.1 404"));
    let posted = send(server.address, "POST /metrics HTTP/1.1\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    let head = send(server.address, "HEAD /livez HTTP/1.1\r\n\r\n").await;
    assert!(
        head.contains("content-length: 5") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(send(server.address, "nonsense\r\n\r\n").await, "");
    assert!(
        get(server.address, "/livez")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_stopped_server_gives_its_port_back() {
    // On an address of its own, where no neighbouring test can take the port meanwhile.
    let server = start_at([127, 0, 0, 9]).await;
    server.stop.send(()).unwrap();
    server.served.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = start().await;
    let error = AdminServer::bind(server.address).await.expect_err("in use");
    assert!(
        error.to_string().contains(&server.address.to_string()),
        "{error}"
    );
}
