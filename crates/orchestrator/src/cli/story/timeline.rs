//! Every record of a session in one order.

use chrono::{DateTime, Utc};
use job_queue::AttemptRecord;
use serde::Serialize;
use session_identity::JobId;
use session_lifecycle::{ExtensionRecord, SessionState, TransitionRecord};

use super::facts::{JobStory, Story};
use super::words::{seconds_between, signed_span, who};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Event {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// What, in one or two words.
    pub(super) what: String,
    /// The rest, in parts that stand alone.
    pub(super) details: Vec<String>,
    /// The job it happened in or to.
    pub(super) job_id: Option<JobId>,
}

/// Merges what the libraries know, oldest first.
pub(super) fn tell(story: &Story) -> Vec<Event> {
    let transitions = story.transitions.iter().map(|row| transition(story, row));
    let extensions = story.extensions.iter().map(extension);
    let jobs = story.jobs.iter().flat_map(job);
    let mut events: Vec<_> = transitions
        .chain(extensions)
        .chain(jobs)
        .chain(environment(story))
        .collect();
    // Stable: what happened in one instant stays in the order of the list above.
    events.sort_by_key(|event| event.at);
    events
}

fn event(at: DateTime<Utc>, what: impl Into<String>, details: Vec<String>) -> Event {
    Event {
        at,
        what: what.into(),
        details,
        job_id: None,
    }
}

fn transition(story: &Story, row: &TransitionRecord) -> Event {
    let session = &story.session;
    let mut details = match row.to {
        SessionState::Ready => {
            let taken = seconds_between(session.created_at, row.at);
            isolation(story)
                .into_iter()
                .chain([format!("{taken} s since request")])
                .collect()
        }
        SessionState::Running => vec!["first attach".to_owned()],
        SessionState::Terminated => ending(story),
        SessionState::Failed => failure(story),
        SessionState::Created | SessionState::Initializing => vec![row.cause.clone()],
    };
    let author = if row.to == SessionState::Terminated {
        session.ending_actor.as_deref().unwrap_or(&row.actor)
    } else {
        &row.actor
    };
    details.push(format!("by {}", who(author)));
    Event {
        job_id: row.job_id,
        ..event(row.at, row.to.as_str(), details)
    }
}

fn isolation(story: &Story) -> Option<String> {
    let isolation = story.environment.as_ref()?.isolation.as_ref()?;
    Some(format!("isolation {}/{}", isolation.held, isolation.total))
}

fn ending(story: &Story) -> Vec<String> {
    let ending = story.session.ending.as_ref();
    let kind = ending.map(|ending| ending.kind.as_str().to_owned());
    kind.into_iter()
        .chain(ending.and_then(|ending| ending.note.clone()))
        .collect()
}

fn failure(story: &Story) -> Vec<String> {
    let told = story.failure.as_ref().map(|failure| {
        let whose = failure
            .attribution
            .map_or("unknown", |whose| whose.as_str());
        [
            format!("{} ({whose})", failure.code),
            failure.reason.clone(),
        ]
    });
    told.into_iter().flatten().collect()
}

fn extension(row: &ExtensionRecord) -> Event {
    let what = format!("extended {}", signed_span(i64::from(row.by_seconds)));
    event(
        row.at,
        what,
        vec![row.reason.clone(), format!("by {}", who(&row.actor))],
    )
}

fn job(story: &JobStory) -> Vec<Event> {
    let job = &story.job;
    let id = JobId::from_uuid(job.id);
    let attempt = job
        .payload
        .get("attempt")
        .and_then(serde_json::Value::as_i64);
    let what = match attempt {
        Some(attempt) if attempt > 1 => format!("job {} {attempt}", job.kind),
        _ => format!("job {}", job.kind),
    };
    let runs = story
        .attempts
        .iter()
        .map(|run| event(run.started_at, what.clone(), run_details(run)));
    let mut events: Vec<_> = runs.collect();
    match (job.state.as_str(), job.started_at) {
        ("running", Some(started)) => {
            events.push(event(
                started,
                what,
                vec![format!("run {} is under way", job.run_token)],
            ));
        }
        ("ready", _) => {
            let due = format!("due {}", job.run_at.format("%T%.3f"));
            events.push(event(job.created_at, what, vec!["waiting".to_owned(), due]));
        }
        ("cancelled", _) if story.attempts.is_empty() => {
            let at = job.finished_at.unwrap_or(job.created_at);
            events.push(event(at, what, vec!["cancelled before it ran".to_owned()]));
        }
        _ => {}
    }
    events
        .into_iter()
        .map(|event| Event {
            job_id: Some(id),
            ..event
        })
        .collect()
}

fn run_details(run: &AttemptRecord) -> Vec<String> {
    let worker = run
        .worker_name
        .clone()
        .unwrap_or_else(|| run.worker.to_string());
    let took = format!("{} s", seconds_between(run.started_at, run.finished_at));
    let mut details = vec![worker, format!("run {}", run.run_token), took];
    if run.outcome != "done" {
        details.push(run.outcome.clone());
    }
    details.extend(run.error_class.clone());
    details.extend(run.error.as_ref().map(|error| format!("{error:?}")));
    details
}

fn environment(story: &Story) -> Vec<Event> {
    let Some(place) = &story.environment else {
        return Vec::new();
    };
    let name = place.runtime_name.as_ref().map(ToString::to_string);
    let uid = place.runtime_uid.as_ref().map(|uid| format!("uid {uid}"));
    let moments = [
        (
            place.creating_at,
            format!("attempt {}", place.attempt),
            name,
        ),
        (
            place.created_in_runtime_at,
            "environment made".to_owned(),
            uid,
        ),
        (place.destroying_at, "teardown".to_owned(), None),
        (
            place.gone_at,
            "environment gone".to_owned(),
            Some("confirmed by the runtime".to_owned()),
        ),
    ];
    let told = moments
        .into_iter()
        .filter_map(|(at, what, detail)| Some(event(at?, what, detail.into_iter().collect())));
    told.collect()
}
