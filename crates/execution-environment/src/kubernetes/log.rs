//! What a pod wrote, read within bounds.

use std::time::Duration;

use failure_classification::Signal;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;
use tokio::time::Instant;

use super::call::{Fault, open};
use super::{CONTAINER, KubernetesRuntime, objects};
use crate::excerpt::read_ending;
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
    let until = Instant::now() + LIMIT;
    let read = async {
        objects::get_uid::<Pod>(runtime, OPERATION, name, uid).await?;
        let bounds = Bounds {
            lines: lines.into(),
            bytes: BYTES,
            until,
        };
        let tail = tail(runtime, OPERATION, name, &bounds).await;
        tail.map_err(|fault| fault.into_error(name.as_str()))
    };
    // What was read by then is told by the tail itself: a little later than its own time.
    let late = until + LIMIT / 10;
    tokio::time::timeout_at(late, read)
        .await
        .unwrap_or_else(|_| {
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

/// How much of a log is read, and for how long.
pub(super) struct Bounds {
    pub(super) lines: i64,
    pub(super) bytes: usize,
    pub(super) until: Instant,
}

/// The last bytes of the last lines of the environment's log, and in its last line why that is not its
/// end, if it is not. They are cut here: a bound that the server is given is one from the beginning of
/// those lines.
pub(super) async fn tail(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &RuntimeName,
    bounds: &Bounds,
) -> Result<String, Fault> {
    let params = LogParams {
        tail_lines: Some(bounds.lines),
        ..of_environment()
    };
    let request = objects::requests::<Pod>(runtime).logs(name.as_str(), &params);
    let body = open(runtime, operation, request).await?.into_body();
    let pieces = body.into_data_stream();
    let (tail, cut_off) = read_ending(pieces, bounds.bytes, bounds.until).await;
    // What came before it is evidence, too.
    Ok(match cut_off {
        None => tail,
        Some(cut_off) => format!("{tail}\n{cut_off}"),
    })
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
