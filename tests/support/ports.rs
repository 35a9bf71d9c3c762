//! Free loopback ports for processes whose addresses must be known before they start.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

/// Below the range from which the kernel takes ports for outgoing connections, so that no
/// connection of a neighbour takes one between this look and the process's own bind.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Returns a port that is free and was never returned before in this process.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().expect("no test panics inside");
    let given = given.get_or_insert_default();
    loop {
        let port = rand::random_range(RANGE);
        if given.insert(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
        assert!(given.len() < RANGE.len(), "no loopback port is free");
    }
}

/// The same address at another host and port.
pub fn moved(url: &str, (host, port): &(String, u16)) -> String {
    let mut url = url::Url::parse(url).expect("the address is a URL");
    url.set_host(Some(host)).expect("a host");
    url.set_port(Some(*port)).expect("a port");
    url.into()
}
