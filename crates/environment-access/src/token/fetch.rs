//! Asking an issuer for its keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::key_set::{KeySetError, parse_key_set};
use super::keys::VerifyingKey;
use super::{JwksUrl, KeyError};

/// Largest document that is read: 64 RSA keys with their certificates fit.
const LARGEST_DOCUMENT: usize = 256 * 1024;

/// Why the keys could not be fetched.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    /// Nobody answers, or not whom the certificate should name.
    #[error("reach the issuer")]
    Unreachable(#[source] ClientError),
    /// The answer took too long.
    #[error("have the issuer's answer within {}s", within.as_secs_f32())]
    TooSlow {
        /// How long it may take.
        within: Duration,
    },
    /// The issuer sends us elsewhere.
    #[error("follow the issuer's redirect ({status}): give the address that it leads to")]
    Redirected {
        /// What it answered.
        status: StatusCode,
    },
    /// The issuer answered something else than 200.
    #[error("have the issuer's keys: it answered {status}")]
    Status {
        /// What it answered.
        status: StatusCode,
    },
    /// The answer broke off, or is too large.
    #[error("read the issuer's answer: at most {LARGEST_DOCUMENT} bytes are read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what can be used.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// The file of authorities was good at the start, and is not any more.
    #[error(transparent)]
    Authorities(#[from] KeyError),
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Fetches the keys of one address. It follows no redirect, uses no proxy and keeps no connection.
#[derive(Debug)]
pub(super) struct KeyClient {
    url: JwksUrl,
    within: Duration,
    trust: Trust,
}

/// By whom the issuer is known.
#[derive(Debug)]
enum Trust {
    /// The machine's authorities, read once.
    Machine(Box<HttpClient>),
    /// Those of a file, read at each fetch: authorities are rotated under a running process.
    File(PathBuf),
}

impl KeyClient {
    /// Makes a client that trusts the authorities of a file, or without one whom this machine trusts.
    pub(super) fn new(
        url: JwksUrl,
        within: Duration,
        authorities: Option<&Path>,
    ) -> Result<Self, KeyError> {
        let trust = match authorities {
            Some(file) => {
                client_of_file(&url, file)?;
                Trust::File(file.to_owned())
            }
            None => Trust::Machine(Box::new(client_trusting(&url, None)?)),
        };
        Ok(Self { url, within, trust })
    }

    pub(super) fn url(&self) -> &JwksUrl {
        &self.url
    }

    /// Fetches the keys. Dropping the future gives the fetch up.
    pub(super) async fn fetch(&self) -> Result<Vec<VerifyingKey>, FetchError> {
        let within = self.within;
        let document = tokio::time::timeout(within, self.document()).await;
        let document = document.map_err(|_| FetchError::TooSlow { within })??;
        Ok(parse_key_set(&document)?)
    }

    async fn document(&self) -> Result<Bytes, FetchError> {
        let request = Request::get(self.url.uri().clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, "carrel")
            .body(Empty::new())
            .expect("the address was checked and the headers are fixed");
        let answer = self.client()?.request(request).await;
        let answer = answer.map_err(FetchError::Unreachable)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(FetchError::Redirected { status });
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status { status });
        }
        let body = Limited::new(answer.into_body(), LARGEST_DOCUMENT);
        let body = body.collect().await.map_err(FetchError::Body)?;
        Ok(body.to_bytes())
    }

    fn client(&self) -> Result<HttpClient, KeyError> {
        match &self.trust {
            Trust::Machine(client) => Ok(HttpClient::clone(client)),
            Trust::File(file) => client_of_file(&self.url, file),
        }
    }
}

fn client_of_file(url: &JwksUrl, file: &Path) -> Result<HttpClient, KeyError> {
    client_trusting(url, Some(read_authorities(file)?))
}

fn client_trusting(
    url: &JwksUrl,
    authorities: Option<RootCertStore>,
) -> Result<HttpClient, KeyError> {
    let tls = tls(url, authorities).map_err(|source| KeyError::NoAuthorities {
        url: url.clone(),
        source,
    })?;
    Ok(http_client(tls))
}

fn http_client(tls: ClientConfig) -> HttpClient {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector)
}

/// Settings of TLS; without any authority where no certificate will be looked at.
fn tls(url: &JwksUrl, authorities: Option<RootCertStore>) -> std::io::Result<ClientConfig> {
    use hyper_rustls::ConfigBuilderExt as _;

    let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    let builder = match authorities {
        Some(authorities) => builder.with_root_certificates(authorities),
        None if url.is_https() => builder.with_native_roots()?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// Reads the certificates of a PEM file.
fn read_authorities(file: &Path) -> Result<RootCertStore, KeyError> {
    let failed = |detail: String| KeyError::Authorities {
        path: file.to_owned(),
        detail,
    };
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        let added = authorities.add(certificate);
        added.map_err(|error| failed(error.to_string()))?;
    }
    if authorities.is_empty() {
        return Err(failed("it holds no certificate".to_owned()));
    }
    Ok(authorities)
}

#[cfg(test)]
mod tests;
