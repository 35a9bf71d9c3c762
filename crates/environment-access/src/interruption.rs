//! The ledger of interruptions: when a candidate whose clock ran had no working terminal, and
//! whose doing it was.
//!
//! Nothing of it is stored: it is read off the attaches, outages and processes on record, so that it
//! can never disagree with them. In doubt a time is the platform's.

mod charge;
mod gaps;
mod load;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{AttachmentRecord, OutageRecord, RefusalRecord, Span};

pub use charge::ChargedTo;
pub use load::load_interruptions;

/// Shorter than this, nobody was kept from anything.
const NOTICEABLE: TimeDelta = TimeDelta::seconds(1);

/// A time in which a candidate had no working terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interruption {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when; `None` while it lasts.
    pub until: Option<DateTime<Utc>>,
    /// Whose doing it was.
    pub charged_to: ChargedTo,
    /// Why: the word of a close code, of an outage or of a refusal, or `process_lost`, `service_down`,
    /// `opening`, `not_back`.
    pub cause: String,
    /// The attach that it ended, kept from opening or befell; for one that did not begin, the last
    /// before it.
    pub epoch: i64,
}

impl Interruption {
    /// Returns how long it took; `None` while it lasts.
    pub fn lasted(&self) -> Option<TimeDelta> {
        Some(self.until? - self.from)
    }
}

/// What is on record about a session's terminal.
#[derive(Debug, Clone)]
pub struct AccessEvidence {
    /// Every attach, oldest first.
    pub attachments: Vec<AttachmentRecord>,
    /// When the candidate was turned away before an attach began, oldest first.
    pub refusals: Vec<RefusalRecord>,
    /// The outages of attached terminals.
    pub outages: Vec<OutageRecord>,
    /// The times without any terminal process.
    pub downtimes: Vec<Span>,
    /// From when the session's clock ran, until it ended or until now.
    pub clock: Span,
    /// Whether the session has ended.
    pub ended: bool,
}

/// Lists the interruptions, oldest first. Those of the platform may overlap.
pub fn find_interruptions(evidence: &AccessEvidence) -> Vec<Interruption> {
    let mut found = gaps::find(evidence);
    found.extend(evidence.outages.iter().map(befallen));
    let clock = evidence.clock;
    for interruption in &mut found {
        interruption.from = interruption.from.max(clock.from);
        interruption.until = interruption.until.map(|until| until.min(clock.until));
    }
    let last = clock.until;
    found.retain(|it| it.until.unwrap_or(last) - it.from >= NOTICEABLE);
    found.sort_by_key(|it| it.from);
    found
}

fn befallen(outage: &OutageRecord) -> Interruption {
    Interruption {
        from: outage.began_at,
        until: Some(outage.ended_at),
        charged_to: ChargedTo::Platform,
        cause: outage.cause.clone(),
        epoch: outage.epoch,
    }
}

/// Returns for how long the platform kept a candidate from working, as far as it is over. What
/// overlaps counts once.
pub fn platform_time(interruptions: &[Interruption]) -> TimeDelta {
    let mut spans: Vec<_> = interruptions
        .iter()
        .filter(|it| it.charged_to == ChargedTo::Platform)
        .filter_map(|it| Some((it.from, it.until?)))
        .collect();
    spans.sort_unstable();
    let (mut total, mut counted) = (TimeDelta::zero(), DateTime::<Utc>::MIN_UTC);
    for (from, until) in spans {
        total += (until - from.max(counted)).max(TimeDelta::zero());
        counted = counted.max(until);
    }
    total
}

#[cfg(test)]
mod tests;
