//! What `keeper verify` found inside an environment, as one JSON document.
//!
//! `None` (JSON `null`) means unknown or, for limits and sizes, none set. Whoever judges treats
//! both as unproven.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Where clouds hand out credentials; always tried.
pub const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// The findings of one `keeper verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// The five capability sets.
    pub capabilities: Capabilities,
    /// Whether no exec can gain privileges.
    pub no_new_privs: Option<bool>,
    /// Seccomp: 0 off, 1 strict, 2 filter.
    pub seccomp_mode: Option<u8>,
    /// Whether `/` is mounted read-only and creating a file on it failed.
    pub root_read_only: Option<bool>,
    /// Every place where creating or opening a file for writing really worked.
    pub writable_paths: Vec<WritablePath>,
    /// Whether a Kubernetes service-account directory is there.
    pub service_account_token: bool,
    /// Interfaces and what answered.
    pub network: Network,
    /// The limits of the control groups this process is in.
    pub limits: Limits,
    /// Open files a process may have, hard; `None` is also an older keeper that did not tell.
    #[serde(default)]
    pub open_files: Option<u64>,
    /// Processes and threads a user may have, hard; `None` is also an older keeper's.
    #[serde(default)]
    pub processes: Option<u64>,
    /// Whether process 1 is a keeper in `run`.
    pub pid1_is_keeper: bool,
    /// Device nodes under `/dev`.
    pub device_nodes: Vec<DeviceNode>,
    /// Namespace name → identity, for example `"net": "net:[4026531840]"`.
    pub namespaces: BTreeMap<String, String>,
    /// The user namespace's uid map; `None` when unreadable.
    pub uid_map: Option<Vec<IdRange>>,
}

/// Capability sets as the 16 hexadecimal digits of `/proc/self/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// `CapEff`.
    pub effective: Option<String>,
    /// `CapPrm`.
    pub permitted: Option<String>,
    /// `CapInh`.
    pub inheritable: Option<String>,
    /// `CapBnd`.
    pub bounding: Option<String>,
    /// `CapAmb`.
    pub ambient: Option<String>,
}

/// A place where writing worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritablePath {
    /// Directory, or a single file that is a mount of its own.
    pub path: String,
    /// Type of the file system it lies on.
    pub fstype: Option<String>,
    /// Size of that file system in bytes; `None` when it has no limit of its own.
    pub size_bytes: Option<u64>,
}

/// The environment's network as seen from inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Every interface.
    pub interfaces: Vec<Interface>,
    /// Every target tried.
    pub reachable: Vec<Probe>,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name, `lo` for loopback.
    pub name: String,
    /// Its IPv6 addresses, link-local ones included.
    pub ipv6: Vec<String>,
}

/// One attempted TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// `address:port` as tried.
    pub target: String,
    /// Whether anything answered: a connection, or a refusal, which is an answer too.
    pub ok: bool,
    /// How the attempt ended.
    pub outcome: ProbeOutcome,
}

/// How an attempted connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// A connection was made.
    Connected,
    /// The far end answered with a reset: it is reachable, nothing listens.
    Refused,
    /// No answer within 300 ms.
    TimedOut,
    /// The kernel has no way there, or the network said so.
    Unreachable,
}

/// Control-group limits; `None` = unlimited or unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory and swap together, in bytes; the same as memory on a machine without swap.
    #[serde(default)]
    pub memory_and_swap_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// How many processes and threads there were here when the kernel refused another; `None`
    /// when it was not tried, or never refused. It also finds a limit of an outer group, which
    /// cannot be read from inside.
    #[serde(default)]
    pub pids_tried: Option<u64>,
    /// CPU, in thousandths of one CPU.
    pub cpu_quota_millis: Option<u64>,
}

/// One device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// Its path.
    pub path: String,
    /// `char` or `block`.
    pub kind: String,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// One line of a uid map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Reads a probe's target, `IP:PORT`, also of an IPv6 address without brackets: Kubernetes puts a
/// node's address into a variable as it is.
///
/// Names are none: the C library of a static binary would load the image's resolver modules, which
/// belong to another C library.
pub fn read_target(target: &str) -> Option<SocketAddr> {
    if let Ok(address) = target.parse() {
        return Some(address);
    }
    let (ip, port) = target.rsplit_once(':')?;
    let ip: IpAddr = ip.parse().ok()?;
    Some(SocketAddr::new(ip, port.parse().ok()?))
}
