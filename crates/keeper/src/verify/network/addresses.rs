use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use carrel_keeper::report::Interface;

/// How far from an own address neighbours are looked for, on both sides.
const NEAR: u8 = 2;

/// An address of IPv6, with the interface it means where it is link-local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    V4(Ipv4Addr),
    V6(Ipv6Addr, u32),
}

pub(super) fn at_port(gateway: Gateway, port: u16) -> SocketAddr {
    match gateway {
        Gateway::V4(ip) => SocketAddr::new(ip.into(), port),
        Gateway::V6(ip, scope) => SocketAddrV6::new(ip, port, 0, scope).into(),
    }
}

/// Finds the gateways of default routes.
pub(super) fn gateways() -> Vec<Gateway> {
    let addresses = read("if_inet6");
    let mut gateways = gateways_v4(&read("route"));
    gateways.extend(gateways_v6(&read("ipv6_route"), &addresses));
    gateways
}

/// Finds the addresses next to our own: pods of one node usually get theirs in order.
pub(super) fn neighbours() -> impl Iterator<Item = IpAddr> {
    let own = own_v4(&read("fib_trie")).into_iter().map(IpAddr::from);
    let own: BTreeSet<IpAddr> = own.chain(own_v6(&read("if_inet6"))).collect();
    let near: BTreeSet<IpAddr> = own.iter().copied().flat_map(next_to).collect();
    near.into_iter().filter(move |ip| !own.contains(ip))
}

/// Lists the interfaces with their IPv6 addresses.
pub(super) fn interfaces() -> Vec<Interface> {
    let (devices, addresses) = (read("dev"), read("if_inet6"));
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| interface(name.trim(), &addresses))
        .collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default()
}

/// The kernel prints addresses as little-endian hex.
fn gateways_v4(routes: &str) -> Vec<Gateway> {
    let parse = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        let leads_away = destination == "00000000" && gateway != 0;
        leads_away.then(|| Gateway::V4(Ipv4Addr::from(gateway.to_le_bytes())))
    };
    routes.lines().skip(1).filter_map(parse).collect()
}

/// Destination, its length, source, its length, next hop, …, interface.
fn gateways_v6(routes: &str, addresses: &str) -> Vec<Gateway> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let next = ipv6(fields.get(4)?)?;
        let leads_away = fields[1] == "00" && !next.is_unspecified();
        let scope = InetAddress::all(addresses).find(|one| Some(&one.name) == fields.last())?;
        leads_away.then_some(Gateway::V6(next, scope.index))
    };
    routes.lines().filter_map(parse).collect()
}

/// An address stands on one line and what it is on the next.
fn own_v4(trie: &str) -> BTreeSet<Ipv4Addr> {
    let lines = trie.lines().zip(trie.lines().skip(1));
    let local = lines.filter(|(_, kind)| kind.trim() == "/32 host LOCAL");
    local
        .filter_map(|(address, _)| address.trim().strip_prefix("|-- ")?.parse().ok())
        .filter(|address: &Ipv4Addr| !address.is_loopback())
        .collect()
}

/// Link-local ones say nothing about their neighbours'.
fn own_v6(addresses: &str) -> Vec<IpAddr> {
    const GLOBAL: &str = "00";
    InetAddress::all(addresses)
        .filter(|one| one.scope == GLOBAL)
        .map(|one| one.ip.into())
        .collect()
}

fn next_to(ip: IpAddr) -> Vec<IpAddr> {
    let near = (1..=NEAR).map(u32::from);
    match ip {
        IpAddr::V4(ip) => {
            let bits = ip.to_bits();
            near.flat_map(|step| [bits.wrapping_sub(step), bits.wrapping_add(step)])
                .map(|bits| Ipv4Addr::from_bits(bits).into())
                .collect()
        }
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            near.map(u128::from)
                .flat_map(|step| [bits.wrapping_sub(step), bits.wrapping_add(step)])
                .map(|bits| Ipv6Addr::from_bits(bits).into())
                .collect()
        }
    }
}

/// One line of `if_inet6`: address, index, prefix length, scope, flags, name.
struct InetAddress<'a> {
    ip: Ipv6Addr,
    index: u32,
    scope: &'a str,
    name: &'a str,
}

impl<'a> InetAddress<'a> {
    fn all(addresses: &'a str) -> impl Iterator<Item = Self> {
        addresses.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (ip, index) = (ipv6(fields.next()?)?, fields.next()?);
            Some(Self {
                ip,
                index: u32::from_str_radix(index, 16).ok()?,
                scope: fields.nth(1)?,
                name: fields.nth(1)?,
            })
        })
    }
}

fn ipv6(hex: &str) -> Option<Ipv6Addr> {
    u128::from_str_radix(hex, 16).ok().map(Ipv6Addr::from_bits)
}

fn interface(name: &str, addresses: &str) -> Interface {
    let own = InetAddress::all(addresses).filter(|one| one.name == name);
    Interface {
        name: name.to_owned(),
        ipv6: own.map(|one| one.ip.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INET6: &str = "fe80000000000000022e2dfffe6b1b5d 02 40 20 80     eth0\n\
        fd000000000000000000000000000009 02 40 00 80     eth0\n\
        00000000000000000000000000000001 01 80 10 80       lo\n";

    #[test]
    fn the_default_gateway_is_read_backwards() {
        let routes = "Iface\tDestination\tGateway\n\
            eth0\t00000000\t0101A8C0\t0003\neth0\t0001A8C0\t00000000\t0001\n";
        let gateway = Gateway::V4(Ipv4Addr::new(192, 168, 1, 1));
        assert_eq!(gateways_v4(routes), [gateway]);
    }

    #[test]
    fn a_link_local_gateway_is_tried_on_its_interface() {
        let zero = "0".repeat(32);
        let routes = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003     eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200       lo\n"
        );
        let found = gateways_v6(&routes, INET6);
        assert_eq!(at_port(found[0], 22).to_string(), "[fe80::1%2]:22");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn link_local_addresses_belong_to_their_interface() {
        assert_eq!(interface("lo", INET6).ipv6, ["::1"]);
        assert_eq!(
            interface("eth0", INET6).ipv6,
            ["fe80::22e:2dff:fe6b:1b5d", "fd00::9"]
        );
    }

    #[test]
    fn neighbours_are_next_to_every_own_address() {
        let trie = "Main:\n  +-- 10.250.0.0/24 2 0 2\n     |-- 10.250.0.9\n        /32 host LOCAL\n\
            \x20    |-- 10.250.0.255\n        /32 link BROADCAST\n\
            \x20    |-- 127.0.0.1\n        /32 host LOCAL\n";
        let own = own_v4(trie);
        assert_eq!(own, BTreeSet::from([Ipv4Addr::new(10, 250, 0, 9)]));
        let near: Vec<String> = next_to("10.250.0.9".parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            near,
            ["10.250.0.8", "10.250.0.10", "10.250.0.7", "10.250.0.11"]
        );
        assert_eq!(own_v6(INET6), ["fd00::9".parse::<IpAddr>().unwrap()]);
    }
}
