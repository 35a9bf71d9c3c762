//! Times in which no attach was open.

use chrono::{DateTime, TimeDelta, Utc};

use super::{AccessEvidence, ChargedTo, Interruption};
use crate::{AttachmentRecord, RefusalRecord, Span};

/// So long a page may take to come back once it can; whoever takes longer has left.
const TO_COME_BACK: TimeDelta = TimeDelta::minutes(2);

/// From a moment on, why nobody is attached.
#[derive(Debug, Clone)]
struct Turn<'a> {
    at: DateTime<Utc>,
    charged_to: ChargedTo,
    cause: &'a str,
    epoch: i64,
    /// When the candidate should have been back; `None` where they are held.
    expires: Option<DateTime<Utc>>,
}

/// Finds every gap, cut where the reason changes.
pub(super) fn find(evidence: &AccessEvidence) -> Vec<Interruption> {
    let turns = turns(evidence);
    let all_edges = edges(&turns, &evidence.downtimes);
    let gaps = uncovered(evidence.clock, &open(evidence));
    let cut = gaps.into_iter().flat_map(|gap| {
        let edges = edges_of(gap, &all_edges);
        let slices: Vec<_> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let told = slices.into_iter().filter_map(|(from, until)| {
            let why = reason(from, &turns, &evidence.downtimes)?;
            let lasts = until == evidence.clock.until && !evidence.ended;
            Some(Interruption {
                from,
                until: (!lasts).then_some(until),
                ..why
            })
        });
        joined(told)
    });
    cut.collect()
}

/// When a shell was there, in order of begin.
fn open(evidence: &AccessEvidence) -> Vec<Span> {
    let open = |it: &AttachmentRecord| {
        let from = it.opened_at?;
        let until = it.detached_at.unwrap_or(evidence.clock.until);
        Some(Span {
            from,
            until: until.max(from),
        })
    };
    let mut open: Vec<_> = evidence.attachments.iter().filter_map(open).collect();
    open.sort_by_key(|span| span.from);
    open
}

/// What of a span is in none of the others, which are in order of begin.
fn uncovered(whole: Span, covers: &[Span]) -> Vec<Span> {
    let mut gaps = Vec::new();
    let mut from = whole.from;
    for cover in covers {
        let until = cover.from.min(whole.until);
        gaps.push(Span { from, until });
        from = from.max(cover.until);
    }
    gaps.push(Span {
        from,
        until: whole.until,
    });
    gaps.retain(|gap| gap.from < gap.until);
    gaps
}

fn turns(evidence: &AccessEvidence) -> Vec<Turn<'_>> {
    let of_one = |it: &AttachmentRecord| {
        // While it opens they wait for us.
        let begun = Turn {
            at: it.attached_at,
            charged_to: ChargedTo::Platform,
            cause: "opening",
            epoch: it.epoch,
            expires: None,
        };
        [Some(begun), ending(it, &evidence.downtimes)]
    };
    let begins = begins(&evidence.attachments);
    let turned_away = evidence
        .refusals
        .iter()
        .map(|refusal| turned_away(refusal, &begins, &evidence.downtimes));
    let attached = evidence.attachments.iter().flat_map(of_one).flatten();
    let mut turns: Vec<_> = attached.chain(turned_away).collect();
    turns.sort_by_key(|turn| turn.at);
    turns
}

/// When each attach began, and the newest until then: in order of time, so that one is found quickly.
fn begins(attachments: &[AttachmentRecord]) -> Vec<(DateTime<Utc>, i64)> {
    let mut begins: Vec<_> = attachments
        .iter()
        .map(|it| (it.attached_at, it.epoch))
        .collect();
    begins.sort_unstable();
    let mut newest = 0;
    for (_, epoch) in &mut begins {
        newest = newest.max(*epoch);
        *epoch = newest;
    }
    begins
}

