//! What a run has started, on disk, so that the next one can clean up after one that was killed.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::process_identity::start_time;
use crate::shell;

/// Time for a left process to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process of a run. Numbers of processes are used again, so the start time proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Started {
    name: String,
    pid: i32,
    /// Clock ticks after boot, as `/proc/<pid>/stat` tells it.
    start_time: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    started: Vec<Started>,
    postgres_port: Option<u16>,
}

/// The folder of a run, which only one run has at a time.
#[derive(Debug)]
pub(crate) struct RunState {
    folder: PathBuf,
    lock: File,
    record: Record,
}

impl RunState {
    /// Takes the folder, and ends what a killed run left.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| {
            Failure::new(format!("could not make {}", folder.display())).because(error)
        })?;
        let path = folder.join("lock");
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(already_running(&mut lock)),
            Err(TryLockError::Error(error)) => return Err(error).context("could not lock the run"),
        }
        // Unreadable after a crash or an update means nothing that we could safely end.
        let text = fs::read_to_string(folder.join("state.json")).unwrap_or_default();
        let mut state = Self {
            folder: folder.to_owned(),
            lock,
            record: serde_json::from_str(&text).unwrap_or_default(),
        };
        state.end_left_processes()?;
        state.show_link("it is still starting")?;
        Ok(state)
    }

    /// The folder for logs, secrets and the like.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's port of last time.
    pub(crate) fn postgres_port(&self) -> Option<u16> {
        self.record.postgres_port
    }

    /// Remembers the database's port.
    pub(crate) fn remember_postgres_port(&mut self, port: u16) -> Result<()> {
        self.record.postgres_port = Some(port);
        self.save()
    }

    /// Remembers a process that was just started.
    pub(crate) fn add(&mut self, name: &str, pid: u32) -> Result<()> {
        let pid = i32::try_from(pid).context("a process number beyond the kernel's")?;
        if let Some(start_time) = start_time(pid) {
            self.record.started.retain(|other| other.name != name);
            self.record.started.push(Started {
                name: name.to_owned(),
                pid,
                start_time,
            });
        }
        self.save()
    }

    /// Leaves word for a second `up`: who we are and what to open.
    pub(crate) fn show_link(&mut self, link: &str) -> Result<()> {
        self.lock.set_len(0)?;
        std::io::Seek::rewind(&mut self.lock)?;
        write!(self.lock, "process {}: {link}", std::process::id())?;
        Ok(())
    }

    fn end_left_processes(&mut self) -> Result<()> {
        let left: Vec<Started> = std::mem::take(&mut self.record.started)
            .into_iter()
            .filter(|it| start_time(it.pid) == Some(it.start_time))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = left.iter().map(|it| it.name.as_str()).collect();
        signal(&left, Signal::TERM);
        let begun = Instant::now();
        while left
            .iter()
            .any(|it| start_time(it.pid) == Some(it.start_time))
        {
            if begun.elapsed() > PATIENCE {
                signal(&left, Signal::KILL);
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        shell::done(
            "killed earlier run",
            &format!("ended what it left: {}", names.join(", ")),
        );
        self.save()
    }

    fn save(&self) -> Result<()> {
        let path = self.folder.join("state.json");
        write_private(&path, &serde_json::to_string_pretty(&self.record)?)
    }
}

impl Drop for RunState {
    fn drop(&mut self) {
        self.record.started.clear();
        self.save().ok();
    }
}

fn already_running(lock: &mut File) -> anyhow::Error {
    let mut who = String::new();
    lock.read_to_string(&mut who).ok();
    Failure::new("`cargo xtask up` is already running in this checkout")
        .because(who)
        .mend("use that one, or end it with Ctrl-C first")
        .into()
}

/// Signals each process only while it is provably the one that was started.
fn signal(processes: &[Started], signal: Signal) {
    for process in processes {
        if start_time(process.pid) == Some(process.start_time)
            && let Some(pid) = Pid::from_raw(process.pid)
        {
            rustix::process::kill_process(pid, signal).ok();
        }
    }
}

/// Writes a file whole or not at all, readable by its owner only.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("part");
    fs::remove_file(&unfinished).ok();
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;
    use crate::eventually::eventually;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn leave_behind(folder: &Path, started: &Started) {
        let record = Record {
            started: vec![started.clone()],
            postgres_port: Some(54_329),
        };
        fs::write(
            folder.join("state.json"),
            serde_json::to_string(&record).unwrap(),
        )
        .unwrap();
    }

    fn of(child: &Child) -> Started {
        let pid = i32::try_from(child.id()).unwrap();
        Started {
            name: "sleeper".to_owned(),
            pid,
            start_time: start_time(pid).unwrap(),
        }
    }

    #[test]
    fn a_second_run_is_told_who_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = RunState::take(folder.path()).unwrap();
        first.show_link("http://link").unwrap();
        let error = RunState::take(folder.path()).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert!(
            failure.why().unwrap().contains("http://link"),
            "{failure:?}"
        );
        drop(first);
        eventually("the folder is free", || {
            RunState::take(folder.path()).is_ok()
        });
    }

    #[test]
    fn what_a_killed_run_left_is_ended_and_its_port_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        leave_behind(folder.path(), &of(&child));
        let state = RunState::take(folder.path()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(state.postgres_port(), Some(54_329));
    }

    #[test]
    fn a_stranger_that_got_the_same_number_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        let mut stale = of(&child);
        stale.start_time -= 1;
        leave_behind(folder.path(), &stale);
        RunState::take(folder.path()).unwrap();
        assert!(
            child.try_wait().unwrap().is_none(),
            "a stranger was signalled"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_damaged_state_file_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state.json"), "{half").unwrap();
        RunState::take(folder.path()).unwrap();
    }
}
