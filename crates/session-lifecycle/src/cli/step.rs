//! A transition as it is typed.

use clap::Args;
use command_line::CliError;
use serde_json::json;

use crate::{Advance, Ending, EndingKind, FailureRecord, SessionState};

/// Names the state to go to, with what a final one must say.
#[derive(Debug, Args)]
pub struct StepArgs {
    /// The state to go to: initializing, ready, running, terminated or failed.
    #[arg(long, value_name = "STATE")]
    pub(super) to: SessionState,
    /// Why; required to go to terminated or failed.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The failure code, such as `infra.node_lost`; required to go to failed.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

impl StepArgs {
    /// Checks what the state needs and makes the transition of it; `None` for created, to
    /// which none leads.
    pub(super) fn into_advance(self) -> Result<Option<Advance>, CliError> {
        match self.to {
            SessionState::Created => Ok(None),
            SessionState::Initializing => Ok(Some(Advance::ToInitializing)),
            SessionState::Ready => Ok(Some(Advance::ToReady)),
            SessionState::Running => Ok(Some(Advance::ToRunning)),
            SessionState::Terminated => Ok(Some(Advance::Terminate(Ending {
                kind: EndingKind::OperatorEnded,
                note: Some(required("reason", self.reason)?),
            }))),
            SessionState::Failed => {
                let reason = required("reason", self.reason)?;
                let code = required("code", self.code)?;
                let class = class_of(&code)?.to_owned();
                let evidence = json!({ "source": "cli" });
                Ok(Some(Advance::Fail(FailureRecord {
                    class,
                    code,
                    reason,
                    evidence,
                })))
            }
        }
    }
}

fn required(field: &'static str, value: Option<String>) -> Result<String, CliError> {
    match value {
        Some(text) if !text.trim().is_empty() && !text.contains('\0') => Ok(text),
        Some(_) => Err(CliError::usage(
            field,
            format!("--{field} must not be empty"),
        )),
        None => Err(CliError::usage(
            field,
            format!("a final state needs --{field}"),
        )),
    }
}

/// The class is the first part of the code.
fn class_of(code: &str) -> Result<&'static str, CliError> {
    ["init", "runtime", "access", "infra"]
        .into_iter()
        .find(|class| {
            code.strip_prefix(class)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|name| !name.is_empty() && name.bytes().all(is_code_byte))
        })
        .ok_or_else(|| {
            CliError::usage(
                "code",
                format!("{code:?} is no failure code, such as infra.node_lost"),
            )
        })
}

fn is_code_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'_'
}
