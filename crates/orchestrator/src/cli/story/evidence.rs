//! What operators, candidates and the runtime did around a session.

use chrono::{DateTime, Utc};
use command_line::CliError;
use environment_access::{AccessRun, AttachmentRecord, Interruption, access_runs, attachments};
use job_queue::{JobActionRecord, job_actions};
use serde::Serialize;
use serde_json::Value;
use session_identity::JobId;
use sqlx::PgConnection;

use super::event::Event;
use super::facts::Story;
use super::words::length_and_cause;
use crate::Debt;
use crate::cli::failure;

/// Visitors beyond these were told of in lines that nobody reads any more.
const ACCESS_AT_MOST: i64 = 500;

/// What is known beside the story.
#[derive(Debug, Serialize)]
pub(super) struct Evidence {
    /// What operators did to the session's jobs, oldest first of each job.
    pub(super) actions: Vec<Action>,
    /// Attaches, and denials with equal ones told once, oldest first.
    pub(super) access: Vec<AccessRun>,
    /// Every attach, oldest first.
    pub(super) attachments: Vec<AttachmentRecord>,
    /// When the candidate had no working terminal, and what of it is owed.
    pub(super) interruptions: Debt,
}

/// What an operator did to one job.
#[derive(Debug, Serialize)]
pub(super) struct Action {
    pub(super) job_id: JobId,
    pub(super) job_kind: String,
    /// Its number among those on the job: actions are only ever appended, so it keeps it.
    pub(super) number: usize,
    #[serde(flatten)]
    pub(super) record: JobActionRecord,
}

pub(super) async fn load(conn: &mut PgConnection, story: &Story) -> Result<Evidence, CliError> {
    let mut actions = Vec::new();
    for job in story.jobs.iter().map(|story| &story.job) {
        let job_id = JobId::from_uuid(job.id);
        let records = job_actions(conn, job_id).await?.into_iter().zip(1..);
        actions.extend(records.map(|(record, number)| Action {
            job_id,
            job_kind: job.kind.clone(),
            number,
            record,
        }));
    }
    let access = access_runs(conn, story.session.id, ACCESS_AT_MOST).await?;
    let id = story.session.id;
    Ok(Evidence {
        actions,
        access,
        attachments: attachments(conn, id).await?,
        interruptions: Debt::of(conn, id).await.map_err(failure::step)?,
    })
}

/// Tells the evidence as events, in no order.
pub(super) fn events(story: &Story, evidence: &Evidence) -> Vec<Event> {
    let actions = evidence.actions.iter().map(action);
    let access = evidence.access.iter().map(access);
    let detaches = evidence.attachments.iter().filter_map(detach);
    let interruptions = evidence.interruptions.interruptions.iter();
    actions
        .chain(access)
        .chain(detaches)
        .chain(interruptions.map(interruption))
        .chain(signal(story))
        .collect()
}

fn action(action: &Action) -> Event {
    let record = &action.record;
    let mut details = vec![action.job_kind.clone()];
    details.extend(record.reason.clone());
    let id = format!("action/{}/{}", action.job_id, action.number);
    Event::new(id, record.at, record.verb.clone(), details)
        .by(record.actor.clone())
        .in_job(Some(action.job_id))
}

fn access(run: &AccessRun) -> Event {
    let id = format!("access/{}", run.first_id);
    let by = author(run);
    match run.epoch {
        Some(epoch) if run.allowed => {
            Event::new(id, run.first_at, "attached", epochs(epoch)).by(by)
        }
        _ => denial(id, run).by(by),
    }
}

/// An attach ends the one before it, if that one still lasts.
fn epochs(epoch: i64) -> Vec<String> {
    let takeover = (epoch > 1).then(|| format!("epoch {} may write no more", epoch - 1));
    [format!("epoch {epoch}")]
        .into_iter()
        .chain(takeover)
        .collect()
}

