use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use carrel_keeper::report::{Probe, ProbeOutcome};

/// Per attempt; all run at once.
const PATIENCE: Duration = Duration::from_millis(300);

/// For all of them together, should threads start late on a busy node.
const ALL: Duration = Duration::from_secs(5);

/// Answers at once, whoever listens there: the environment's own loopback.
const OWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Where the own loopback takes longer than this, silence from elsewhere proves nothing.
const QUICK: Duration = Duration::from_millis(100);

/// Attempts a TCP connection to each of `targets`; what could not be attempted is left out.
/// Without one of them the whole round is.
///
/// A node that is too busy to carry a packet to itself hides what would answer. Such a round is
/// made again, and when there is no better one in time, nothing counts as attempted.
pub(super) fn try_all(targets: &[SocketAddr]) -> Vec<Probe> {
    let end = Instant::now() + ALL;
    while Instant::now() < end {
        let (own, probes) = round(targets, end);
        // A round that was cut short, or lacked a thread, has not tried what it does not name.
        if counts(own) && probes.len() == targets.len() {
            return probes;
        }
    }
    Vec::new()
}

/// Whether silence in a round says anything.
fn counts(own: Option<Duration>) -> bool {
    own.is_some_and(|took| took < QUICK)
}

/// Tries all at once; first, how long the own loopback took to answer.
fn round(targets: &[SocketAddr], end: Instant) -> (Option<Duration>, Vec<Probe>) {
    let (sender, answers) = mpsc::channel();
    for target in targets.iter().copied().chain([OWN]) {
        let sender = sender.clone();
        // Nobody listens any more when the time is up.
        let attempt = move || {
            let begun = Instant::now();
            let outcome = connect(&target);
            sender.send((target, outcome, begun.elapsed())).ok()
        };
        std::thread::Builder::new().spawn(attempt).ok();
    }
    drop(sender);
    let (mut own, mut probes) = (None, Vec::new());
    while let Ok((target, outcome, took)) = answers.recv_timeout(end - Instant::now().min(end)) {
        if target == OWN {
            own = Some(took);
        } else {
            probes.push((target, outcome));
        }
    }
    probes.sort_by_key(|(target, _)| *target);
    let probes = probes.into_iter();
    (
        own,
        probes
            .map(|(target, outcome)| probe(target, outcome))
            .collect(),
    )
}

fn probe(target: SocketAddr, outcome: ProbeOutcome) -> Probe {
    let outcome = match outcome {
        ProbeOutcome::Refused => who_refused(&target),
        other => other,
    };
    let ok = matches!(outcome, ProbeOutcome::Connected | ProbeOutcome::Refused);
    Probe {
        target: target.to_string(),
        ok,
        outcome,
    }
}

/// Tells a far end's reset from a rule on the way that sends ICMP back, which `connect` reports by
/// the same error: only the former is a TCP segment that came in.
///
/// Tried alone, after all others; a late segment of theirs errs towards the far end.
fn who_refused(target: &SocketAddr) -> ProbeOutcome {
    let before = segments_received();
    let outcome = connect(target);
    let none_came = before.is_some() && before == segments_received();
    match outcome {
        ProbeOutcome::Refused if none_came => ProbeOutcome::Unreachable,
        other => other,
    }
}

/// TCP segments this network namespace has received.
fn segments_received() -> Option<u64> {
    in_segs(&fs::read_to_string("/proc/self/net/snmp").ok()?)
}

/// The table has a line of names and a line of values for each protocol.
fn in_segs(table: &str) -> Option<u64> {
    let mut lines = table.lines().filter(|line| line.starts_with("Tcp:"));
    let names = lines.next()?.split_whitespace();
    let mut fields = names.zip(lines.next()?.split_whitespace());
    fields
        .find(|(name, _)| *name == "InSegs")
        .and_then(|(_, value)| value.parse().ok())
}

fn connect(address: &SocketAddr) -> ProbeOutcome {
    match TcpStream::connect_timeout(address, PATIENCE) {
        Ok(_) => ProbeOutcome::Connected,
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => ProbeOutcome::Refused,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => ProbeOutcome::TimedOut,
            _ => ProbeOutcome::Unreachable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_connected_and_a_closed_port_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        assert_eq!(connect(&open), ProbeOutcome::Connected);
        drop(listener);
        assert_eq!(connect(&open), ProbeOutcome::Refused);
        assert_eq!(
            probe(open, ProbeOutcome::Refused).outcome,
            ProbeOutcome::Refused
        );
    }

    #[test]
    fn silence_counts_only_where_the_own_loopback_answers_at_once() {
        assert!(counts(Some(Duration::from_millis(1))));
        assert!(!counts(Some(QUICK)) && !counts(None));
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = open.local_addr().unwrap();
        let (own, probes) = round(&[open], Instant::now() + Duration::from_mins(1));
        assert!(own.is_some());
        assert_eq!(probes.len(), 1, "the own loopback is no target");
    }

    #[test]
    fn received_segments_are_found_by_their_name() {
        let table = "Ip: A InSegs\nIp: 1 2\nTcp: RtoMin InSegs OutSegs\nTcp: 200 77 78\n";
        assert_eq!(in_segs(table), Some(77));
        assert_eq!(in_segs("Tcp: InSegs\n"), None);
    }
}
