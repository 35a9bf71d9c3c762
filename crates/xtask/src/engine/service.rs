//! A Podman service of our own, for machines where no engine runs. It ends with us; containers
//! that are still wanted outlive it, since Podman keeps no daemon over them.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::packages::{self, Need};
use crate::shell::{self, Step};

/// What a Podman that starts containers needs, with what Debian only recommends.
const NEEDS: &[Need] = &[
    Need {
        program: "podman",
        package: "podman",
    },
    Need {
        program: "runc",
        package: "runc",
    },
    Need {
        program: "setpriv",
        package: "util-linux",
    },
    Need {
        program: "iptables",
        package: "iptables",
    },
    Need {
        program: "/usr/lib/podman/netavark",
        package: "netavark",
    },
    Need {
        program: "/usr/lib/podman/aardvark-dns",
        package: "aardvark-dns",
    },
];

/// An ordinary user's Podman maps ids and networks in user space.
const ROOTLESS_NEEDS: &[Need] = &[
    Need {
        program: "newuidmap",
        package: "uidmap",
    },
    Need {
        program: "slirp4netns",
        package: "slirp4netns",
    },
    Need {
        program: "fuse-overlayfs",
        package: "fuse-overlayfs",
    },
];

/// Begins the name of the folder that holds the socket.
const PREFIX: &str = "carrel-engine-";
/// The socket's name in it.
const SOCKET: &str = "engine.sock";
/// Time for the socket to appear; seen: 0.2 s.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Time for the service to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The running service and the folder of its socket.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    folder: TempDir,
}

impl Service {
    /// Installs what is missing, starts the service and waits for its socket.
    pub(crate) fn start() -> Result<Self> {
        packages::ensure("the container engine", NEEDS)?;
        if !packages::is_root() {
            packages::ensure("a container engine of an ordinary user", ROOTLESS_NEEDS)?;
        }
        // Readable by us only: whoever reaches the socket is the engine's administrator.
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        remove_left_folders(&std::env::temp_dir(), START_LIMIT * 2);
        let log = folder.path().join("engine.log");
        let step = Step::begin("the container engine to start");
        let child = command(folder.path(), &log)?
            .spawn()
            .context("podman could not be started")?;
        let mut service = Self { child, folder };
        while !service.socket().exists() {
            if let Some(status) = service.child.try_wait()? {
                return Err(refused(&format!("podman ended at once ({status})"), &log));
            }
            if step.elapsed() > START_LIMIT {
                return Err(refused("podman opened no socket", &log));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(service)
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

fn command(folder: &Path, log: &Path) -> Result<Command> {
    let log = File::create(log)?;
    // If we are killed, it gets a SIGTERM from the kernel: nobody else would end it.
    let mut podman = Command::new("setpriv");
    podman.args(["--pdeathsig", "TERM", "podman"]);
    // runc, because crun refuses the control groups of some machines that runc accepts.
    podman
        .args(["--runtime", "runc", "system", "service", "--time", "0"])
        .arg(format!("unix://{}", folder.join(SOCKET).display()))
        // What its helpers drop where they stand (conmon notes out-of-memory kills) goes with it.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Apart from our terminal's Ctrl-C: it must live until we have cleaned up with it.
        .process_group(0);
    Ok(podman)
}

/// Removes the folders of services that were killed together with their run: nobody listens, and
/// it is too long ago for one that is still starting.
fn remove_left_folders(parent: &Path, starting: Duration) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            continue;
        }
        let made = entry.metadata().and_then(|it| it.modified()).ok();
        let age = made
            .and_then(|made| made.elapsed().ok())
            .unwrap_or_default();
        if age >= starting && UnixStream::connect(entry.path().join(SOCKET)).is_err() {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn refused(what: &str, log: &Path) -> anyhow::Error {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    Failure::new(format!("no container engine could be started: {what}"))
        .because(shell::last_lines(&said))
        .mend("start Docker or Podman yourself and `export DOCKER_HOST=unix://<its socket>`")
        .into()
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).ok();
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOP_LIMIT {
                self.child.kill().ok();
                self.child.wait().ok();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::eventually::eventually;

    #[test]
    fn only_folders_that_nobody_listens_in_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let dead = folder("carrel-engine-dead");
        let living = folder("carrel-engine-living");
        let foreign = folder("somebody-else");
        drop(UnixListener::bind(dead.join(SOCKET)).unwrap());
        let _listener = UnixListener::bind(living.join(SOCKET)).unwrap();
        remove_left_folders(parent.path(), Duration::from_mins(1));
        assert!(dead.exists(), "it could still be starting");
        eventually("the dead one's folder is removed", || {
            remove_left_folders(parent.path(), Duration::ZERO);
            !dead.exists()
        });
        assert!(living.exists() && foreign.exists());
    }
}
