//! As many open files as the terminals need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of one terminal: its socket, the duplicate, and the exec.
const PER_TERMINAL: u64 = 3;
/// Of everything else: the database, probes, requests under way, and the duplicates of sockets that were closed
/// within the last seconds.
const BESIDE: u64 = 1000;

/// Raises the soft limit as far as it goes, and says so when that is too little.
///
/// Many systems start a process with 1,024, which is some 300 terminals, and let it have more when
/// it asks.
pub(crate) fn allow(max_terminals: usize) {
    let needed = needed(max_terminals);
    let found = getrlimit(Resource::Nofile);
    let Some(allowed) = found.maximum else {
        return raise(None);
    };
    raise(Some(allowed));
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "too few open files for the terminals allowed: raise the hard limit (ulimit -Hn, \
             LimitNOFILE=) or lower --max-terminals"
        );
    }
}

fn needed(max_terminals: usize) -> u64 {
    let terminals = u64::try_from(max_terminals).unwrap_or(u64::MAX);
    terminals
        .saturating_mul(PER_TERMINAL)
        .saturating_add(BESIDE)
}

fn raise(most: Option<u64>) {
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_goes_up_to_the_hard_one() {
        assert_eq!(needed(2000), 7000);
        let before = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(before.maximum.map_or(512, |hard| hard.min(512))),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, low).unwrap();
        allow(8);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }
}
