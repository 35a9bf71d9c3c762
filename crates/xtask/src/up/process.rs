//! One of Carrel's processes as a child of ours, with its output in a log.

use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal};

use crate::failure::Failure;
use crate::http::{Body, Endpoint, Request};
use crate::shell;

/// Time for a process to drain; each has a shorter deadline of its own.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How to start a process, any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The binary.
    pub(crate) binary: PathBuf,
    /// Its settings.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where it answers `/readyz`.
    pub(crate) probe: Endpoint,
}

/// A running process; it is asked to end, and waited for, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    plan: Plan,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the process with its output going to `<name>.log`.
    pub(crate) fn start(plan: &Plan, folder: &Path) -> Result<Self> {
        let log = log(plan, folder);
        let file = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(&plan.binary)
            // A person's rights are no process's: each has its own, or none.
            .env_remove("KUBECONFIG")
            .envs(plan.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Apart from our terminal's Ctrl-C: we end them, in order.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::new(format!("could not start {}", plan.binary.display())).because(error)
            })?;
        Ok(Self {
            plan: plan.clone(),
            child,
            log,
        })
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How to start it again.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it says that it is ready; an error when it has ended instead.
    pub(crate) fn is_ready(&mut self) -> Result<bool> {
        if let Some(how) = self.ended()? {
            return Err(self.failure(&format!("{} {how}", self.plan.name)));
        }
        let answer = self.plan.probe.send(Request {
            method: "GET",
            path: "/readyz",
            headers: &[],
            body: Body::Empty,
            timeout: Duration::from_secs(2),
        });
        Ok(answer.is_ok_and(|it| it.status == 200))
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        Ok(self.child.try_wait()?.map(describe))
    }

    /// A failure that carries the end of the log.
    pub(crate) fn failure(&self, what: &str) -> anyhow::Error {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        Failure::new(what)
            .because(shell::last_lines(&said))
            .mend(format!("read on in {}", self.log.display()))
            .into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
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

/// Empties a process's log, so that it tells of this run only. A process that is started again
/// within a run adds to it.
pub(crate) fn begin_log(plan: &Plan, folder: &Path) -> Result<()> {
    File::create(log(plan, folder))?;
    Ok(())
}

fn log(plan: &Plan, folder: &Path) -> PathBuf {
    folder.join(format!("{}.log", plan.name))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
