//! Free loopback ports for processes whose addresses must be known before they start.

use std::net::TcpListener;
use std::sync::Mutex;

/// Below the range from which the kernel takes ports for outgoing connections, so that no
/// connection of a neighbour takes one between this look and the process's own bind.
const RANGE: std::ops::Range<u16> = 18_000..32_000;
/// More than the longest suite asks for at once, and few enough for twenty suites beside each other.
const BLOCK: u16 = 700;

static OWN: Mutex<Option<Block>> = Mutex::new(None);

/// The ports of one suite. It listens on the first for as long as it lives, so that no other suite
/// gives one away that is free for a moment only: its process is about to start, or starts again.
struct Block {
    first: u16,
    given: u16,
    _claim: TcpListener,
}

impl Block {
    fn claim() -> Self {
        let starts = RANGE.step_by(usize::from(BLOCK));
        let mut claims = starts.filter_map(|first| Some((first, listen(first)?)));
        let (first, claim) = claims.next().expect("one of all blocks of ports is free");
        Self {
            first,
            given: 0,
            _claim: claim,
        }
    }

    /// The one that was not given for the longest time.
    fn next(&mut self) -> u16 {
        self.given = (self.given + 1) % (BLOCK - 1);
        self.first + 1 + self.given
    }
}

/// Returns a port that is free, and that no other suite is given; in this one it is not given again
/// before all others were.
pub fn free_port() -> u16 {
    let mut own = OWN.lock().expect("no test panics inside");
    let own = own.get_or_insert_with(Block::claim);
    let mut turn = (1..BLOCK).map(|_| own.next());
    turn.find(|port| listen(*port).is_some())
        .expect("one of the suite's ports is free")
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}

/// The same address at another host and port.
pub fn moved(url: &str, (host, port): &(String, u16)) -> String {
    let mut url = url::Url::parse(url).expect("the address is a URL");
    url.set_host(Some(host)).expect("a host");
    url.set_port(Some(*port)).expect("a port");
    url.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_block_has_one_owner_and_gives_each_port_once_in_a_turn() {
        let (mut one, mut other) = (Block::claim(), Block::claim());
        assert_ne!(one.first, other.first);
        let ports: HashSet<u16> = (1..BLOCK)
            .flat_map(|_| [one.next(), other.next()])
            .collect();
        assert_eq!(ports.len(), 2 * usize::from(BLOCK - 1));
        for first in [one.first, other.first] {
            assert!(!ports.contains(&first), "it is the claim");
            assert!(ports.iter().all(|port| RANGE.contains(port)));
        }
    }
}
