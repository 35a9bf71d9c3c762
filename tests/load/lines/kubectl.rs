//! `kubectl exec -it` as a person has it: on a terminal of this machine, as the administrator.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use async_trait::async_trait;
use kube::ResourceExt as _;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use system_tests::Candidate;
use system_tests::kubernetes::TestCluster;
use system_tests::process::RUN_MARK;
use system_tests::settings::setting;
use system_tests::wait::{SOON, in_time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::{Fresh, Line, PATIENCE};

const BUFFER: usize = 64 * 1024;

pub(super) struct KubectlTerminal {
    reader: pipe::Receiver,
    writer: pipe::Sender,
    buffer: Vec<u8>,
    fresh: Fresh,
    _kubectl: Child,
}

impl KubectlTerminal {
    /// Opens a second shell in the pod of a session, and waits for its prompt: by then kubectl has
    /// made the local terminal raw.
    pub(super) async fn open(cluster: &TestCluster, candidate: &Candidate) -> Self {
        let pod = cluster.pod_of(&candidate.session_id).await;
        let pod = pod.expect("a ready session has a pod").name_any();
        let (ours, its) = open_pty();
        let kubectl = start(&cluster.namespace(), &pod, &its);
        let dup = ours.try_clone().expect("a descriptor is free");
        let mut terminal = Self {
            // A terminal's side is no pipe, but is read, written and waited for as one.
            reader: pipe::Receiver::from_owned_fd_unchecked(dup).expect("it can be waited for"),
            writer: pipe::Sender::from_owned_fd_unchecked(ours).expect("it can be waited for"),
            buffer: vec![0; BUFFER],
            fresh: Fresh::default(),
            _kubectl: kubectl,
        };
        terminal.expect("$").await;
        terminal
    }

    async fn read_one(&mut self) {
        let read = self.reader.read(&mut self.buffer);
        let count = in_time("output of kubectl", SOON, read).await;
        let count = count.expect("kubectl has its terminal open");
        self.fresh.push(&self.buffer[..count]);
    }
}

#[async_trait]
impl Line for KubectlTerminal {
    async fn type_text(&mut self, text: &str) {
        let written = self.writer.write_all(text.as_bytes()).await;
        written.expect("kubectl has its terminal open");
    }

    async fn expect(&mut self, text: &str) {
        while !self.fresh.found(text) {
            self.read_one().await;
        }
    }

    async fn pass_by(&mut self, count: usize) {
        let passed = async {
            let mut wanted = self.fresh.pass_by(count);
            while wanted > 0 {
                self.read_one().await;
                wanted = self.fresh.pass_by(wanted);
            }
        };
        in_time("all output", PATIENCE, passed).await;
    }
}

/// Our side of a new terminal, which never blocks, and the side of a program.
fn open_pty() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags).expect("a terminal is free");
    rustix::pty::grantpt(&ours).expect("it is ours");
    rustix::pty::unlockpt(&ours).expect("it is ours");
    let name = rustix::pty::ptsname(&ours, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let its = rustix::fs::open(name, flags, Mode::empty()).expect("it can be opened");
    rustix::io::ioctl_fionbio(&ours, true).expect("a terminal can be read without blocking");
    (ours, its)
}

fn start(namespace: &str, pod: &str, terminal: &OwnedFd) -> Child {
    let side = || Stdio::from(terminal.try_clone().expect("a descriptor is free"));
    Command::new(setting("CARREL_CLUSTER_BIN"))
        .args(["kubectl", "exec", "-it", "--namespace", namespace, pod])
        .args(["--container", "environment", "--", "/bin/bash", "-l"])
        .env(RUN_MARK, std::process::id().to_string())
        .stdin(side())
        .stdout(side())
        .stderr(side())
        .kill_on_drop(true)
        .spawn()
        .expect("the cluster's binary starts")
}
