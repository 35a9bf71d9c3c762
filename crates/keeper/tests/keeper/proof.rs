//! The proof that `run` prints. Never in the machine's own network: the built-in targets are real
//! addresses.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use carrel_keeper::IsolationProof;

use crate::fixture::{BINARY, Keeper, copy_binary, wait_until};
use crate::namespaces::{unshare, unshare_to};

const PROVE: [&str; 4] = ["--prove-within-ms", "600000", "--instance", "uid-7"];

/// Process 1 of namespaces of its own, with a private network.
const INSIDE: [&str; 6] = [
    "--map-root-user",
    "--net",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
];

fn read_proof(process: &mut Child) -> IsolationProof {
    let mut output = BufReader::new(process.stdout.as_mut().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    IsolationProof::parse(&line).unwrap_or_else(|| panic!("no proof: {line:?}"))
}

#[test]
fn process_one_proves_itself_before_it_serves() {
    let Some(mut command) = unshare(&INSIDE) else {
        return;
    };
    command.arg(BINARY).stdout(Stdio::piped());
    let probe = ["--probe", "192.0.2.7:443", "--pids", "8"];
    let mut keeper = Keeper::spawn(command, &[PROVE.as_slice(), &probe].concat());
    let proof = read_proof(&mut keeper.process);
    assert_eq!(proof.instance, "uid-7");
    let report = proof.report;
    assert!(report.pid1_is_keeper);
    assert!(report.namespaces.contains_key("net"));
    assert_eq!(report.limits.pids_tried, None, "nothing limits it to 8");
    let targets = report
        .network
        .reachable
        .iter()
        .map(|probe| probe.target.as_str());
    assert_eq!(
        targets.collect::<Vec<_>>(),
        ["169.254.169.254:80", "192.0.2.7:443"]
    );
}

#[test]
fn while_anything_answers_nobody_is_answered_and_nothing_is_proven() {
    let Some(mut command) = unshare_to(&INSIDE, &["ip", "link", "set", "lo", "up"]) else {
        return;
    };
    // Its own address answers a closed port with a reset, as a neighbour would.
    let network = "ip link set lo up && ip address add 198.51.100.4 dev lo && exec \"$@\"";
    command
        .args(["sh", "-c", network, "sh", BINARY])
        .stdout(Stdio::piped());
    let probe = ["--probe", "198.51.100.4:443"];
    let mut keeper = Keeper::spawn(command, &[PROVE.as_slice(), &probe].concat());
    let inside = only_child(&keeper.process);
    let mut client = keeper.connect();
    client.send_open(1, None);
    let seen = segments_received(inside);
    wait_until("another look in there", || segments_received(inside) > seen);
    let served = client.frame_within(Duration::from_millis(100));
    assert!(served.is_err(), "answered before the proof: {served:?}");

    let removed = Command::new("nsenter")
        .args(["--target", &inside.to_string(), "--net", "--user"])
        .args(["ip", "address", "delete", "198.51.100.4/32", "dev", "lo"])
        .status();
    assert!(removed.unwrap().success());
    let report = read_proof(&mut keeper.process).report;
    assert!(
        report.network.reachable.iter().all(|probe| !probe.ok),
        "the last look counts: {:?}",
        report.network
    );
    // Who asked meanwhile has waited and is answered now: refused, not being in the same namespace.
    client.expect_refused();
}

#[test]
fn a_limit_that_no_file_tells_is_found_by_trying() {
    let Some(mut command) = unshare(&INSIDE) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let binary = folder.path().join("keeper");
    copy_binary(&binary);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Nothing limits the tasks of root.
        command.uid(65534).gid(65534);
    }
    let mut unshare = command
        .args(["prlimit", "--nproc=24:24", "--"])
        .arg(&binary)
        .args(["run", "--socket"])
        .arg(folder.path().join("socket"))
        .args(PROVE)
        .args(["--processes", "16", "--pids", "64", "--", "sh"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let report = read_proof(&mut unshare).report;
    unshare.kill().unwrap();
    unshare.wait().unwrap();
    let tried = report.limits.pids_tried;
    assert!(tried.is_some_and(|tried| tried <= 24), "{tried:?}");
    // The keeper's own limit came after, and was not what was met.
    assert_eq!(report.processes, Some(16));
    assert!(tried.is_some_and(|tried| tried > 16), "{tried:?}");
}

#[test]
fn the_shell_inherits_the_limits_and_cannot_raise_them() {
    let keeper = Keeper::start_with(&["--open-files", "300"]);
    let mut client = keeper.open(1, None);
    client.type_text("echo soft-$(ulimit -Sn) hard-$(ulimit -Hn)\n");
    client.expect("soft-300 hard-300");
    client.type_text("ulimit -n 400 || echo still-$(ulimit -n)\n");
    client.expect("still-300");
}

fn only_child(parent: &Child) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    let mut child = None;
    wait_until("the keeper's process", || {
        child = fs::read_to_string(&children).unwrap().trim().parse().ok();
        child.is_some()
    });
    child.unwrap()
}

/// TCP segments that the network of `pid` has received.
fn segments_received(pid: i32) -> u64 {
    let table = fs::read_to_string(format!("/proc/{pid}/net/snmp")).unwrap();
    let mut lines = table.lines().filter(|line| line.starts_with("Tcp:"));
    let names = lines.next().unwrap().split_whitespace();
    let mut fields = names.zip(lines.next().unwrap().split_whitespace());
    let found = fields.find(|(name, _)| *name == "InSegs");
    found.unwrap().1.parse().unwrap()
}
