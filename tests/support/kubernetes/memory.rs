//! Memory that an environment spends until the kernel ends it.

use std::fs;
use std::path::{Path, PathBuf};

use kube::ResourceExt as _;
use kube::api::AttachParams;

use super::TestCluster;
use super::looks::CONTAINER;
use crate::wait::{SOON, until};

/// Fills the working directory, which lies in memory, and stays small itself.
const SPENDER: [&str; 4] = ["/usr/bin/dd", "if=/dev/zero", "of=full", "bs=64k"];

impl TestCluster {
    /// Spends an environment's memory until the kernel ends its first process. The exam has a
    /// working directory that does not fit into its memory.
    ///
    /// Each process is small, and the first is made the kernel's choice among them: so the
    /// environment ends as it does where all processes of a control group end together.
    pub async fn spend_memory(&self, uid: &str) {
        let first = first_process(uid).expect("the environment runs on this machine");
        let score = first.join("oom_score_adj");
        fs::write(score, "1000").expect("the tests run as root");
        let pod = self.pod_with(uid).await.expect("the environment is there");
        let parameters = AttachParams::default().container(CONTAINER);
        let (pods, name) = (self.pods(), pod.name_any());
        let spender = pods.exec(&name, SPENDER, &parameters).await;
        // It ends with the environment.
        let _spender = spender.expect("the command starts");
        until("the first process is ended", SOON, async || {
            (!first.exists()).then_some(())
        })
        .await;
    }
}

/// Where the kernel shows the first process of a pod's environment.
fn first_process(uid: &str) -> Option<PathBuf> {
    let all = fs::read_dir("/proc").ok()?;
    let mut folders = all.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|process| is_keeper_of(process, uid) == Some(true))
}

fn is_keeper_of(process: &Path, uid: &str) -> Option<bool> {
    let read = |name: &str| fs::read_to_string(process.join(name)).ok();
    Some(read("cgroup")?.contains(uid) && read("comm")?.trim_end() == "keeper")
}
