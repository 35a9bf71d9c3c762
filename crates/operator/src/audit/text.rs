//! The list for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::cursor::Cursor;
use super::entry::Entry;

/// Writes one line an entry, and how to go on.
pub(super) fn table(entries: &[Entry], next: Option<&Cursor>) -> String {
    let mut text = String::new();
    let widest = |width: fn(&Entry) -> usize| entries.iter().map(width).max().unwrap_or_default();
    let (actor, verb) = (
        widest(|entry| entry.actor.len()),
        widest(|entry| entry.verb.len()),
    );
    for entry in entries {
        let at = entry.at.format("%Y-%m-%d %H:%M:%S");
        let (about, reason) = (about(entry), entry.reason.as_deref().unwrap_or("-"));
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{at}  {:<actor$}  {:<verb$}  {about}  {reason}",
            entry.actor, entry.verb
        )
        .ok();
    }
    if entries.is_empty() {
        text.push_str("nobody did anything\n");
    }
    if let Some(next) = next {
        writeln!(text, "there may be more: --cursor {next}").ok();
    }
    text
}

/// All ids that it concerns, or the particulars where it concerns none.
fn about(entry: &Entry) -> String {
    let ids = [
        ("user", entry.user_id.as_ref().map(ToString::to_string)),
        ("session", entry.session_id.map(|id| id.to_string())),
        ("environment", entry.environment_id.map(|id| id.to_string())),
        ("job", entry.job_id.map(|id| id.to_string())),
    ];
    let ids = ids
        .into_iter()
        .filter_map(|(noun, id)| Some(format!("{noun} {}", id?)));
    let about: Vec<_> = ids.chain(extended(entry)).collect();
    match (&entry.detail, about.is_empty()) {
        (Some(detail), true) => detail.to_string(),
        (None, true) => "-".to_owned(),
        (_, false) => about.join(" "),
    }
}

/// By how much a deadline moved.
fn extended(entry: &Entry) -> Option<String> {
    let seconds = entry
        .detail
        .as_ref()?
        .get("by_seconds")
        .and_then(Value::as_i64)?;
    Some(format!("by {seconds} s"))
}
