//! This program once more, as something else, in a process whose cost can be read.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// Killed at the latest when it is dropped.
pub(crate) struct Child {
    process: tokio::process::Child,
    said: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Child {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            said: BufReader::new(process.stdout.take().unwrap()),
            told: process.stdin.take().unwrap(),
            process,
        }
    }

    /// What it says next.
    pub(crate) async fn line(&mut self) -> String {
        let mut said = String::new();
        self.said.read_line(&mut said).await.unwrap();
        said.trim().to_owned()
    }

    /// Lets it go on.
    pub(crate) async fn go_on(&mut self) {
        self.told.write_all(b"\n").await.unwrap();
    }

    /// Ends it as the kernel does.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Its memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Files it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(self.proc().join("fd")).unwrap().count()
    }

    /// Processor time it has used, the kernel's for it included.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(self.proc().join("stat")).unwrap();
        // Its name may hold anything, and ends with the last parenthesis.
        let fields = stat.rsplit_once(')').unwrap().1;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|it| it.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / clock_ticks_per_second())
    }

    fn proc(&self) -> PathBuf {
        let pid = self.process.id().expect("it runs");
        PathBuf::from(format!("/proc/{pid}"))
    }
}
