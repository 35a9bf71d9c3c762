//! What there is to see of an entry.

use command_line::{Cell, Column, List};
use serde_json::Value;

use super::entry::{Entry, Found};

/// The list of what people did. An entry has no id: where it stands names it.
pub(super) const LIST: List<Found> = List {
    schema: "operator/audit-list.v1",
    rows: "entries",
    empty: "nobody did anything",
    name: |found| found.cursor().to_string(),
    columns: &[
        Column::new("at", |found| found.entry.at.into()),
        Column::new("actor", |found| found.entry.actor.as_str().into()),
        Column::new("verb", |found| found.entry.verb.as_str().into()),
        Column::new("about", |found| about(&found.entry).into()),
        Column::new("reason", |found| found.entry.reason.as_deref().into()),
        Column::wide("user", |found| id(found.entry.user_id.as_ref())),
        Column::wide("session", |found| id(found.entry.session_id)),
        Column::wide("environment", |found| id(found.entry.environment_id)),
        Column::wide("job", |found| id(found.entry.job_id)),
        Column::wide("detail", |found| id(found.entry.detail.as_ref())),
    ],
};

fn id(value: Option<impl ToString>) -> Cell {
    value.map(Cell::words).into()
}

/// All ids that it concerns, or the particulars where it concerns none.
fn about(entry: &Entry) -> Option<String> {
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
    if about.is_empty() {
        return entry.detail.as_ref().map(ToString::to_string);
    }
    Some(about.join(" "))
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
