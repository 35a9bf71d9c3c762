//! The API server of a cluster, as an exec knows it: perhaps TLS, an upgrade, and the channel protocol,
//! with a played shell behind it. Gateway and kube's own client meet the same one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::keeper::{Shells, Stream};

pub(crate) const NAMESPACE: &str = "exams";

const AUTHORITY: &[u8] = include_bytes!("../../../environment-access/tests/keys/authority.pem");
/// For 127.0.0.1 and no other name.
const CERTIFICATE: &[u8] = include_bytes!("../../../environment-access/tests/keys/issuer.pem");
const PRIVATE: &[u8] = include_bytes!("../../../environment-access/tests/keys/issuer.private.pem");

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
/// The message ends the channel that its second byte names; only standard input is ever ended.
const END: u8 = 255;
/// The longest message that an API server makes of what a command printed.
const MESSAGE: usize = 32 * 1024;

/// An API server that listens, and what says how to reach it.
#[derive(Debug)]
pub(crate) struct Pods {
    folder: TempDir,
}

impl Pods {
    pub(crate) async fn listen(shells: &Shells, by_tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shells = shells.clone();
        let acceptor = by_tls.then(acceptor);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(accept(shells.clone(), acceptor.clone(), socket));
            }
        });
        let pods = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        pods.write_kubeconfig(address, by_tls);
        pods
    }

    /// A kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn write_kubeconfig(&self, address: SocketAddr, by_tls: bool) {
        let authority = self.folder.path().join("authority.pem");
        std::fs::write(&authority, AUTHORITY).unwrap();
        let scheme = if by_tls { "https" } else { "http" };
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "played",
            "clusters": [{"name": "played", "cluster": {
                "server": format!("{scheme}://{address}"), "certificate-authority": authority,
            }}],
            "users": [{"name": "gateway", "user": {"token": "played"}}],
            "contexts": [{"name": "played", "context": {"cluster": "played", "user": "gateway"}}],
        });
        std::fs::write(self.kubeconfig(), kubeconfig.to_string()).unwrap();
    }
}

fn acceptor() -> TlsAcceptor {
    let settings = ServerConfig::builder().with_no_client_auth();
    let settings = settings.with_single_cert(
        vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
        PrivateKeyDer::from_pem_slice(PRIVATE).unwrap(),
    );
    TlsAcceptor::from(Arc::new(settings.unwrap()))
}

async fn accept(shells: Shells, acceptor: Option<TlsAcceptor>, socket: TcpStream) {
    socket.set_nodelay(true).unwrap();
    // What breaks off was left by its client, which says why.
    match acceptor {
        None => serve(&shells, socket).await.ok(),
        Some(acceptor) => match acceptor.accept(socket).await {
            Ok(socket) => serve(&shells, socket).await.ok(),
            Err(_) => None,
        },
    };
}

async fn serve<S>(shells: &Shells, socket: S) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut pod = String::new();
    let upgrade = |request: &Request, response: Response| choose(request, response, &mut pod);
    let mut socket = accept_hdr_async(socket, upgrade).await?;
    // A server greets before it has asked the node.
    socket.send(output(b"")).await?;
    let (stream, _counted) = shells.stream(&pod);
    carry(stream, socket).await
}

/// Takes the pod's name from `/api/v1/namespaces/{namespace}/pods/{pod}/exec`.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the form is the WebSocket library's"
)]
fn choose(
    request: &Request,
    mut response: Response,
    pod: &mut String,
) -> Result<Response, ErrorResponse> {
    request
        .uri()
        .path()
        .split('/')
        .nth(6)
        .unwrap()
        .clone_into(pod);
    let chosen = "v5.channel.k8s.io".parse().unwrap();
    response
        .headers_mut()
        .insert("sec-websocket-protocol", chosen);
    Ok(response)
}

async fn carry<S>(mut stream: Stream, mut socket: WebSocketStream<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut news = stream.news();
    loop {
        stream.turn();
        // The window keeps what is under way below what the kernel holds: nobody is kept waiting.
        while !stream.out.is_empty() {
            let length = stream.out.len().min(MESSAGE);
            let message = output(&stream.out.split_to(length));
            socket.send(message).await?;
            stream.turn();
        }
        if stream.is_over() {
            return socket.close(None).await;
        }
        tokio::select! {
            biased;
            came = socket.next() => match came {
                Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&STDIN) => {
                    stream.incoming().extend_from_slice(&bytes[1..]);
                }
                // The command ends with its input.
                Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&END) => return Ok(()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            _ = news.changed() => {}
        }
    }
}

fn output(bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(1 + bytes.len());
    message.put_u8(STDOUT);
    message.put_slice(bytes);
    Message::Binary(Bytes::from(message))
}
