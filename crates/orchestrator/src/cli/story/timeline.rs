//! What happened to a session, in one order.

use session_lifecycle::{ExtensionRecord, SessionState, TransitionRecord};

use super::event::{Event, in_order};
use super::facts::Story;
use super::runs;
use super::words::{seconds_between, signed_span};

/// Merges the session's own changes, its jobs' runs and its environment's moments, oldest first.
pub(super) fn tell(story: &Story) -> Vec<Event> {
    let transitions = story.transitions.iter().map(|row| transition(story, row));
    let extensions = story.extensions.iter().map(extension);
    let jobs = story.jobs.iter().flat_map(runs::events);
    in_order(
        transitions
            .chain(extensions)
            .chain(jobs)
            .chain(environment(story)),
    )
}

fn transition(story: &Story, row: &TransitionRecord) -> Event {
    let session = &story.session;
    let details = match row.to {
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
    let id = format!("transition/{}", row.version);
    Event::new(id, row.at, row.to.as_str(), details)
        .by(author)
        .in_job(row.job_id)
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
    let id = format!("extension/{}", row.version);
    Event::new(id, row.at, what, vec![row.reason.clone()]).by(row.actor.clone())
}

fn environment(story: &Story) -> Vec<Event> {
    let Some(place) = &story.environment else {
        return Vec::new();
    };
    let name = place.runtime_name.as_ref().map(ToString::to_string);
    let uid = place.runtime_uid.as_ref().map(|uid| format!("uid {uid}"));
    let attempt = format!("attempt {}", place.attempt);
    let confirmed = Some("confirmed by the runtime".to_owned());
    let moments = [
        ("creating", place.creating_at, attempt.as_str(), name),
        ("made", place.created_in_runtime_at, "environment made", uid),
        ("teardown", place.destroying_at, "teardown", None),
        ("gone", place.gone_at, "environment gone", confirmed),
    ];
    let told = moments
        .into_iter()
        .filter_map(|(moment, at, what, detail)| {
            // A new attempt has the same moments again.
            let id = format!("environment/{}/{moment}", place.attempt);
            Some(Event::new(id, at?, what, detail.into_iter().collect()))
        });
    told.collect()
}
