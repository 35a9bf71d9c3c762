use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use carrel_keeper::report::{Interface, Network, Probe, ProbeOutcome};

/// Per attempt; all run at once.
const PATIENCE: Duration = Duration::from_millis(300);

/// For all of them together, should threads start late on a busy node.
const ALL: Duration = Duration::from_millis(1500);

/// Where clouds hand out credentials.
const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// What a node, seen as default gateway, commonly offers: ssh, DNS, web, API server, kubelet.
const GATEWAY_PORTS: [u16; 6] = [22, 53, 80, 443, 6443, 10250];

/// Lists the interfaces and tries `probes`, the metadata address and the default gateway.
pub(super) fn look(probes: &[SocketAddr]) -> Network {
    let mut targets = vec![METADATA];
    targets.extend_from_slice(probes);
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    for gateway in default_gateways(&routes) {
        targets.extend(GATEWAY_PORTS.map(|port| SocketAddr::new(gateway.into(), port)));
    }
    targets.sort();
    targets.dedup();
    Network {
        interfaces: interfaces(),
        reachable: try_all(targets),
    }
}

fn try_all(targets: Vec<SocketAddr>) -> Vec<Probe> {
    let (sender, answers) = mpsc::channel();
    for (index, target) in targets.iter().copied().enumerate() {
        let sender = sender.clone();
        // Nobody listens any more when the time is up.
        std::thread::spawn(move || sender.send((index, connect(&target))).ok());
    }
    drop(sender);
    let mut outcomes = vec![ProbeOutcome::TimedOut; targets.len()];
    let end = Instant::now() + ALL;
    while let Ok((index, outcome)) = answers.recv_timeout(end - Instant::now().min(end)) {
        outcomes[index] = outcome;
    }
    targets
        .into_iter()
        .zip(outcomes)
        .map(|(target, outcome)| probe(target, outcome))
        .collect()
}

fn probe(target: SocketAddr, outcome: ProbeOutcome) -> Probe {
    let ok = matches!(outcome, ProbeOutcome::Connected | ProbeOutcome::Refused);
    Probe {
        target: target.to_string(),
        ok,
        outcome,
    }
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

/// Finds gateways of routes to 0.0.0.0; the kernel prints addresses as little-endian hex.
fn default_gateways(routes: &str) -> Vec<Ipv4Addr> {
    let parse = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| Ipv4Addr::from(gateway.to_le_bytes()))
    };
    routes.lines().skip(1).filter_map(parse).collect()
}

fn interfaces() -> Vec<Interface> {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| interface(name.trim(), &addresses))
        .collect()
}

fn interface(name: &str, addresses: &str) -> Interface {
    let of_name = addresses
        .lines()
        .filter(|line| line.split_whitespace().nth(5) == Some(name));
    let ipv6 = of_name.filter_map(|line| u128::from_str_radix(line.get(..32)?, 16).ok());
    Interface {
        name: name.to_owned(),
        ipv6: ipv6
            .map(|bits| Ipv6Addr::from_bits(bits).to_string())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_gateway_is_read_backwards() {
        let routes = "Iface\tDestination\tGateway\n\
            eth0\t00000000\t0101A8C0\t0003\neth0\t0001A8C0\t00000000\t0001\n";
        assert_eq!(default_gateways(routes), [Ipv4Addr::new(192, 168, 1, 1)]);
    }

    #[test]
    fn link_local_addresses_belong_to_their_interface() {
        let addresses = "fe80000000000000022e2dfffe6b1b5d 02 40 20 80     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\n";
        assert_eq!(interface("lo", addresses).ipv6, ["::1"]);
        assert_eq!(
            interface("eth0", addresses).ipv6,
            ["fe80::22e:2dff:fe6b:1b5d"]
        );
    }

    #[test]
    fn a_listener_is_connected_and_a_closed_port_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        assert_eq!(connect(&open), ProbeOutcome::Connected);
        drop(listener);
        assert_eq!(connect(&open), ProbeOutcome::Refused);
    }
}
