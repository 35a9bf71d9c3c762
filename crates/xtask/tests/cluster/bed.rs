//! A cluster in a folder of its own, driven as a person drives it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::network::Network;
use crate::traces;

/// Always the same, so that what a killed run left is ended by the next.
const FOLDER: &str = "/var/lib/carrel-kube-test";
/// One at a time: two processors are little enough for one.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Bed {
    network: Network,
    _alone: MutexGuard<'static, ()>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let xtask = env!("CARGO_BIN_EXE_xtask");
        let mut last = Command::new(xtask);
        last.args(["kube", "--dir", FOLDER, "down"]);
        let bed = Self {
            network: Network::make(&last),
            _alone: alone,
        };
        bed.xtask(&["down"]);
        bed
    }

    /// Runs a verb of `cargo xtask kube` that must succeed.
    pub(crate) fn xtask(&self, arguments: &[&str]) -> String {
        let output = self.try_xtask(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    fn try_xtask(&self, arguments: &[&str]) -> Output {
        let mut xtask = self.network.command(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(["kube", "--dir", FOLDER]).args(arguments);
        xtask.output().expect("nsenter starts")
    }

    /// Names of the components that run; fewer than all make the verb fail.
    pub(crate) fn running(&self) -> Vec<String> {
        let output = self.try_xtask(&["status", "--json"]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let states: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        let running = states.iter().filter(|it| it["state"] == "running");
        let running: Vec<String> = running
            .filter_map(|it| Some(it["component"].as_str()?.to_owned()))
            .collect();
        assert_eq!(output.status.success(), running.len() == states.len());
        running
    }

    /// Makes a pod of the one image that every cluster has, and waits until it runs.
    pub(crate) fn run_pod(&self) {
        self.xtask(&[
            "kubectl",
            "run",
            "sleeper",
            "--image=localhost/pause:1",
            "--image-pull-policy=Never",
            "--restart=Never",
        ]);
        self.xtask(&[
            "kubectl",
            "wait",
            "--for=condition=Ready",
            "--timeout=120s",
            "pod/sleeper",
        ]);
    }

    /// Each pod: its uid, and how often its container started again.
    pub(crate) fn pods(&self) -> String {
        let columns = "jsonpath={range .items[*]}{.metadata.uid} \
                       {.status.containerStatuses[*].restartCount} {end}";
        self.xtask(&["kubectl", "get", "pods", "--output", columns])
    }

    /// What the cluster has on this machine, besides its log.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut found = traces::on_the_machine(Path::new(FOLDER), &name());
        let links = self.network.ask("ip", &["-brief", "link"]);
        let others = links.lines().filter(|line| !line.starts_with("lo "));
        found.extend(others.map(|line| format!("link {line}")));
        let tables = self.network.ask("nft", &["list", "tables"]);
        found.extend(tables.lines().map(|line| format!("nftables {line}")));
        found
    }
}

/// Kills the daemons, the shims and the containers at once.
pub(crate) fn kill_everything() {
    loop {
        let processes = traces::processes(&name());
        if processes.is_empty() {
            return;
        }
        for pid in processes.into_iter().filter_map(Pid::from_raw) {
            // It may have ended with another.
            kill_process(pid, Signal::KILL).ok();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// What its cgroup, bridge and table are called: made of the folder's path.
fn name() -> String {
    let digest = hex::encode(Sha256::digest(format!("{FOLDER}\n")));
    format!("carrel-{}", &digest[..6])
}