/// They wanted to be back and were not let: ours, until they could have tried again.
fn turned_away<'a>(
    refusal: &'a RefusalRecord,
    begins: &[(DateTime<Utc>, i64)],
    downtimes: &[Span],
) -> Turn<'a> {
    let before = begins.partition_point(|(at, _)| *at <= refusal.at);
    let before = before.checked_sub(1).map(|last| begins[last].1);
    Turn {
        at: refusal.at,
        charged_to: ChargedTo::Platform,
        cause: &refusal.cause,
        epoch: before.unwrap_or(0),
        expires: Some(expiry(refusal.at, downtimes)),
    }
}

fn ending(attachment: &AttachmentRecord, downtimes: &[Span]) -> Option<Turn<'static>> {
    // Its last word may be older than its shell.
    let begun = attachment.opened_at.unwrap_or(attachment.attached_at);
    let at = attachment.detached_at?.max(begun);
    let code = attachment.closed_with();
    let known = attachment.close_code.is_some();
    let (charged_to, cause) = match code {
        Some(code) => (ChargedTo::of(code)?, code.as_str()),
        // A code of a newer Carrel, or a process that fell silent.
        None if known => (ChargedTo::Platform, "unknown"),
        None => (ChargedTo::Platform, "process_lost"),
    };
    Some(Turn {
        at,
        charged_to,
        cause,
        epoch: attachment.epoch,
        expires: (charged_to == ChargedTo::Platform).then(|| expiry(at, downtimes)),
    })
}

/// Nobody comes back while there is nothing to come back to.
fn expiry(since: DateTime<Utc>, downtimes: &[Span]) -> DateTime<Utc> {
    let mut expires = since + TO_COME_BACK;
    for down in downtimes {
        if down.from < expires && down.until > since {
            expires += down.until - down.from.max(since);
        }
    }
    expires
}

/// Where the reason may change, in order of time.
fn edges(turns: &[Turn<'_>], downtimes: &[Span]) -> Vec<DateTime<Utc>> {
    let of_turns = turns
        .iter()
        .flat_map(|turn| [Some(turn.at), turn.expires])
        .flatten();
    let of_downtimes = downtimes.iter().flat_map(|down| [down.from, down.until]);
    let mut edges: Vec<_> = of_turns.chain(of_downtimes).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Where it may change within a gap: its own ends first and last.
fn edges_of(gap: Span, all: &[DateTime<Utc>]) -> Vec<DateTime<Utc>> {
    let first = all.partition_point(|at| *at <= gap.from);
    let end = all.partition_point(|at| *at < gap.until);
    let within = all.get(first..end).unwrap_or_default();
    [&[gap.from][..], within, &[gap.until]].concat()
}

/// Why nobody is attached from `at` on; `None` before the first attach.
fn reason(at: DateTime<Utc>, turns: &[Turn<'_>], downtimes: &[Span]) -> Option<Interruption> {
    let turn = turns[..turns.partition_point(|turn| turn.at <= at)].last()?;
    let is_down = downtimes
        .iter()
        .any(|down| down.from <= at && at < down.until);
    let (charged_to, cause) = if is_down {
        (ChargedTo::Platform, "service_down")
    } else if turn.expires.is_some_and(|expires| expires <= at) {
        (ChargedTo::Candidate, "not_back")
    } else {
        (turn.charged_to, turn.cause)
    };
    Some(Interruption {
        from: at,
        until: None,
        charged_to,
        cause: cause.to_owned(),
        epoch: turn.epoch,
    })
}

/// Joins neighbours with one reason. Opening anew belongs to what made it necessary, whose ever that
/// was, as long as it is quick.
fn joined(slices: impl Iterator<Item = Interruption>) -> Vec<Interruption> {
    let mut joined: Vec<Interruption> = Vec::new();
    for slice in slices {
        match joined.last_mut() {
            Some(last) if belongs(last, &slice) => last.until = slice.until,
            _ => joined.push(slice),
        }
    }
    joined
}

fn belongs(last: &Interruption, slice: &Interruption) -> bool {
    let quick = slice
        .lasted()
        .is_some_and(|lasted| lasted < super::NOTICEABLE);
    let same = last.charged_to == slice.charged_to;
    match slice.cause.as_str() {
        "opening" => same || quick,
        cause => same && last.cause == cause,
    }
}
