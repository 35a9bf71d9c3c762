//! The story as a tired person can read it.

use chrono::{DateTime, TimeDelta, Utc};
use session_lifecycle::{SessionRecord, SessionState};

use super::event::Event;
use super::facts::{Failure, Story};
use super::place::Place;
use super::words::{clock_span, signed_span, who};

/// Between parts of a line.
pub(super) const DOT: &str = " · ";

/// Writes the short story, for `sessions show`.
pub(super) fn write(story: &Story) -> String {
    let mut lines = head(story);
    lines.extend(events(&story.timeline));
    let commands = if story.session.state.is_terminal() {
        let explain = format!("carrel sessions explain {} -o text", story.session.id);
        format!("{explain}  |  {}", next(story))
    } else {
        next(story)
    };
    lines.push(labelled("Next", &commands));
    lines.join("\n")
}

/// Writes where the session stands, and an empty line.
pub(super) fn head(story: &Story) -> Vec<String> {
    let mut lines = vec![headline(story), labelled("Clock", &clock(story))];
    if let Some(place) = &story.environment {
        lines.push(labelled("Place", &describe(place)));
    }
    if let Some(terminal) = &story.terminal {
        lines.push(labelled(
            "Terminal",
            &format!("epoch {}: attached as often", terminal.epoch),
        ));
    }
    lines.extend(story.failure.iter().flat_map(failure));
    lines.extend(ending(story).map(|text| labelled("Ended", &text)));
    lines.push(String::new());
    lines
}

pub(super) fn labelled(label: &str, text: &str) -> String {
    format!("{label:<10}{text}")
}

fn headline(story: &Story) -> String {
    let session = &story.session;
    let since = story
        .transitions
        .last()
        .map_or(session.created_at, |row| row.at);
    let when = match session.ended_at {
        Some(ended) => format!("at {}", moment(ended, session)),
        None => clock_span(story.status.server_time - since),
    };
    let left = story.status.remaining_ms.map(TimeDelta::milliseconds);
    let left = left.map(|left| format!(", {} left", clock_span(left)));
    format!(
        "{}  exam {} v{}  user {}  reference {}  {} {when}{}",
        labelled("Session", &session.id.to_string()),
        session.exam_name,
        session.exam_version,
        session.user_id,
        story.status.reference,
        session.state.as_str().to_uppercase(),
        left.unwrap_or_default()
    )
}

fn clock(story: &Story) -> String {
    let session = &story.session;
    let starts = match (session.running_at, session.duration) {
        (Some(at), Some(_)) => format!("started at first attach {}", moment(at, session)),
        (None, Some(_)) => "starts at first attach".to_owned(),
        (_, None) => "ends at one moment for everybody".to_owned(),
    };
    let granted: Vec<_> = story
        .extensions
        .iter()
        .map(|row| {
            let span = signed_span(i64::from(row.by_seconds));
            format!("{span} by {}, {}", who(&row.actor), row.reason)
        })
        .collect();
    let granted = if granted.is_empty() {
        String::new()
    } else {
        format!(" ({})", granted.join("; "))
    };
    let ends = session
        .ends_at
        .map(|at| format!("ends {}{granted}", moment(at, session)));
    let startup = (!session.state.is_terminal() && session.ready_at.is_none())
        .then(|| format!("ready by {}", moment(session.ready_by, session)));
    let cap = format!("absolute end {}", moment(session.absolute_end, session));
    let parts = [Some(starts), startup, ends, Some(cap)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(DOT)
}

/// Names the day only where it is not the one the session was requested on.
fn moment(at: DateTime<Utc>, session: &SessionRecord) -> String {
    if at.date_naive() == session.created_at.date_naive() {
        at.format("%T").to_string()
    } else {
        at.format("%F %T").to_string()
    }
}

fn describe(place: &Place) -> String {
    let runtime = place.runtime.map(|kind| kind.to_string());
    let name = place.runtime_name.as_ref().map(ToString::to_string);
    let uid = place.runtime_uid.as_ref().map(|uid| format!("uid {uid}"));
    let found: Vec<_> = [runtime, name, uid].into_iter().flatten().collect();
    let isolation = place.isolation.as_ref().map(|isolation| {
        let verdict = if isolation.proven {
            "proven"
        } else {
            "NOT PROVEN"
        };
        format!("isolation {verdict} {}/{}", isolation.held, isolation.total)
    });
    let parts = [
        Some(format!("environment {} {}", place.id, place.state)),
        Some(format!("attempt {}", place.attempt)),
        (!found.is_empty()).then(|| found.join(" ")),
        isolation,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(DOT)
}

fn failure(failure: &Failure) -> Vec<String> {
    let whose = failure
        .attribution
        .map_or("unknown", |whose| whose.as_str());
    let told = [
        (
            "Failure",
            Some(format!("{} ({whose}) {:?}", failure.code, failure.reason)),
        ),
        ("Operator", failure.operator_text.map(ToOwned::to_owned)),
        (
            "Candidate",
            failure
                .candidate_text
                .map(|text| format!("is told {text:?}")),
        ),
        ("Runbook", failure.runbook.clone()),
    ];
    told.into_iter()
        .filter_map(|(label, text)| Some(labelled(label, &text?)))
        .collect()
}

fn ending(story: &Story) -> Option<String> {
    let ending = story.session.ending.as_ref()?;
    let by = story
        .session
        .ending_actor
        .as_deref()
        .map(|actor| format!("by {}", who(actor)));
    let parts = [
        Some(ending.kind.as_str().to_owned()),
        by,
        ending.note.clone(),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(DOT))
}

/// Aligns the events and names each new day once.
fn events(events: &[Event]) -> Vec<String> {
    let width = events
        .iter()
        .map(|event| event.what.chars().count())
        .max()
        .unwrap_or_default();
    let mut lines = Vec::new();
    let mut day = None;
    for event in events {
        let date = event.at.date_naive();
        if day.replace(date) != Some(date) {
            lines.push(format!("{date} UTC"));
        }
        let time = event.at.format("%T%.3f");
        let by = event.actor.as_deref();
        let by = by.map(|actor| format!("by {}", who(actor)));
        let parts: Vec<_> = event.details.iter().cloned().chain(by).collect();
        let line = format!("{time}  {:<width$}  {}", event.what, parts.join(DOT));
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Names the commands that are likely next.
pub(super) fn next(story: &Story) -> String {
    let session = &story.session;
    let id = session.id;
    let jobs = format!("carrel jobs list --session {id}");
    match session.state {
        SessionState::Created | SessionState::Initializing => {
            format!("carrel sessions wait {id} --for ready  |  {jobs}")
        }
        SessionState::Ready | SessionState::Running => {
            format!("carrel sessions extend {id} --by 5m --reason … --as …  |  {jobs}")
        }
        SessionState::Terminated | SessionState::Failed => jobs,
    }
}
