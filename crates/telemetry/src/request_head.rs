//! Just enough HTTP/1.1 for three routes on an admin port.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest head that is read; a probe's is a few hundred bytes.
const HEAD_LIMIT: usize = 8 * 1024;
/// A peer that sends nothing holds one of few places.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// Holds what the admin routes need of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) path: String,
}

/// Reads a request's head; `None` if the peer sent none, too much, or nothing like one.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<RequestHead> {
    tokio::time::timeout(HEAD_DEADLINE, read_until_blank_line(stream))
        .await
        .ok()
        .flatten()
}

async fn read_until_blank_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<RequestHead> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read_buf(&mut head).await.ok()?;
        if read == 0 || head.len() > HEAD_LIMIT {
            return None;
        }
    }
    parse(&head)
}

fn parse(head: &[u8]) -> Option<RequestHead> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let complete = words.next().is_none() && version.starts_with("HTTP/1.");
    let path = target.split('?').next().unwrap_or(target);
    complete.then(|| RequestHead {
        method: method.to_owned(),
        path: path.to_owned(),
    })
}

/// Holds an answer, before it is written.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    /// Writes the answer and ends the stream. `HEAD` gets the head alone.
    pub(crate) async fn write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        method: &str,
    ) -> std::io::Result<()> {
        let Self {
            status,
            content_type,
            body,
        } = self;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        if method != "HEAD" {
            stream.write_all(body.as_bytes()).await?;
        }
        stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_read_without_its_query() {
        let head = parse(b"GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(
            (head.method.as_str(), head.path.as_str()),
            ("GET", "/metrics")
        );
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for head in [
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / SPDY/3\r\n\r\n",
            "GET / x HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(parse(head.as_bytes()), None, "{head:?}");
        }
    }
}
