//! The exec leg: `keeper attach` inside a pod, on a connection of its own.
//!
//! kube proves who we are and finds the server; the channel protocol is read and written here,
//! because kube's own streams let output that nobody takes keep a keystroke waiting.

mod channels;
mod client;
mod handshake;
mod refusal;
mod stream;
mod websocket;

use std::error::Error;

use failure_classification::Signal;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper_util::rt::TokioIo;
use kube::client::Body;

use super::KubernetesRuntime;
use super::call::{QUICK, chain};
use crate::excerpt::bounded;
use crate::{AttachRequest, AttachStreams, RuntimeError, RuntimeName, RuntimeUid};
use channels::Protocol;
pub(super) use client::client;
#[cfg(test)]
pub(super) use refusal::tests::signals as recorded_signals;
use refusal::{Status, Target};

const OPERATION: &str = "attach";

/// A refusal has a kilobyte.
const MAX_REFUSAL: usize = 64 * 1024;

/// Runs `keeper attach` in the pod and hands over its streams.
///
/// Nothing is read of the pod before, and who attaches needs no right to: the keeper refuses when
/// it is not in the pod of that uid. What keeps the command from starting often arrives only on
/// the stream, as the reader's error.
pub(super) async fn attach(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
    request: &AttachRequest,
) -> Result<AttachStreams, RuntimeError> {
    let target = Target {
        operation: OPERATION,
        uid: uid.as_str().to_owned(),
    };
    let epoch = request.epoch.to_string();
    let command = [
        carrel_keeper::BINARY_PATH,
        "attach",
        "--epoch",
        &epoch,
        "--instance",
        uid.as_str(),
    ];
    // Servers agree before they ask the node, so this says nothing of how long the command takes.
    let opened = tokio::time::timeout(QUICK, open(runtime, name, &command, &target)).await;
    let Ok(opened) = opened else {
        let message = format!("no answer within {} s", QUICK.as_secs());
        return Err(RuntimeError::new(OPERATION, unreachable(message)));
    };
    let (connection, protocol) = opened?;
    let (reader, writer) = stream::halves(connection, protocol, target);
    Ok(AttachStreams {
        reader: Box::new(reader),
        writer: Box::new(writer),
    })
}

/// A connection on which the channel protocol begins.
type Connection = TokioIo<hyper::upgrade::Upgraded>;

async fn open(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    command: &[&str],
    target: &Target,
) -> Result<(Connection, Protocol), RuntimeError> {
    let key = handshake::new_key();
    let request = handshake::request(&runtime.namespace, name.as_str(), command, &key);
    let request = request.map_err(failed)?;
    runtime.requests.count();
    let answer = runtime.exec_client.send(request).await.map_err(unsent)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(answer, target).await);
    }
    let protocol = handshake::accept(answer.status(), answer.headers(), &key).map_err(failed)?;
    let upgraded = hyper::upgrade::on(answer).await.map_err(failed)?;
    Ok((TokioIo::new(upgraded), protocol))
}

async fn refused(answer: Response<Body>, target: &Target) -> RuntimeError {
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_REFUSAL)
        .collect()
        .await;
    // Without the text the status still tells most.
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    RuntimeError::new(OPERATION, Status::read(&body).refused(target, status))
}

fn failed(source: impl Error + Send + Sync + 'static) -> RuntimeError {
    let message = bounded(&chain(&source));
    RuntimeError::new(OPERATION, unreachable(message)).with_source(source)
}

/// Credentials that cannot be read or renewed never get as far as the server.
fn unsent(error: kube::Error) -> RuntimeError {
    if !matches!(error, kube::Error::Auth(_)) {
        return failed(error);
    }
    let signal = Signal::RuntimeUnauthorized {
        operation: OPERATION.to_owned(),
        message: bounded(&chain(&error)),
    };
    RuntimeError::new(OPERATION, signal).with_source(error)
}

fn unreachable(message: String) -> Signal {
    Signal::RuntimeUnavailable {
        operation: OPERATION.to_owned(),
        status: None,
        message,
        retry_after_ms: None,
    }
}