fn denial(id: String, run: &AccessRun) -> Event {
    let mut details: Vec<_> = run.code.iter().chain(&run.detail).cloned().collect();
    if run.times > 1 {
        let last = run.last_at.format("%T%.3f");
        details.push(format!("{} times until {last}", run.times));
    }
    Event::new(id, run.first_at, format!("{} denied", run.action), details).until(run.last_at)
}

/// Writes who came in the form of `Actor`.
fn author(run: &AccessRun) -> String {
    let role = match run.role.as_str() {
        "invigilator" | "operator" => "staff",
        other => other,
    };
    format!("{role}:{}", run.user_id)
}

fn detach(attachment: &AttachmentRecord) -> Option<Event> {
    let word = match (attachment.closed_with(), attachment.close_code) {
        (Some(code), _) => code.as_str().to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => "its process fell silent".to_owned(),
    };
    let details = vec![format!("epoch {}", attachment.epoch), word];
    let id = format!("detach/{}", attachment.epoch);
    Some(Event::new(id, attachment.detached_at?, "detached", details))
}

/// Who is to blame stands where others have who did it.
fn interruption(interruption: &Interruption) -> Event {
    let whose = interruption.charged_to.as_str();
    let (lasted, cause) = length_and_cause(interruption);
    let details = vec![lasted, cause, format!("epoch {}", interruption.epoch)];
    let id = format!("interruption/{}", interruption.from.timestamp_millis());
    let event = Event::new(id, interruption.from, "no terminal", details).by(whose);
    match interruption.until {
        Some(until) => event.until(until),
        None => event,
    }
}

/// The last thing that kept the environment from being ready.
fn signal(story: &Story) -> Option<Event> {
    let place = story.environment.as_ref()?;
    let note = place.last_signal.as_ref()?;
    let word = |key: &str| note.get(key).and_then(Value::as_str);
    let time = |key: &str| word(key)?.parse::<DateTime<Utc>>().ok();
    let (code, at) = (word("code")?, time("at")?);
    let attempt = note.get("attempt").and_then(Value::as_i64);
    let since = time("since").filter(|since| *since < at);
    let details = [
        Some(code.to_owned()),
        word("detail").map(ToOwned::to_owned),
        attempt.map(|attempt| format!("attempt {attempt}")),
        since.map(|since| format!("since {}", since.format("%T%.3f"))),
    ];
    let id = format!("signal/{}/{code}", attempt.unwrap_or_default());
    let details = details.into_iter().flatten().collect();
    Some(Event::new(id, at, "last signal", details).by("runtime"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> AccessRun {
        let at: DateTime<Utc> = "2026-11-29T09:00:01Z".parse().unwrap();
        AccessRun {
            first_id: 7,
            first_at: at,
            last_at: at,
            times: 1,
            user_id: "u-1".to_owned(),
            role: "candidate".to_owned(),
            action: "attach".to_owned(),
            allowed: true,
            code: None,
            detail: None,
            epoch: Some(1),
        }
    }

    #[test]
    fn the_first_attach_ends_no_other_and_the_next_one_does() {
        assert_eq!(access(&run()).details, ["epoch 1"]);
        let epoch = Some(2);
        let second = access(&AccessRun { epoch, ..run() });
        assert_eq!(second.details, ["epoch 2", "epoch 1 may write no more"]);
        assert_eq!(second.actor.as_deref(), Some("candidate:u-1"));
    }

    #[test]
    fn equal_denials_are_one_event_that_grows() {
        let denied = AccessRun {
            last_at: run().first_at + chrono::TimeDelta::seconds(3),
            times: 4,
            role: "invigilator".to_owned(),
            allowed: false,
            code: Some("access.denied".to_owned()),
            epoch: None,
            ..run()
        };
        let told = access(&denied);
        assert_eq!(told.what, "attach denied");
        assert_eq!(
            told.details,
            ["access.denied", "4 times until 09:00:04.000"]
        );
        assert_eq!(
            (told.id.as_str(), told.until),
            ("access/7", Some(denied.last_at))
        );
        assert_eq!(told.actor.as_deref(), Some("staff:u-1"));
    }
}
