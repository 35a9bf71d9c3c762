//! Runs the keeper inside for one answer.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use carrel_keeper::VerifyReport;
use failure_classification::Signal;
use futures_util::StreamExt;

use super::call::{Fault, QUICK, within};
use super::{EngineRuntime, admitted, inspect};
use crate::excerpt::bounded;
use crate::{ExamDefinition, IsolationReport, Phase, RuntimeError, RuntimeUid};

const OPERATION: &str = "verify";
/// The verification itself tries every writable place and a few connections of 300 ms each.
const VERIFY_LIMIT: Duration = Duration::from_secs(15);
/// A report has a few kilobytes.
const OUTPUT_LIMIT: usize = 256 * 1024;

pub(super) async fn verify(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    exam: &ExamDefinition,
) -> Result<IsolationReport, RuntimeError> {
    let found = inspect::inspect_uid(runtime, OPERATION, uid).await?;
    if let Some(state) = found
        .state
        .as_ref()
        .filter(|state| inspect::phase(state) != Phase::Running)
    {
        let message = format!("container is {:?}", inspect::phase(state));
        return Err(RuntimeError::new(
            OPERATION,
            Signal::ExecTargetMissing { message },
        ));
    }
    let run = run(runtime, uid, vec![carrel_keeper::BINARY_PATH, "verify"]);
    let Ok(answer) = tokio::time::timeout(VERIFY_LIMIT, run).await else {
        let message = format!("no report within {} s", VERIFY_LIMIT.as_secs());
        return Err(RuntimeError::new(OPERATION, Signal::NotReady { message }));
    };
    let inside = report(&answer?)?;
    Ok(IsolationReport {
        inside,
        admitted: admitted::admitted(&found, exam),
    })
}

fn report(answer: &Answer) -> Result<VerifyReport, RuntimeError> {
    if answer.exit_code == Some(126) || answer.exit_code == Some(127) {
        let signal = Signal::StartFailed {
            message: answer.complaint(),
        };
        return Err(RuntimeError::new(OPERATION, signal));
    }
    serde_json::from_slice(&answer.stdout).map_err(|source| {
        let message = format!("keeper verify gave no report: {}", answer.complaint());
        RuntimeError::new(OPERATION, Signal::NotReady { message }).with_source(source)
    })
}

/// What a command inside wrote and how it ended.
struct Answer {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit_code: Option<i64>,
}

impl Answer {
    fn complaint(&self) -> String {
        format!(
            "exit code {:?}: {}",
            self.exit_code,
            bounded(&String::from_utf8_lossy(&self.stderr))
        )
    }
}

/// Runs one command to its end, keeping a bounded part of its output.
async fn run(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    command: Vec<&str>,
) -> Result<Answer, RuntimeError> {
    let exec_id = create(runtime, OPERATION, uid, command, Stdin::Closed).await?;
    let started = start(runtime, uid, &exec_id).await?;
    let mut answer = Answer {
        stdout: Vec::new(),
        stderr: Vec::new(),
        exit_code: None,
    };
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(piece) = output.next().await {
            match piece {
                Ok(LogOutput::StdErr { message }) => extend(&mut answer.stderr, &message),
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    extend(&mut answer.stdout, &message);
                }
                Ok(LogOutput::StdIn { .. }) => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }
    let ended = within(OPERATION, QUICK, runtime.docker.inspect_exec(&exec_id)).await;
    answer.exit_code = ended
        .map_err(|fault| fault.into_error(uid.as_str()))?
        .exit_code;
    Ok(answer)
}

fn extend(buffer: &mut Vec<u8>, piece: &[u8]) {
    let room = OUTPUT_LIMIT.saturating_sub(buffer.len());
    buffer.extend_from_slice(&piece[..piece.len().min(room)]);
}

fn broken(error: bollard::errors::Error) -> RuntimeError {
    let signal = Signal::RuntimeUnavailable {
        operation: OPERATION.to_owned(),
        status: None,
        message: bounded(&error.to_string()),
        retry_after_ms: None,
    };
    RuntimeError::new(OPERATION, signal).with_source(error)
}

/// Says whether a command inside gets input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stdin {
    Open,
    Closed,
}

/// Makes the exec of a command inside as the environment's own user, without a terminal: keeper
/// frames are binary, and a terminal in between would change them. Returns its id.
pub(super) async fn create(
    runtime: &EngineRuntime,
    operation: &'static str,
    uid: &RuntimeUid,
    command: Vec<&str>,
    stdin: Stdin,
) -> Result<String, RuntimeError> {
    let options = CreateExecOptions {
        attach_stdin: Some(stdin == Stdin::Open),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let call = runtime.docker.create_exec(uid.as_str(), options);
    let made = within(operation, QUICK, call).await;
    Ok(made.map_err(|fault| refused(operation, uid, fault))?.id)
}

async fn start(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    exec_id: &str,
) -> Result<StartExecResults, RuntimeError> {
    let options = StartExecOptions {
        detach: false,
        tty: false,
        output_capacity: Some(64 * 1024),
    };
    let call = runtime.docker.start_exec(exec_id, Some(options));
    let started = within(OPERATION, QUICK, call).await;
    started.map_err(|fault| not_begun(OPERATION, uid, fault))
}

/// A 404 to a start is about the exec: the engine was started anew since it was made, or the container
/// has ended. Only a look at the container tells whether that is gone.
pub(super) fn not_begun(operation: &'static str, uid: &RuntimeUid, fault: Fault) -> RuntimeError {
    let message = fault.message();
    match fault.status() {
        Some(404) => fault.into_error_with(Signal::ExecTargetMissing { message }),
        _ => refused(operation, uid, fault),
    }
}

/// 404 is a container that is gone, 409 one that does not run; Podman says the latter with 500 and in
/// words.
pub(super) fn refused(operation: &'static str, uid: &RuntimeUid, fault: Fault) -> RuntimeError {
    let message = fault.message();
    match fault.status() {
        Some(404) => inspect::vanished(operation, uid, None),
        Some(409) => fault.into_error_with(Signal::ExecTargetMissing { message }),
        Some(500) if message.contains("container state improper") => {
            fault.into_error_with(Signal::ExecTargetMissing { message })
        }
        Some(400 | 500) => fault.into_error_with(Signal::ShellUnavailable {
            exit_code: None,
            message,
        }),
        _ => fault.into_error(uid.as_str()),
    }
}
