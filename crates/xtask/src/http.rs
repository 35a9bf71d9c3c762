//! A small HTTP/1.1 client for loopback: the container engine's socket and our own processes.
//! One request a connection; that is all xtask needs, and it keeps the first build short.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(&'a serde_json::Value),
    /// A tar archive.
    Tar(File),
}

impl Body<'_> {
    fn headers(&self) -> Result<Vec<String>> {
        let (kind, length) = match self {
            Self::Empty => return Ok(vec!["Content-Length: 0".to_owned()]),
            Self::Json(document) => ("application/json", document.to_string().len() as u64),
            Self::Tar(file) => ("application/x-tar", file.metadata()?.len()),
        };
        Ok(vec![
            format!("Content-Type: {kind}"),
            format!("Content-Length: {length}"),
        ])
    }
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// `GET`, `POST`, …
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// Headers beyond those of the transport.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub(crate) body: Body<'a>,
    /// Longest silence of the server.
    pub(crate) timeout: Duration,
}

/// One whole answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// Status code.
    pub(crate) status: u16,
    /// The body, decoded from its transfer encoding.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the answer is no JSON")
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Endpoint {
    /// Sends one request and reads the whole answer.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Response> {
        let mut stream = self.connect(request.timeout)?;
        let Request {
            method,
            path,
            headers,
            body,
            ..
        } = request;
        let mut head = vec![
            format!("{method} {path} HTTP/1.1"),
            "Host: localhost".to_owned(),
            "Connection: close".to_owned(),
        ];
        head.extend(
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        head.extend(body.headers()?);
        write!(stream, "{}\r\n\r\n", head.join("\r\n"))?;
        match body {
            Body::Empty => {}
            Body::Json(document) => stream.write_all(document.to_string().as_bytes())?,
            Body::Tar(mut file) => drop(std::io::copy(&mut file, &mut stream)?),
        }
        read_response(&mut BufReader::new(stream))
    }

    fn connect(&self, timeout: Duration) -> Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(timeout))?;
                Ok(Box::new(stream))
            }
            Self::Tcp(address) => {
                let Some(address) = address.to_socket_addrs()?.next() else {
                    bail!("{address} resolves to nothing");
                };
                let stream = TcpStream::connect_timeout(&address, timeout)?;
                stream.set_read_timeout(Some(timeout))?;
                Ok(Box::new(stream))
            }
        }
    }
}

fn read_response(reader: &mut impl BufRead) -> Result<Response> {
    let status = read_line(reader)?;
    let status: u16 = status
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .with_context(|| format!("not an HTTP answer: {status:?}"))?;
    let mut length = None;
    let mut chunked = false;
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    match (status, chunked, length) {
        (204 | 304, ..) => {}
        (_, true, _) => read_chunks(reader, &mut body)?,
        (_, false, Some(length)) => {
            reader.take(length).read_to_end(&mut body)?;
        }
        (_, false, None) => {
            reader.read_to_end(&mut body)?;
        }
    }
    Ok(Response { status, body })
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = read_line(reader)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).with_context(|| format!("bad chunk {line:?}"))?;
        if size == 0 {
            return Ok(());
        }
        reader.take(size).read_to_end(body)?;
        read_line(reader)?;
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the connection was closed before the answer");
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let wire =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let response = read_response(&mut wire.as_bytes()).unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, "abcde"));
    }

    #[test]
    fn a_counted_answer_ends_where_it_says() {
        let wire = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno more";
        let response = read_response(&mut wire.as_bytes()).unwrap();
        assert_eq!((response.status, response.text().as_str()), (404, "no"));
    }

    #[test]
    fn a_connection_that_closes_early_is_an_error() {
        assert!(read_response(&mut "HTTP/1.1 200 OK\r\n".as_bytes()).is_err());
    }
}
