//! A cohort as a document and in words.

use std::time::Duration;

use command_line::{Document, Exit, counted};
use serde_json::{Value, json};

use super::{Stopped, Work};
use crate::cli::story::words::signed_span;
use crate::{CohortOutcome, CohortReport, CohortVisit};

/// As many sessions as people are shown one by one.
const NAMED: usize = 20;

/// What would be, and the flag that has it done.
pub(super) fn preview(work: &Work, would_be: &CohortReport) -> Document {
    let data = data(work, would_be, true, None);
    let count = would_be.matched();
    let mut lines = vec![format!("would {}", whole(Tense::WouldBe, work, would_be))];
    lines.extend(named(would_be.visits().iter()));
    let apply = match work {
        Work::Compensate(_) => "--apply ",
        Work::Extend(_) | Work::End(_) => "",
    };
    lines.extend((count > 0).then(|| format!("to do it: {apply}--confirm {count}")));
    Document::new(schema(work), data).with_text(lines.join("\n"))
}

/// What was done, and to whom not.
pub(super) fn report(work: &Work, done: &CohortReport, stopped: Option<&Stopped>) -> Document {
    let data = data(work, done, false, stopped);
    let refused = |visit: &&CohortVisit| !visit.outcome.is_as_asked();
    let all_have_it = done.count(CohortOutcome::is_as_asked) == done.matched();
    let mut lines = match (done.matched(), stopped) {
        (0, None) => vec![format!(
            "no live session of {}; nothing changed",
            exam(work)
        )],
        // Stopped before the first one: how many there are is not known.
        (0, Some(_)) => Vec::new(),
        _ => vec![whole(Tense::Was, work, done)],
    };
    lines.extend(named(done.visits().iter().filter(refused)));
    if let Some(Stopped { because, next }) = stopped {
        let visited = done.visits().len();
        let visited = counted(visited, "session");
        lines.push(format!("stopped after {visited}: {because}"));
        lines.push(format!("next: {next}"));
    } else if let Work::Extend(extension) = work
        && done.matched() > 0
    {
        lines.push(format!("key: {}", extension.key));
    }
    let document = Document::new(schema(work), data).with_text(lines.join("\n"));
    if stopped.is_none() && all_have_it {
        return document;
    }
    document.with_exit(Exit::Partial)
}

/// Whether it is still to come.
#[derive(Clone, Copy)]
pub(super) enum Tense {
    WouldBe,
    Was,
}

/// Such as `extend 300 live sessions of linux-fundamentals +15m (298 in full, 2 refused: …)`.
pub(super) fn whole(tense: Tense, work: &Work, report: &CohortReport) -> String {
    let is_one = report.matched() == 1;
    let sessions = counted(report.matched(), "live session");
    let sessions = format!("{sessions} of {}", exam(work));
    let whose = if is_one { "its" } else { "their" };
    let what = match (work, tense) {
        (Work::Extend(extension), Tense::WouldBe) => {
            format!("extend {sessions} {}", span(extension.by))
        }
        (Work::Extend(extension), Tense::Was) => {
            format!("extended {sessions} {}", span(extension.by))
        }
        (Work::Compensate(_), Tense::WouldBe) => format!("give {sessions} {whose} time back"),
        (Work::Compensate(_), Tense::Was) => format!("gave {sessions} {whose} time back"),
        (Work::End(_), Tense::WouldBe) => format!("end {sessions}"),
        (Work::End(_), Tense::Was) if is_one => format!("{sessions} is being ended"),
        (Work::End(_), Tense::Was) => format!("{sessions} are being ended"),
    };
    let parts = parts(report);
    if parts.is_empty() {
        return what;
    }
    format!("{what} ({})", parts.join(", "))
}

fn span(by: Duration) -> String {
    signed_span(i64::try_from(by.as_secs()).unwrap_or(i64::MAX))
}

