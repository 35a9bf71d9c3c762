//! What the diary of changes must not hold.

use std::collections::{HashMap, HashSet};

use sqlx::types::Uuid;

use super::{Evidence, is_terminal};

/// One change of a job's state or token, in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) job_id: Uuid,
    pub(crate) key: Option<String>,
    /// State and token before; `None` for a new row.
    pub(crate) was: Option<(String, i64)>,
    pub(crate) became: (String, i64),
    /// Whether the lease before had run out, if there was one.
    pub(crate) lease_was_over: Option<bool>,
}

impl Change {
    fn is_claim(&self) -> bool {
        self.became.0 == "running"
    }
}

/// Says what may not have happened, a line each.
pub(super) fn broken(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for change in &evidence.changes {
        let is_operated = evidence.operated.contains(&change.job_id);
        let Some(was) = &change.was else {
            continue;
        };
        let said = format!(
            "job {} went from {was:?} to {:?}",
            change.job_id, change.became
        );
        if is_terminal(&was.0) && !is_operated {
            found.push(format!("{said} although it had ended"));
        }
        if change.became.1 < was.1 || change.is_claim() && change.became.1 <= was.1 {
            found.push(format!("{said} without a larger token"));
        }
        let is_taken_over = was.0 == "running" && change.is_claim();
        if is_taken_over && change.lease_was_over != Some(true) && !is_operated {
            found.push(format!("{said} under a lease that still held"));
        }
    }
    found.extend(doubled_keys(&evidence.changes));
    found
}

/// The most runs that there were at once. A claim sees only ends that are committed, whose changes are
/// in the diary before its own.
pub(crate) fn most_at_once(changes: &[Change]) -> usize {
    let (mut running, mut most) = (HashSet::new(), 0);
    for change in changes {
        if change.is_claim() {
            running.insert(change.job_id);
        } else {
            running.remove(&change.job_id);
        }
        most = most.max(running.len());
    }
    most
}

/// At no moment have two live jobs the same key.
fn doubled_keys(changes: &[Change]) -> Vec<String> {
    let mut holders: HashMap<&str, Uuid> = HashMap::new();
    let mut found = Vec::new();
    for change in changes {
        let Some(key) = change.key.as_deref() else {
            continue;
        };
        let holder = holders.get(key).copied();
        if is_terminal(&change.became.0) {
            holders.remove(key);
        } else if let Some(other) = holder.filter(|other| *other != change.job_id) {
            found.push(format!(
                "jobs {other} and {} lived with the key {key}",
                change.job_id
            ));
        } else {
            holders.insert(key, change.job_id);
        }
    }
    found
}
