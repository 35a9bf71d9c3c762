//! The real binaries as child processes.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::settings::binary;

/// Marks our children, so that a later run finds those of a run that was killed.
pub const RUN_MARK: &str = "CARREL_TEST_RUN";
/// A drain takes 5 s and some; twice that is a hang.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// What a person reads of a log.
const TAIL_LINES: usize = 40;

/// One process, which can be killed and started again with the same settings.
#[derive(Debug)]
pub struct Process {
    name: String,
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts a binary of the workspace; what it says is appended to `<folder>/<name>.log`.
    pub fn start(
        name: &str,
        program: &str,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        folder: &Path,
    ) -> Self {
        Self::start_at(name, binary(program), arguments, environment, folder)
    }

    /// Starts a binary at a path; what it says is appended to `<folder>/<name>.log`.
    pub fn start_at(
        name: &str,
        binary: PathBuf,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        folder: &Path,
    ) -> Self {
        let mut process = Self {
            name: name.to_owned(),
            binary,
            arguments,
            environment,
            log: folder.join(format!("{name}.log")),
            child: None,
        };
        process.start_again();
        process
    }

    /// Starts it with the settings it had.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = || -> File {
            let opened = OpenOptions::new().create(true).append(true).open(&self.log);
            opened.expect("the log can be written")
        };
        let mut command = Command::new(&self.binary);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(RUN_MARK, std::process::id().to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log());
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("start {}: {error}", self.name)));
    }

    /// Kills it without a word: SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the process runs");
        child.kill().expect("our child can be killed");
        child.wait().expect("our child ends");
    }

    /// Asks it to end with SIGTERM and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("the process runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("our child can be waited for") {
                return status;
            }
            if begun.elapsed() > STOP_LIMIT {
                child.kill().expect("our child can be killed");
                child.wait().expect("our child ends");
                panic!("{} did not end within {STOP_LIMIT:?} of SIGTERM", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal, such as STOP or CONT.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the process runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a pid"), signal).expect("our child takes signals");
    }

    /// Tells whether it was started and not ended by us since.
    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Returns how it ended if it has, whether by itself or by a signal.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("the process was started");
        let status = child.try_wait().expect("our child can be waited for");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    /// Panics with the log's end when the process is not running although it should.
    pub fn assert_running(&mut self) {
        let child = self.child.as_mut().expect("the process was started");
        if let Some(status) = child.try_wait().expect("our child can be waited for") {
            panic!(
                "{} ended by itself ({status}):\n{}",
                self.name,
                self.log_tail()
            );
        }
    }

    /// Ends it if it runs.
    pub fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a child that has ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Returns the end of what it said.
    pub fn log_tail(&self) -> String {
        let said = self.log();
        let lines: Vec<&str> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("--- {} ---\n{}", self.name, tail.join("\n"))
    }

    /// Returns all it said.
    pub fn log(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