/// The outcomes in numbers, those that there are; nothing where all is as it was asked for just now.
fn parts(report: &CohortReport) -> Vec<String> {
    type Sort = fn(&CohortOutcome) -> bool;
    let sorts: [(Sort, &str); 7] = [
        (|it| matches!(it, CohortOutcome::Granted { .. }), "in full"),
        (
            |it| matches!(it, CohortOutcome::Capped { .. }),
            "up to their cap",
        ),
        (
            |it| matches!(it, CohortOutcome::AlreadyGranted { .. }),
            "had it already",
        ),
        (
            |it| matches!(it, CohortOutcome::NothingOwed),
            "owed nothing",
        ),
        (|it| matches!(it, CohortOutcome::Requested), "asked to end"),
        (
            |it| matches!(it, CohortOutcome::AlreadyRequested),
            "being ended already",
        ),
        (
            |it| matches!(it, CohortOutcome::AlreadyEnded { .. }),
            "had ended",
        ),
    ];
    let usual = |it: &_| matches!(it, CohortOutcome::Granted { .. } | CohortOutcome::Requested);
    if report.count(usual) == report.matched() {
        return Vec::new();
    }
    let counted = sorts.map(|(sort, words)| (report.count(sort), words.to_owned()));
    let refused = report.refused().into_iter();
    let refused = refused.map(|(code, count)| (count, format!("refused: {code}")));
    let all = counted.into_iter().chain(refused);
    all.filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect()
}

/// One session and what became of it.
pub(super) fn line(visit: &CohortVisit) -> String {
    let (id, user) = (visit.session_id, &visit.user_id);
    let time = "%F %T";
    let what = match &visit.outcome {
        CohortOutcome::Granted { new_end, .. } => format!("ends {}", new_end.format(time)),
        CohortOutcome::Capped { new_end, .. } => format!("ends {}, its cap", new_end.format(time)),
        CohortOutcome::AlreadyGranted { new_end } => {
            format!("ends {} already", new_end.format(time))
        }
        CohortOutcome::NothingOwed => "owed nothing".to_owned(),
        CohortOutcome::Requested => visit.state.to_string(),
        CohortOutcome::AlreadyRequested => "being ended already".to_owned(),
        CohortOutcome::AlreadyEnded { state } => format!("{state} already"),
        CohortOutcome::Refused { code, .. } => format!("refused: {code}"),
    };
    format!("  {id}  {user}  {what}")
}

fn named<'a>(visits: impl Iterator<Item = &'a CohortVisit>) -> Vec<String> {
    let mut lines: Vec<_> = visits.map(line).collect();
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    lines.extend((more > 0).then(|| format!("  and {more} more; -o json names all")));
    lines
}

fn exam(work: &Work) -> String {
    let cohort = work.cohort();
    match cohort.exam_version {
        Some(version) => format!("{} v{version}", cohort.exam_name),
        None => cohort.exam_name.clone(),
    }
}

fn data(work: &Work, report: &CohortReport, dry_run: bool, stopped: Option<&Stopped>) -> Value {
    let count = |sort: fn(&CohortOutcome) -> bool| json!(report.count(sort));
    let is_known = stopped.is_none() || report.matched() > 0;
    let stopped =
        stopped.map(|Stopped { because, next }| json!({ "because": because, "next": next }));
    let mut data = json!({
        "exam": work.cohort().exam_name, "exam_version": work.cohort().exam_version,
        "dry_run": dry_run, "matched": is_known.then(|| report.matched()),
        "left": is_known.then(|| report.left()),
        "stopped": stopped, "sessions": report.visits(),
    });
    match work {
        Work::Extend(extension) => {
            data["by_seconds"] = json!(extension.by.as_secs());
            data["key"] = json!(extension.key);
            data["granted"] = count(|it| matches!(it, CohortOutcome::Granted { .. }));
            data["already_granted"] =
                count(|it| matches!(it, CohortOutcome::AlreadyGranted { .. }));
            data["capped"] = count(|it| matches!(it, CohortOutcome::Capped { .. }));
            data["refused"] = json!(report.refused());
        }
        Work::Compensate(_) => {
            data["granted"] = count(|it| matches!(it, CohortOutcome::Granted { .. }));
            data["capped"] = count(|it| matches!(it, CohortOutcome::Capped { .. }));
            data["owed_nothing"] = count(|it| matches!(it, CohortOutcome::NothingOwed));
            data["refused"] = json!(report.refused());
        }
        Work::End(_) => {
            data["requested"] = count(|it| matches!(it, CohortOutcome::Requested));
            data["already_requested"] = count(|it| matches!(it, CohortOutcome::AlreadyRequested));
            data["already_ended"] = count(|it| matches!(it, CohortOutcome::AlreadyEnded { .. }));
        }
    }
    data
}

const fn schema(work: &Work) -> &'static str {
    match work {
        Work::Extend(_) => "orchestrator/sessions-extend-cohort.v1",
        Work::Compensate(_) => "orchestrator/sessions-compensate-cohort.v1",
        Work::End(_) => "orchestrator/sessions-terminate-cohort.v1",
    }
}
