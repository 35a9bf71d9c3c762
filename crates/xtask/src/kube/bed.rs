//! A cluster in a folder, through the scripts that make and end it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::binary::Binary;
use super::component::{Component, Signalled, State};
use crate::failure::Failure;
use crate::packages::{self, Need};
use crate::process_group;
use crate::shell::{self, Step};
use crate::stop::{Stop, Waited};
use crate::workspace::{Workspace, require_space};

/// One for the machine, since its ports are the machine's.
pub(crate) const DEFAULT_FOLDER: &str = "/var/lib/carrel-kube";

/// Debian's own container runtime and the tools that the scripts are made of.
const NEEDS: &[Need] = &[
    Need {
        program: "containerd",
        package: "containerd",
    },
    Need {
        program: "runc",
        package: "runc",
    },
    Need {
        program: "/usr/lib/cni/bridge",
        package: "containernetworking-plugins",
    },
    Need {
        program: "nft",
        package: "nftables",
    },
    Need {
        program: "openssl",
        package: "openssl",
    },
    Need {
        program: "ip",
        package: "iproute2",
    },
    Need {
        program: "sysctl",
        package: "procps",
    },
    Need {
        program: "flock",
        package: "util-linux",
    },
];
/// The images of the tests, unpacked, with their containers.
const SPACE_MIB: u64 = 2048;
/// Seen: 8 s.
const START_LIMIT: Duration = Duration::from_mins(3);

/// A cluster's folder, whether or not one runs there.
#[derive(Debug, Clone)]
pub(crate) struct Bed {
    folder: PathBuf,
    scripts: PathBuf,
    binary: Binary,
}

impl Bed {
    /// Makes the binary ready, and nothing else.
    pub(crate) fn new(workspace: &Workspace, folder: &Path) -> Result<Self> {
        Ok(Self {
            folder: std::path::absolute(folder)?,
            scripts: workspace.root.join("tests/cluster"),
            binary: Binary::ensure(workspace)?,
        })
    }

    /// Where everything of it lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its binary, which is kubectl and helm as well.
    pub(crate) fn binary(&self) -> &Path {
        self.binary.path()
    }

    /// The same, for who goes on without the scripts.
    pub(crate) fn into_binary(self) -> Binary {
        self.binary
    }

    /// The administrator's way in.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Starts it unless it runs whole.
    pub(crate) fn up(&self, stop: &Stop) -> Result<()> {
        if !packages::is_root() {
            return Err(Failure::new("a cluster needs root")
                .because("it makes network interfaces, mounts and control groups")
                .mend("sudo --preserve-env=HOME,PATH cargo xtask kube up")
                .into());
        }
        packages::ensure("a cluster", NEEDS)?;
        require_space(&self.folder, SPACE_MIB, "a cluster with its images")?;
        let step = Step::begin("the node to be Ready");
        let said = self.run_up(stop)?;
        if said.contains("running already") {
            step.done("Kubernetes", "runs already; nothing was changed");
            return Ok(());
        }
        step.done_in("Kubernetes' node Ready");
        Ok(())
    }

    /// Runs the script in a group of its own, so that it clears up when we are asked to end.
    fn run_up(&self, stop: &Stop) -> Result<String> {
        let said = tempfile::NamedTempFile::new()?;
        let mut child = self
            .script("up", &[])
            .stdin(Stdio::null())
            .stdout(said.reopen()?)
            .stderr(said.reopen()?)
            .process_group(0)
            .spawn()?;
        let waited = stop.wait_until(START_LIMIT, || Ok(child.try_wait()?.is_some()))?;
        if waited != Waited::Ready {
            process_group::ask_to_end(&child);
        }
        let status = child.wait()?;
        let said = fs::read_to_string(said.path())?;
        if status.success() {
            return Ok(said);
        }
        let what = match waited {
            Waited::Ready => "the cluster could not be started",
            Waited::Stopped => "the start of the cluster was interrupted",
            Waited::TooLong => "the cluster took too long to start",
        };
        Err(Failure::new(what)
            .because(shell::last_lines(&said))
            .mend(format!("read on in {}", self.folder.join("log").display()))
            .into())
    }

