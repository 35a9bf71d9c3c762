//! A network of a test's own: two machines and a cable between them, where namespaces are permitted.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::browser::PATIENCE;

/// Where the gateway is reached.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 87, 0, 1);
/// The candidate's machine.
const CANDIDATE: Ipv4Addr = Ipv4Addr::new(10, 87, 0, 2);
/// Where each end of the cable is.
const GATE: &str = "02:00:00:00:87:01";
const PAGE: &str = "02:00:00:00:87:02";
/// Where the candidate's end is, and believes the gateway's to be, while nothing arrives.
const ELSEWHERE: &str = "02:00:00:00:87:03";
const NOWHERE: &str = "02:00:00:00:87:04";

/// Returns `unshare` into a network of its own, or `None` where that is not possible.
pub(crate) fn unshare() -> Option<Command> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--"]);
    let mut tried = Command::new("unshare");
    tried.args(["--map-root-user", "--net", "--"]);
    tried.args(["ip", "link", "add", "name", "one", "type", "veth"]);
    tried.args(["peer", "name", "other"]).stderr(Stdio::null());
    if tried.status().is_ok_and(|status| status.success()) {
        return Some(command);
    }
    // Not by `eprintln!`, which a test that passes keeps to itself.
    let left_out = "left out: networks of a test's own are not possible here";
    writeln!(std::io::stderr(), "{left_out}").ok();
    None
}

/// The candidate's machine and the cable that leads to it. Its end is here: it is laid from within a
/// network of the test's own.
#[derive(Debug, Clone)]
pub(crate) struct Network(Arc<Machine>);

/// A process that holds a network of its own.
#[derive(Debug)]
struct Machine(Child);

impl Network {
    /// Lays the cable.
    pub(crate) async fn lay() -> Self {
        let machine = Machine::start().await;
        let pid = machine.0.id();
        ip("link set lo up");
        ip(&format!(
            "link add name gate address {GATE} type veth peer name page address {PAGE} netns {pid}"
        ));
        ip(&format!("address add {GATEWAY}/24 dev gate"));
        ip("link set gate up");
        // Nobody asks where the other is, and so nobody misses an answer.
        ip(&format!(
            "neighbour replace {CANDIDATE} lladdr {PAGE} dev gate nud permanent"
        ));
        machine.ip(&format!("address add {CANDIDATE}/24 dev page"));
        machine.ip("link set page up");
        let network = Self(Arc::new(machine));
        network.mend();
        network
    }

    /// An address for the gateway.
    pub(crate) fn gateway() -> SocketAddr {
        SocketAddrV4::new(GATEWAY, 0).into()
    }

    /// Connects from the candidate's machine.
    pub(crate) fn connect(&self, address: SocketAddr) -> TcpStream {
        let namespace = std::fs::File::open(self.0.namespace()).unwrap();
        let connecting = std::thread::spawn(move || {
            // A socket stays in the network it was made in; this thread makes no other.
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            TcpStream::connect(address).unwrap()
        });
        connecting.join().unwrap()
    }

    /// From now on all that is sent leaves and nothing arrives, in either direction, and nobody is told.
    pub(crate) fn cut(&self) {
        self.0.stand(ELSEWHERE, NOWHERE);
    }

    /// What is sent arrives again.
    pub(crate) fn mend(&self) {
        self.0.stand(PAGE, GATE);
    }

    /// Connections that the gateway's machine has with the candidate's, in whatever state.
    pub(crate) fn connections() -> usize {
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        let candidate = format!("{:08X}:", u32::from_le_bytes(CANDIDATE.octets()));
        let remote = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
        let remotes = table.lines().filter_map(remote);
        remotes.filter(|it| it.starts_with(&candidate)).count()
    }
}

impl Machine {
    async fn start() -> Self {
        let mut command = Command::new("unshare");
        // It ends when nobody holds its input any more.
        command.args(["--net", "--", "cat"]).stdin(Stdio::piped());
        let machine = Self(command.stdout(Stdio::null()).spawn().unwrap());
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let apart = async {
            while std::fs::read_link(machine.namespace()).is_ok_and(|it| it == own) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, apart).await;
        waited.expect("it has a network of its own in time");
        machine
    }

    fn namespace(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.0.id()).into()
    }

    /// Stands there, and believes the gateway there.
    fn stand(&self, own: &str, gate: &str) {
        self.ip(&format!("link set page address {own}"));
        self.ip(&format!(
            "neighbour replace {GATEWAY} lladdr {gate} dev page nud permanent"
        ));
    }

    fn ip(&self, words: &str) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace().display()));
        run(command.arg("ip").args(words.split(' ')));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn ip(words: &str) {
    run(Command::new("ip").args(words.split(' ')));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
