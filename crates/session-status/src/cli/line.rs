//! A status in one line, for people.

use chrono::TimeDelta;

use crate::{EndedBy, StageName, StageState, StatusDocument};

/// Writes the time of day of the database's clock, the state, and what there is to say.
pub(super) fn write(told: &StatusDocument) -> String {
    let line = format!(
        "{}  {}{}",
        told.server_time.format("%T"),
        words(told),
        left(told)
    );
    line.trim_end().to_owned()
}

/// Writes what makes one status differ from another: nothing that runs by itself.
pub(super) fn words(told: &StatusDocument) -> String {
    let reason = told.reason.as_ref();
    let ending = told.ending.as_ref();
    let parts = [
        stage(told).map(ToOwned::to_owned),
        (told.attempt > 1).then(|| format!("attempt {}", told.attempt)),
        reason.map(|reason| format!("{}: {}", reason.code.as_str(), reason.text)),
        ending.map(|ending| ending.kind.as_str().to_owned()),
        ending
            .and_then(|ending| ending.by)
            .map(|by| format!("by {}", person(by))),
        (told.extended_ms > 0).then(|| format!("{} added", span(told.extended_ms))),
        Some(format!("environment {}", told.environment.state)),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!(
        "{:<12}  {}",
        told.state.as_str().to_uppercase(),
        parts.join(" · ")
    )
}

/// Names the step of the preparation that is under way.
fn stage(told: &StatusDocument) -> Option<&'static str> {
    let active = |stage: &&crate::Stage| stage.state == StageState::Active;
    let stage = told.stages.iter().find(active)?;
    Some(match stage.name {
        StageName::Waiting => "waiting for a worker",
        StageName::Creating => "making the environment",
        StageName::Isolating => "proving its isolation",
        StageName::Ready => "ready",
    })
}

const fn person(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Staff => "staff",
        EndedBy::Candidate => "the candidate",
        EndedBy::System => "the system",
    }
}

fn left(told: &StatusDocument) -> String {
    match (told.remaining_ms, told.startup_remaining_ms) {
        (Some(left), _) => format!(" · {} left", span(left)),
        (None, Some(left)) => format!(" · {} left to become ready", span(left)),
        (None, None) => String::new(),
    }
}

/// Writes hours, minutes and seconds, such as `01:27:43`.
fn span(milliseconds: i64) -> String {
    let seconds = TimeDelta::milliseconds(milliseconds).num_seconds().max(0);
    let (minutes, second) = (seconds / 60, seconds % 60);
    format!("{:02}:{:02}:{second:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use session_lifecycle::SessionState;

    use super::*;
    use crate::derive::tests::{row, tell};

    #[test]
    fn each_state_has_its_line() {
        let states = SessionState::ALL.into_iter().zip([0, 2, 10, 70, 110, 110]);
        let lines: Vec<_> = states
            .map(|(state, seconds)| write(&tell(&row(state), seconds)))
            .collect();
        let wanted = [
            "09:00:00  CREATED       waiting for a worker · environment absent · 00:01:00 left to become ready",
            "09:00:02  INITIALIZING  making the environment · environment creating · 00:00:58 left to become ready",
            "09:00:10  READY         environment up",
            "09:01:10  RUNNING       environment up · 01:59:50 left",
            "09:01:50  TERMINATED    operator_ended · by staff · environment gone",
            "09:01:50  FAILED        runtime.memory_exceeded: Your environment used more memory than allowed and stopped. · environment destroying",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn passing_time_alone_is_no_news_and_an_extension_is() {
        let mut running = row(SessionState::Running);
        let (now, later) = (tell(&running, 70), tell(&running, 80));
        assert_ne!(write(&now), write(&later));
        assert_eq!(words(&now), words(&later));
        running.extended_seconds = 600;
        assert!(words(&tell(&running, 80)).contains("00:10:00 added"));
    }
}
