//! A real keeper in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::browser::PATIENCE;

/// Beside this program, where a build of the workspace puts it.
fn binary() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let path = program.ancestors().nth(2).unwrap().join("carrel-keeper");
    assert!(
        path.is_file(),
        "{} is missing: build carrel-keeper in the same profile",
        path.display()
    );
    path
}

/// A running keeper, ended when it is dropped.
pub(crate) struct KeeperProcess {
    process: Child,
    folder: PathBuf,
}

impl KeeperProcess {
    /// One whose first attach runs `command`, in a folder that is there. What a client that is away has
    /// not consumed it holds back for so long.
    pub(crate) async fn start(folder: &Path, command: &[&str], hold: Duration) -> Self {
        let mut keeper = Command::new(binary());
        keeper.args(["run", "--hold-ms", &hold.as_millis().to_string()]);
        keeper.arg("--socket").arg(folder.join("socket"));
        keeper.arg("--workdir").arg(folder);
        keeper.arg("--").args(command).stdin(Stdio::null());
        let keeper = Self {
            process: keeper.spawn().unwrap(),
            folder: folder.to_owned(),
        };
        keeper.await_file("socket").await;
        keeper
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) async fn await_file(&self, name: &str) {
        let path = self.folder.join(name);
        let there = async {
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited.unwrap_or_else(|_| panic!("{name} is not there in time"));
    }
}

impl Drop for KeeperProcess {
    fn drop(&mut self) {
        let mut stop = Command::new(binary());
        stop.args(["stop", "--socket"]).arg(self.socket());
        stop.status().ok();
        self.process.wait().ok();
    }
}
