//! What became of a session's jobs, run by run.

use job_queue::AttemptRecord;
use session_identity::JobId;

use super::event::Event;
use super::facts::JobStory;
use super::words::seconds_between;

pub(super) fn events(story: &JobStory) -> Vec<Event> {
    let what = name(story);
    let id = JobId::from_uuid(story.job.id);
    let runs = story.attempts.iter().map(|run| ended(id, &what, run));
    runs.chain(current(story, &what))
        .map(|event| event.in_job(Some(id)))
        .collect()
}

/// Names the kind, and the attempt at an environment where it is not the first.
fn name(story: &JobStory) -> String {
    let kind = &story.job.kind;
    let attempt = story.job.payload.get("attempt");
    match attempt.and_then(serde_json::Value::as_i64) {
        Some(attempt) if attempt > 1 => format!("job {kind} {attempt}"),
        _ => format!("job {kind}"),
    }
}

fn run_id(job: JobId, run_token: i64) -> String {
    format!("job/{job}/run/{run_token}")
}

fn ended(job: JobId, what: &str, run: &AttemptRecord) -> Event {
    let worker = run
        .worker_name
        .clone()
        .unwrap_or_else(|| run.worker.to_string());
    let took = format!("{} s", seconds_between(run.started_at, run.finished_at));
    let mut details = vec![format!("run {}", run.run_token), took];
    if run.outcome != "done" {
        details.push(run.outcome.clone());
    }
    details.extend(run.error_class.clone());
    details.extend(run.error.as_ref().map(|error| format!("{error:?}")));
    Event::new(run_id(job, run.run_token), run.started_at, what, details)
        .until(run.finished_at)
        .by(worker)
}

/// What has not ended, or ended without ever running.
fn current(story: &JobStory, what: &str) -> Option<Event> {
    let job = &story.job;
    let id = JobId::from_uuid(job.id);
    match (job.state.as_str(), job.started_at) {
        ("running", Some(started)) => {
            let details = vec![format!("run {} is under way", job.run_token)];
            Some(Event::new(
                run_id(id, job.run_token),
                started,
                what,
                details,
            ))
        }
        ("ready", _) => {
            let due = format!("due {}", job.run_at.format("%T%.3f"));
            let details = vec!["waiting".to_owned(), due];
            let waiting = Event::new(format!("job/{id}/waiting"), job.created_at, what, details);
            Some(waiting.by(job.enqueued_by.clone()))
        }
        ("cancelled", _) if story.attempts.is_empty() => {
            let at = job.finished_at.unwrap_or(job.created_at);
            let details = vec!["cancelled before it ran".to_owned()];
            Some(Event::new(format!("job/{id}/cancelled"), at, what, details))
        }
        _ => None,
    }
}
