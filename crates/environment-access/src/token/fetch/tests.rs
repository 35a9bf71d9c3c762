//! Whom keys are taken from, over real TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Longer than any handshake on loopback takes.
const WITHIN: Duration = Duration::from_secs(10);
const AUTHORITY: &[u8] = include_bytes!("../../../tests/keys/authority.pem");
/// For 127.0.0.1 and no other name.
const CERTIFICATE: &[u8] = include_bytes!("../../../tests/keys/issuer.pem");
const PRIVATE: &[u8] = include_bytes!("../../../tests/keys/issuer.private.pem");
const KEYS: &str = include_str!("../../../tests/keys/keys.jwks.json");

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

/// Starts an issuer that answers every request with its keys.
async fn issuer() -> SocketAddr {
    let settings = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate(CERTIFICATE)],
            PrivateKeyDer::from_pem_slice(PRIVATE).unwrap(),
        );
    let acceptor = TlsAcceptor::from(Arc::new(settings.unwrap()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Whoever does not trust the certificate ends the handshake: that is what is tested.
            answer(&acceptor, stream).await.ok();
        }
    });
    address
}

async fn answer(acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", KEYS.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(KEYS.as_bytes()).await?;
    stream.shutdown().await
}

async fn fetch(url: String, authorities: &[&[u8]]) -> Result<Vec<VerifyingKey>, FetchError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(certificate(authority)).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = KeyClient {
        url: url.parse().unwrap(),
        within: WITHIN,
        trust: Trust::Machine(Box::new(http_client(tls))),
    };
    client.fetch().await
}

#[tokio::test]
async fn keys_come_from_whom_a_trusted_certificate_names() {
    let address = issuer().await;
    let keys = fetch(format!("https://{address}/jwks"), &[AUTHORITY]).await;
    assert_eq!(keys.unwrap().len(), 3);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_or_for_somebody_else_brings_no_keys() {
    let address = issuer().await;
    let port = address.port();
    for (url, authorities) in [
        (format!("https://{address}/jwks"), &[][..]),
        (format!("https://localhost:{port}/jwks"), &[AUTHORITY]),
    ] {
        let error = fetch(url.clone(), authorities).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Unreachable(_)),
            "{url}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_of_authorities_is_trusted_instead_of_the_machine_s() {
    let address = issuer().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let url = || format!("https://{address}/jwks").parse().unwrap();
    let trusted = write("authority.pem", AUTHORITY);
    let client = KeyClient::new(url(), WITHIN, Some(&trusted)).unwrap();
    assert_eq!(client.fetch().await.unwrap().len(), 3);
    for path in [
        write("empty.pem", b""),
        write("private.pem", PRIVATE),
        write(
            "other.pem",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        folder.path().join("missing.pem"),
    ] {
        let error = KeyClient::new(url(), WITHIN, Some(&path)).unwrap_err();
        assert!(matches!(error, KeyError::Authorities { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("--token-jwks-ca-file"), "{told}");
    }
}

#[tokio::test]
async fn a_file_of_authorities_is_rotated_under_a_running_process() {
    let address = issuer().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authorities.pem");
    std::fs::write(&path, CERTIFICATE).unwrap();
    let url = format!("https://{address}/jwks").parse().unwrap();
    let client = KeyClient::new(url, WITHIN, Some(&path)).unwrap();
    let error = client.fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error}");
    std::fs::write(&path, AUTHORITY).unwrap();
    assert_eq!(client.fetch().await.unwrap().len(), 3);
    std::fs::write(&path, b"").unwrap();
    let error = client.fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Authorities(_)), "{error}");
    let told = error.to_string();
    assert!(told.contains("--token-jwks-ca-file"), "{told}");
}
