//! How it stands with a queue, in a few words.

use crate::QueueStatus;

/// Whether it is open, and if not who closed it, for how long and why.
pub(super) fn state(queue: &QueueStatus) -> String {
    if queue.paused_at.is_none() {
        return "open".to_owned();
    }
    let by = queue.paused_by.as_deref().unwrap_or("unknown");
    let reason = queue.paused_reason.as_deref().unwrap_or("no reason given");
    let until = queue.paused_until;
    let until = until.map_or_else(|| "until resumed".to_owned(), |at| format!("until {at}"));
    format!("paused by {by} {until}: {reason}")
}
