//! The request for an exec, and whether its answer is the one that was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use kube::client::Body;
use sha1::{Digest as _, Sha1};
use url::form_urlencoded::Serializer;

use super::super::CONTAINER;
use super::channels::Protocol;

/// What RFC 6455 appends to the key.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why an answer opens no stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HandshakeFault {
    /// The server does not speak WebSocket here.
    #[error("the answer is no upgrade to a WebSocket")]
    NoUpgrade,
    /// The answer is to another request, from a cache perhaps.
    #[error("the answer does not prove that it is to our key")]
    WrongKey,
    /// The server chose none of what was offered.
    #[error("the server chose no channel protocol that was offered")]
    WrongProtocol,
}

/// A key that no answer can guess.
pub(super) fn new_key() -> String {
    STANDARD.encode(rand::random::<[u8; 16]>())
}

/// Asks to run `command` in the container of the pod, with standard input, output and errors and
/// without a terminal.
pub(super) fn request(
    namespace: &str,
    pod: &str,
    command: &[&str],
    key: &str,
) -> Result<Request<Body>, http::Error> {
    let mut query = Serializer::new(String::new());
    query.append_pair("container", CONTAINER);
    for stream in ["stdin", "stdout", "stderr"] {
        query.append_pair(stream, "true");
    }
    for word in command {
        query.append_pair("command", word);
    }
    let query = query.finish();
    Request::get(format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/exec?{query}"
    ))
    .header(CONNECTION, "Upgrade")
    .header(UPGRADE, "websocket")
    .header(SEC_WEBSOCKET_VERSION, "13")
    .header(SEC_WEBSOCKET_KEY, key)
    .header(SEC_WEBSOCKET_PROTOCOL, Protocol::OFFERED)
    .body(Body::empty())
}

/// Judges an answer whose status is 101.
pub(super) fn accept(
    status: StatusCode,
    headers: &HeaderMap,
    key: &str,
) -> Result<Protocol, HandshakeFault> {
    let upgraded = status == StatusCode::SWITCHING_PROTOCOLS
        && has_token(headers, &UPGRADE, "websocket")
        && has_token(headers, &CONNECTION, "upgrade");
    if !upgraded {
        return Err(HandshakeFault::NoUpgrade);
    }
    let answer = headers.get(SEC_WEBSOCKET_ACCEPT);
    if answer.map(http::HeaderValue::as_bytes) != Some(answer_to(key).as_bytes()) {
        return Err(HandshakeFault::WrongKey);
    }
    headers
        .get(SEC_WEBSOCKET_PROTOCOL)
        .and_then(|chosen| Protocol::chosen(chosen.as_bytes()))
        .ok_or(HandshakeFault::WrongProtocol)
}

fn answer_to(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(SUFFIX);
    STANDARD.encode(hash.finalize())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Key and answer of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ANSWER: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn answer() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(ANSWER));
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("v4.channel.k8s.io"),
        );
        headers
    }

    fn judged(headers: &HeaderMap) -> Result<Protocol, HandshakeFault> {
        accept(StatusCode::SWITCHING_PROTOCOLS, headers, KEY)
    }

    #[test]
    fn an_answer_to_our_key_with_a_protocol_of_ours_is_taken() {
        assert_eq!(judged(&answer()), Ok(Protocol::V4));
    }

    #[test]
    fn every_part_of_the_answer_is_demanded() {
        let wrong = |name: HeaderName, value: Option<&'static str>| {
            let mut headers = answer();
            headers.remove(&name);
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
            judged(&headers).unwrap_err()
        };
        assert_eq!(wrong(UPGRADE, None), HandshakeFault::NoUpgrade);
        assert_eq!(wrong(UPGRADE, Some("SPDY/3.1")), HandshakeFault::NoUpgrade);
        assert_eq!(wrong(CONNECTION, Some("close")), HandshakeFault::NoUpgrade);
        assert_eq!(wrong(SEC_WEBSOCKET_ACCEPT, None), HandshakeFault::WrongKey);
        assert_eq!(
            wrong(SEC_WEBSOCKET_ACCEPT, Some(KEY)),
            HandshakeFault::WrongKey
        );
        for protocol in [None, Some("channel.k8s.io"), Some(Protocol::OFFERED)] {
            assert_eq!(
                wrong(SEC_WEBSOCKET_PROTOCOL, protocol),
                HandshakeFault::WrongProtocol
            );
        }
        assert_eq!(
            accept(StatusCode::OK, &answer(), KEY),
            Err(HandshakeFault::NoUpgrade)
        );
    }

    #[test]
    fn the_request_names_container_command_and_streams_and_no_terminal() {
        let command = ["/carrel/keeper", "attach", "--epoch", "7"];
        let request = request("exams", "carrel-1", &command, KEY).unwrap();
        assert_eq!(
            request.uri().to_string(),
            "/api/v1/namespaces/exams/pods/carrel-1/exec?container=environment&stdin=true\
             &stdout=true&stderr=true&command=%2Fcarrel%2Fkeeper&command=attach&command=--epoch\
             &command=7"
        );
        assert_eq!(request.headers()[SEC_WEBSOCKET_KEY], KEY);
        assert_ne!(new_key(), new_key());
    }
}
