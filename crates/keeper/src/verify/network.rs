mod addresses;
mod attempt;

use std::net::SocketAddr;

use carrel_keeper::report::{METADATA, Network};

/// What a node, seen as default gateway, commonly offers: ssh, DNS, web, API server, kubelet.
const GATEWAY_PORTS: [u16; 6] = [22, 53, 80, 443, 6443, 10250];

/// Any port will do: a neighbour that is reached and has no listener there answers with a reset.
const NEIGHBOUR_PORT: u16 = 80;

/// Lists the interfaces and tries `probes`, the metadata address, the default gateways and the
/// neighbours.
pub(crate) fn look(probes: &[SocketAddr]) -> Network {
    let mut targets = vec![METADATA];
    targets.extend_from_slice(probes);
    for gateway in addresses::gateways() {
        targets.extend(GATEWAY_PORTS.map(|port| addresses::at_port(gateway, port)));
    }
    let neighbours = addresses::neighbours();
    targets.extend(neighbours.map(|ip| SocketAddr::new(ip, NEIGHBOUR_PORT)));
    targets.sort();
    targets.dedup();
    Network {
        interfaces: addresses::interfaces(),
        reachable: attempt::try_all(&targets),
    }
}

/// Whether anything beyond this environment's own loopback answered.
pub(crate) fn anything_answers(network: &Network) -> bool {
    network.reachable.iter().any(|probe| {
        let own = probe.target.parse::<SocketAddr>();
        probe.ok && !own.is_ok_and(|target| target.ip().is_loopback())
    })
}
