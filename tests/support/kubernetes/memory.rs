//! Memory that an environment spends until the kernel ends it.

use std::fs;
use std::path::{Path, PathBuf};

use execution_environment::Phase;
use kube::ResourceExt as _;
use kube::api::AttachParams;

use super::TestCluster;
use super::looks::{CONTAINER, phase};
use crate::wait::{SOON, until};

/// Fills the working directory, which lies in memory, and offers itself to the kernel.
const OFFERED: &str = "echo 1000 > /proc/self/oom_score_adj; \
                       exec dd if=/dev/zero of=full bs=64k";
/// Goes on with what is left.
const SPENDER: [&str; 4] = ["/usr/bin/dd", "if=/dev/zero", "of=fuller", "bs=64k"];

impl TestCluster {
    /// Spends an environment's memory until the kernel ends its first process, and waits until the
    /// cluster says that it has. The exam has a working directory that does not fit into its memory.
    ///
    /// Each process is small, and the first is made the kernel's choice among them: so the
    /// environment ends as it does where all processes of a control group end together. Another
    /// process is ended before: the container runtime hears of that in time, whereas it may read
    /// what ended the first after it has told how that ended.
    pub async fn spend_memory(&self, uid: &str) {
        until("the environment runs", SOON, async || {
            (self.phase_of(uid).await? == Phase::Running).then_some(())
        })
        .await;
        let first = first_process(uid).expect("the environment runs on this machine");
        self.run_inside(uid, OFFERED).await;
        // Memory is spent by now: it may be gone already, which is what is wanted.
        fs::write(first.join("oom_score_adj"), "1000").ok();
        let pod = self.pod_with(uid).await.expect("the environment is there");
        let parameters = AttachParams::default().container(CONTAINER);
        let pods = self.pods();
        // It ends with the environment, or even begins too late.
        let _spender = pods.exec(&pod.name_any(), SPENDER, &parameters).await;
        until("the environment is said to have ended", SOON, async || {
            matches!(self.phase_of(uid).await?, Phase::Stopped { .. }).then_some(())
        })
        .await;
    }

    async fn phase_of(&self, uid: &str) -> Option<Phase> {
        self.pod_with(uid).await.as_ref().map(phase)
    }
}

/// Where the kernel shows the first process of a pod's environment.
fn first_process(uid: &str) -> Option<PathBuf> {
    let all = fs::read_dir("/proc").ok()?;
    let mut folders = all.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|process| is_keeper_of(process, uid) == Some(true))
}

/// The pod's own first process, which has its control groups too, is another program.
fn is_keeper_of(process: &Path, uid: &str) -> Option<bool> {
    let read = |name: &str| fs::read_to_string(process.join(name)).ok();
    let status = read("status")?;
    let numbers = status.lines().find(|line| line.starts_with("NSpid:"))?;
    let is_first = numbers.split_whitespace().next_back() == Some("1");
    Some(is_first && read("cgroup")?.contains(uid) && read("comm")?.trim_end() == "keeper")
}
