//! What a pod wrote, read within bounds.

use std::time::Duration;

use failure_classification::Signal;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;

use super::call::{Fault, open};
use super::{CONTAINER, KubernetesRuntime, objects};
use crate::excerpt::Ending;
use crate::{RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "log";
const LIMIT: Duration = Duration::from_secs(5);
/// A thousand lines of diagnostics have less.
const BYTES: usize = 256 * 1024;

/// Reads a log line by line as it is written.
pub(super) struct Lines {
    body: Body,
    unread: Vec<u8>,
    left: usize,
}

/// Reads the end of the log of one pod, and of no other that has its name by now.
pub(super) async fn log(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
    lines: u32,
) -> Result<String, RuntimeError> {
    let read = async {
        objects::get_uid::<Pod>(runtime, OPERATION, name, uid).await?;
        let tail = tail(runtime, OPERATION, name, lines.into(), BYTES).await;
        tail.map_err(|fault| fault.into_error(name.as_str()))
    };
    tokio::time::timeout(LIMIT, read).await.unwrap_or_else(|_| {
        let signal = Signal::RuntimeUnavailable {
            operation: OPERATION.to_owned(),
            status: None,
            message: format!("no log within {} s", LIMIT.as_secs()),
            retry_after_ms: None,
        };
        Err(RuntimeError::new(OPERATION, signal))
    })
}

/// Opens the environment's log from its beginning and follows it. Bounded in time by the caller.
pub(super) async fn follow(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &RuntimeName,
    at_most: usize,
) -> Result<Lines, Fault> {
    let params = LogParams {
        follow: true,
        ..of_environment()
    };
    let request = objects::requests::<Pod>(runtime).logs(name.as_str(), &params);
    let answer = open(runtime, operation, request).await?;
    Ok(Lines {
        body: answer.into_body(),
        unread: Vec::new(),
        left: at_most,
    })
}

/// The last bytes of the last lines of the environment's log. They are cut here: a bound that the
/// server is given is one from the beginning of those lines.
pub(super) async fn tail(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &RuntimeName,
    lines: i64,
    at_most: usize,
) -> Result<String, Fault> {
    let params = LogParams {
        tail_lines: Some(lines),
        ..of_environment()
    };
    let request = objects::requests::<Pod>(runtime).logs(name.as_str(), &params);
    let mut body = open(runtime, operation, request).await?.into_body();
    let mut tail = Ending::of(at_most);
    // What came before a broken end is evidence, too.
    while let Some(Ok(frame)) = body.frame().await {
        tail.push(&frame.into_data().unwrap_or_default());
    }
    Ok(tail.into_text())
}

fn of_environment() -> LogParams {
    LogParams {
        container: Some(CONTAINER.to_owned()),
        ..LogParams::default()
    }
}

impl Lines {
    /// The next whole line; `None` at the end, when the connection broke and when too much was
    /// read.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            let piece = self.body.frame().await?.ok()?.into_data().ok()?;
            self.left = self.left.checked_sub(piece.len())?;
            self.unread.extend(piece);
        }
    }
}