    /// Ends it, whatever state it is in.
    pub(crate) fn down(&self) -> Result<()> {
        let _step = Step::begin("the cluster to end");
        shell::run_quietly(&mut self.script("down", &[])).map(drop)
    }

    /// Sees to it that it is ended when the guard is dropped, and also when we are killed.
    pub(crate) fn guard(&self) -> Result<Guard> {
        let down = self.script("down", &[]);
        let mut watcher = Command::new("sh");
        watcher
            .args(["-c", WATCH, &self.folder.join("lock").to_string_lossy()])
            .arg(down.get_program())
            .args(down.get_args())
            .envs(
                down.get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0);
        Ok(Guard(watcher.spawn().context("no guard could be started")?))
    }

    /// Whether all of it runs.
    pub(crate) fn runs(&self) -> Result<bool> {
        Ok(self.status()?.iter().all(State::runs))
    }

    /// Of each component, whether it runs.
    pub(crate) fn status(&self) -> Result<Vec<State>> {
        let output = shell::run_quietly(&mut self.script("component", &["status".as_ref()]))?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(State::read).collect()
    }

    /// Ends one component and waits for it.
    pub(crate) fn stop(&self, component: Component, how: Signalled) -> Result<()> {
        let arguments = [how.verb(), component.name()].map(OsStr::new);
        shell::run_quietly(&mut self.script("component", &arguments)).map(drop)
    }

    /// Starts one component and waits until it works.
    pub(crate) fn start(&self, component: Component) -> Result<()> {
        let arguments = ["start", component.name()].map(OsStr::new);
        shell::run_quietly(&mut self.script("component", &arguments)).map(drop)
    }

    /// Gives it an image that a container engine saved.
    pub(crate) fn load_archive(&self, name: &str, archive: &Path) -> Result<()> {
        let arguments = [name.as_ref(), archive.as_os_str()];
        shell::run_quietly(&mut self.script("image", &arguments)).map(drop)
    }

    /// Gives it a folder as an image.
    pub(crate) fn load_folder(
        &self,
        name: &str,
        rootfs: &Path,
        entrypoint: &[String],
    ) -> Result<()> {
        let mut arguments = vec![name.as_ref(), rootfs.as_os_str()];
        arguments.extend(entrypoint.iter().map(OsStr::new));
        shell::run_quietly(&mut self.script("image", &arguments)).map(drop)
    }

    /// kubectl or helm, as the administrator.
    pub(crate) fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.binary());
        client.arg(name).env("KUBECONFIG", self.kubeconfig());
        client
    }

    fn script(&self, name: &str, arguments: &[&OsStr]) -> Command {
        let mut script = Command::new(self.scripts.join(name));
        script
            .arg(&self.folder)
            .args(arguments)
            .env("CARREL_CLUSTER_BIN", self.binary());
        script
    }
}

/// Waits for our word to end the cluster, or for our death without one. Then the claim is free, and
/// whoever took it already has the cluster for their own.
const WATCH: &str = r#"
    if read -r word; then exec "$@"; fi
    exec flock --nonblock "$0" "$@"
"#;

/// Ends the cluster with us.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _step = Step::begin("the cluster to end");
        if let Some(mut stdin) = self.0.stdin.take() {
            // One that has died already cannot be told.
            stdin.write_all(b"end\n").ok();
        }
        // What it could not do it has said on the error output.
        self.0.wait().ok();
    }
}

/// The folder of the cluster that a kubeconfig is the administrator's of, if it is one of ours.
pub(crate) fn folder_of(kubeconfig: &Path) -> Option<PathBuf> {
    let folder = kubeconfig.canonicalize().ok()?.parent()?.to_owned();
    let ours = folder.join("run/netpol").is_symlink() && folder.join("run/etcd").is_symlink();
    ours.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_ours_is_known_by_its_kubeconfig() {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, "").unwrap();
        assert_eq!(folder_of(&kubeconfig), None);
        fs::create_dir(folder.path().join("run")).unwrap();
        for component in ["etcd", "netpol"] {
            std::os::unix::fs::symlink("/bin/true", folder.path().join("run").join(component))
                .unwrap();
        }
        assert_eq!(
            folder_of(&kubeconfig),
            Some(folder.path().canonicalize().unwrap())
        );
    }
}
