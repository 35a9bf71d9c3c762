//! Whether the database and the runtime say the same of one environment.

use std::fmt::Display;

use serde::Serialize;

use crate::{EnvironmentRecord, EnvironmentState, Observation, Observed, Phase, RuntimeKind};

/// Names one thing that the database and the runtime say differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What: `runtime`, `presence`, `uid`, `labels` or `phase`.
    pub what: &'static str,
    /// What the row says.
    pub database: String,
    /// What the runtime says.
    pub runtime: String,
}

/// Compares a row with what was seen under its name; empty means that they agree.
///
/// What is on its way agrees with either: an attempt whose uid nobody recorded yet may be there or
/// not, and so may what is being destroyed.
pub fn differences(
    record: &EnvironmentRecord,
    runtime: RuntimeKind,
    seen: &Observation,
) -> Vec<Difference> {
    if let Some(kind) = record.runtime
        && kind != runtime
    {
        // Another runtime knows nothing of it, and what bears the name there is another's.
        return vec![difference("runtime", &kind, &runtime)];
    }
    let wanted = wanted(record);
    match seen {
        Observation::Absent if wanted == Wanted::There => {
            vec![difference("presence", &record.state, &"absent")]
        }
        Observation::Absent => Vec::new(),
        Observation::Present(found) if wanted == Wanted::Nothing => {
            vec![difference("presence", &record.state, &word(&found.phase))]
        }
        Observation::Present(found) => in_detail(record, found),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Either,
    There,
}

fn wanted(record: &EnvironmentRecord) -> Wanted {
    match (record.state, &record.runtime_uid) {
        (EnvironmentState::Absent | EnvironmentState::Gone, _) => Wanted::Nothing,
        (EnvironmentState::Creating, None) | (EnvironmentState::Destroying, _) => Wanted::Either,
        (EnvironmentState::Creating, Some(_)) | (EnvironmentState::Up, _) => Wanted::There,
    }
}

fn in_detail(record: &EnvironmentRecord, found: &Observed) -> Vec<Difference> {
    let mut differences = Vec::new();
    if let Some(uid) = &record.runtime_uid
        && *uid != found.uid
    {
        differences.push(difference("uid", uid, &found.uid));
    }
    let labels = &found.labels;
    let whose = |session, environment, attempt| {
        format!("session {session}, environment {environment}, attempt {attempt}")
    };
    let ours = whose(record.session_id, record.id, record.attempt);
    let theirs = whose(labels.session_id, labels.environment_id, labels.attempt);
    if ours != theirs {
        differences.push(difference("labels", &ours, &theirs));
    }
    if record.state == EnvironmentState::Up && found.phase != Phase::Running {
        differences.push(difference("phase", &record.state, &word(&found.phase)));
    }
    differences
}

fn difference(what: &'static str, database: &dyn Display, runtime: &dyn Display) -> Difference {
    Difference {
        what,
        database: database.to_string(),
        runtime: runtime.to_string(),
    }
}

fn word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Pending { .. } => "pending",
        Phase::Running => "running",
        Phase::Stopped { .. } => "stopped",
    }
}

#[cfg(test)]
mod tests;
