//! The stream of an exec, on a connection of its own.
//!
//! The client of all other calls reads such a stream piece by piece into buffers of its own, behind a
//! lock that both directions share. Here the request for it is the only thing that HTTP does: then
//! the socket itself is read and written, its two directions apart.

mod multiplex;
mod output;

use bollard::ClientVersion;
use bollard::errors::Error;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::UnixStream;
use tower::Service as _;

use super::address::{EngineAddress, connector};
use crate::AttachStreams;
use output::Output;

/// A refusal has a kilobyte.
const MAX_REFUSAL: usize = 64 * 1024;

/// Starts an exec that was made before, and hands over its input and its standard output.
///
/// Errors: an engine that cannot be reached, or answers anything but that the connection is now the
/// exec's; its words are in the error then.
pub(super) async fn open(
    address: &EngineAddress,
    version: &ClientVersion,
    exec_id: &str,
) -> Result<AttachStreams, Error> {
    match address {
        EngineAddress::File(path) => {
            let socket = UnixStream::connect(path).await?;
            let request = request(version, "localhost", exec_id)?;
            let (socket, first) = upgrade(socket, request).await?;
            let (reader, writer) = socket.into_split();
            Ok(halves(first, reader, writer))
        }
        EngineAddress::Host(host) => {
            let place = format!("http://{host}").parse();
            let place = place.map_err(http::Error::from)?;
            let socket = connector()
                .call(place)
                .await
                .map_err(std::io::Error::other)?;
            let request = request(version, host, exec_id)?;
            let (socket, first) = upgrade(socket.into_inner(), request).await?;
            let (reader, writer) = socket.into_split();
            Ok(halves(first, reader, writer))
        }
    }
}

/// `first` is what the engine sent together with its answer.
fn halves(
    first: Bytes,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: impl AsyncWrite + Send + Unpin + 'static,
) -> AttachStreams {
    let connection = std::io::Cursor::new(first).chain(reader);
    AttachStreams {
        reader: Box::new(Output::new(connection)),
        writer: Box::new(writer),
    }
}

fn request(
    version: &ClientVersion,
    host: &str,
    exec_id: &str,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let ClientVersion {
        major_version: major,
        minor_version: minor,
    } = version;
    Request::post(format!("/v{major}.{minor}/exec/{exec_id}/start"))
        .header(HOST, host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(r#"{"Detach":false,"Tty":false}"#))
}

/// Sends the request and takes the socket back once it is the exec's.
async fn upgrade<S>(socket: S, request: Request<Full<Bytes>>) -> Result<(S, Bytes), Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    // Ends by itself: with the upgrade, or with `sender`. What goes wrong, the answer tells.
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(answer).await);
    }
    let upgraded = hyper::upgrade::on(answer).await?;
    let parts = upgraded
        .downcast::<TokioIo<S>>()
        .map_err(|_| std::io::Error::other("the upgraded connection is another one"))?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

async fn refused(answer: Response<Incoming>) -> Error {
    #[derive(Deserialize)]
    struct Words {
        message: String,
    }
    let status_code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_REFUSAL)
        .collect()
        .await;
    // Without the text the status still tells most.
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    let message = match serde_json::from_slice::<Words>(&body) {
        Ok(words) => words.message,
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    Error::DockerResponseServerError {
        status_code,
        message,
    }
}

#[cfg(test)]
mod tests;
