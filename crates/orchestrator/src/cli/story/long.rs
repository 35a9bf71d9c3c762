//! The timeline with everything in it, one line a moment: when, how long after the request, who,
//! what.

use chrono::{DateTime, Utc};

use super::Explained;
use super::event::Event;
use super::facts::Story;
use super::text::{DOT, head, labelled, next};
use super::words::{offset, who};
use crate::Debt;

/// Widths of the columns for who and what.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Columns {
    who: usize,
    what: usize,
}

impl Columns {
    /// For lines that are printed before the next is known.
    pub(in crate::cli) const USUAL: Self = Self { who: 20, what: 26 };

    fn of(events: &[Event]) -> Self {
        let widest = |words: fn(&Event) -> &str| {
            let lengths = events.iter().map(|event| words(event).chars().count());
            lengths.max().unwrap_or_default()
        };
        Self {
            who: widest(author),
            what: widest(|event| &event.what),
        }
    }
}

/// Writes the whole story, for `sessions explain`.
pub(super) fn write(explained: &Explained) -> String {
    let story = &explained.story;
    let mut lines = head(story);
    lines.extend(owed(&explained.evidence.interruptions, story));
    lines.extend(chronicle(&story.timeline, story.begins()));
    lines.push(labelled("Next", &next(story)));
    lines.join("\n")
}

/// What the platform has taken, before the empty line that ends the head.
fn owed(debt: &Debt, story: &Story) -> Vec<String> {
    if debt.owed_seconds == 0 {
        return Vec::new();
    }
    let (owed, due) = (debt.owed_seconds, debt.due_seconds);
    let ask = if due > 0 && !story.session.state.is_terminal() {
        format!("{DOT}carrel sessions compensate {}", story.session.id)
    } else {
        String::new()
    };
    let told = format!("{owed} s by the platform, {due} s of it not given back{ask}");
    vec![labelled("Owed", &told), String::new()]
}

/// Names each new day once, and aligns the rest.
fn chronicle(events: &[Event], begins: DateTime<Utc>) -> Vec<String> {
    let columns = Columns::of(events);
    let mut lines = Vec::new();
    let mut day = None;
    for event in events {
        let date = event.at.date_naive();
        if day.replace(date) != Some(date) {
            lines.push(format!("{date} UTC"));
        }
        lines.push(line(event, begins, columns));
    }
    lines
}

/// Writes one event, without its day.
pub(in crate::cli) fn line(event: &Event, begins: DateTime<Utc>, columns: Columns) -> String {
    let (author_width, what_width) = (columns.who, columns.what);
    let line = format!(
        "{}  {:>11}  {:<author_width$}  {:<what_width$}  {}",
        event.at.format("%T%.3f"),
        offset(event.at - begins),
        author(event),
        event.what,
        event.details.join(DOT)
    );
    line.trim_end().to_owned()
}

fn author(event: &Event) -> &str {
    event.actor.as_deref().map_or("-", who)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        format!("2026-11-{time}Z").parse().unwrap()
    }

    fn event(time: &str, actor: &str, what: &str, details: &[&str]) -> Event {
        let details = details.iter().map(|&part| part.to_owned()).collect();
        let event = Event::new("", at(time), what, details);
        if actor.is_empty() {
            event
        } else {
            event.by(actor)
        }
    }

    #[test]
    fn a_tired_person_reads_when_how_long_after_who_and_what() {
        let denied = "3 times until 23:59:50.000";
        let events = [
            event("29T23:59:01", "service:enrol", "created", &["request"]),
            event(
                "29T23:59:02.250",
                "worker-1",
                "job provision_environment",
                &["run 1", "0.3 s"],
            ),
            event("29T23:59:03", "", "attempt 1", &["carrel-1"]),
            event(
                "29T23:59:40",
                "candidate:u-2",
                "view denied",
                &["access.denied", denied],
            ),
            event(
                "30T00:01:00",
                "staff:dana",
                "job.retry",
                &["destroy_environment", "INC-7"],
            ),
        ];
        assert_eq!(
            chronicle(&events, at("29T23:59:01")),
            [
                "2026-11-29 UTC",
                "23:59:01.000  +00:00:00.0  service:enrol  created                    request",
                "23:59:02.250  +00:00:01.2  worker-1       job provision_environment  run 1 · 0.3 s",
                "23:59:03.000  +00:00:02.0  -              attempt 1                  carrel-1",
                "23:59:40.000  +00:00:39.0  candidate:u-2  view denied                access.denied · 3 times until 23:59:50.000",
                "2026-11-30 UTC",
                "00:01:00.000  +00:01:59.0  dana           job.retry                  destroy_environment · INC-7",
            ]
        );
    }
}
