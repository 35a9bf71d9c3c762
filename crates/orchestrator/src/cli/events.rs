//! `sessions events`.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use command_line::{CliError, Document, GlobalArgs, Moment, OutputFormat, print_line};
use job_queue::database_now;
use serde_json::json;
use session_identity::{ExamSessionId, IdPrefix};
use sqlx::PgConnection;
use tokio::time::sleep;

use super::id;
use super::story::{self, Columns, Event, Explained};

/// A dozen rows by their keys; a person follows no faster.
const POLL: Duration = Duration::from_secs(1);

/// Whose events, since when, and whether to go on.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The session's id, or its beginning
    #[arg(value_name = "SESSION_ID")]
    id: IdPrefix,
    /// Only what happened since then: how long ago, such as 2h, or a date with its time and zone
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Goes on until the session has ended and its environment is gone, or until Ctrl-C
    #[arg(long)]
    follow: bool,
}

/// What was printed so far.
#[derive(Debug, Default)]
struct Printed {
    /// Each event's `until` as it was printed: with another one there is more to tell.
    ends: HashMap<String, Option<DateTime<Utc>>>,
    lines: u64,
}

/// Why the lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything is told, and nothing will follow.
    Over,
    /// Everything is told up to now.
    Now,
}

pub(super) async fn run(args: &EventsArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let id = id::find(&mut connection, &args.id).await?;
    let now = database_now(&mut connection).await?;
    let since = args.since.map(|since| since.before(now));
    let mut printed = Printed::default();
    let following = follow(
        &mut connection,
        (id, since),
        args.follow,
        globals.output,
        &mut printed,
    );
    let end = tokio::select! {
        end = following => end?,
        _ = tokio::signal::ctrl_c() => End::Now,
    };
    Ok(document(id, end, printed.lines))
}

async fn follow(
    conn: &mut PgConnection,
    (id, since): (ExamSessionId, Option<DateTime<Utc>>),
    goes_on: bool,
    output: OutputFormat,
    printed: &mut Printed,
) -> Result<End, CliError> {
    let mut was_over = false;
    loop {
        let explained = story::load(conn, id).await?;
        let is_read = printed.print(&explained, since, output)?;
        let is_over = explained.story.is_over();
        // One more look after the end: the job that removes an environment ends a moment later.
        if !goes_on || !is_read || was_over {
            return Ok(if is_over { End::Over } else { End::Now });
        }
        was_over = is_over;
        sleep(POLL).await;
    }
}

impl Printed {
    /// Prints what is new, and says whether anybody still reads.
    fn print(
        &mut self,
        explained: &Explained,
        since: Option<DateTime<Utc>>,
        output: OutputFormat,
    ) -> Result<bool, CliError> {
        for event in &explained.story.timeline {
            if !self.is_news(event, since) {
                continue;
            }
            if !print_line(&line(event, explained.story.begins()), output)? {
                return Ok(false);
            }
            self.lines += 1;
        }
        Ok(true)
    }

    fn is_news(&mut self, event: &Event, since: Option<DateTime<Utc>>) -> bool {
        let last = event.until.unwrap_or(event.at);
        since.is_none_or(|since| last >= since)
            && self.ends.insert(event.id.clone(), event.until) != Some(event.until)
    }
}

fn line(event: &Event, begins: DateTime<Utc>) -> Document {
    let line = story::line(event, begins, Columns::USUAL);
    let text = format!("{} {line}", event.at.date_naive());
    Document::new("orchestrator/sessions-event.v1", event).with_text(text)
}

/// The last line: without it the lines were cut off.
fn document(id: ExamSessionId, end: End, lines: u64) -> Document {
    let is_over = end == End::Over;
    let rest = if is_over { "it is over" } else { "it goes on" };
    let text = format!("{lines} events of {id}; {rest}");
    let data = json!({ "session_id": id, "events": lines, "over": is_over });
    Document::new("orchestrator/sessions-events-end.v1", data).with_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_once_and_again_when_its_end_is_another() {
        let at: DateTime<Utc> = "2026-11-29T09:00:00Z".parse().unwrap();
        let mut event = Event {
            id: "job/1/run/1".to_owned(),
            at,
            until: None,
            actor: None,
            what: "job".to_owned(),
            details: Vec::new(),
            job_id: None,
        };
        let mut printed = Printed::default();
        assert!(printed.is_news(&event, None));
        assert!(!printed.is_news(&event, None));
        event.until = Some(at + Duration::from_secs(1));
        assert!(printed.is_news(&event, None));
        assert!(!printed.is_news(&event, None));
        assert!(!printed.is_news(&event, Some(at + Duration::from_secs(2))));
    }
}
