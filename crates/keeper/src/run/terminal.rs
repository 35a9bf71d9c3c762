mod admission;

use std::time::Duration;

use carrel_keeper::ClientFrame;
use carrel_keeper::frames::{Exit, KeeperFrame, RING, RefusalCode, Refused};
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, Heard};
use super::handshake::refuse;
use super::input::InputQueue;
use super::ring::OutputRing;
use super::shell::Shell;
use crate::args::RunArgs;

/// The terminal of this environment: at most one shell, at most one client.
#[derive(Debug)]
pub(super) struct Terminal {
    args: RunArgs,
    /// The highest attach epoch seen; lower ones are fenced off.
    highest_epoch: i64,
    /// Which shell `ring`, `input` and `exit` belong to; 0 before the first.
    shell_epoch: u32,
    shell: Option<Shell>,
    ring: OutputRing,
    input: InputQueue,
    exit: Option<Exit>,
    /// Whether the end of this shell was written to a client.
    exit_told: bool,
    client: Option<Client>,
    /// Output a lost client has not consumed, kept until the moment.
    hold: Option<Hold>,
    /// Streams that are being closed.
    farewells: JoinSet<()>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    from: u64,
    until: Instant,
}

impl Terminal {
    /// Returns a terminal without a shell: the first OPEN starts it, so that it has the right
    /// size from its first byte, and nothing of the candidate runs before isolation is proven.
    pub(super) fn new(args: RunArgs) -> Self {
        Self {
            args,
            highest_epoch: i64::MIN,
            shell_epoch: 0,
            shell: None,
            ring: OutputRing::default(),
            input: InputQueue::default(),
            exit: None,
            exit_told: false,
            client: None,
            hold: None,
            farewells: JoinSet::new(),
        }
    }

    /// Waits until the PTY or the client can make progress, or a hold ends.
    ///
    /// Cancellation: nothing is lost, no state changes in here.
    pub(super) async fn ready(&self) {
        let shell = async {
            match &self.shell {
                Some(shell) => {
                    shell
                        .ready(self.room() > 0, !self.input.pending().is_empty())
                        .await;
                }
                None => std::future::pending().await,
            }
        };
        let client = async {
            match &self.client {
                Some(client) => client.ready(&self.ring, self.input.written()).await,
                None => std::future::pending().await,
            }
        };
        let hold = async {
            match self.hold {
                Some(hold) => tokio::time::sleep_until(hold.until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { () = client => {}, () = shell => {}, () = hold => {} }
    }

    /// Does whatever can be done without waiting, input first.
    pub(super) fn progress(&mut self) {
        if self.hold.is_some_and(|hold| hold.until <= Instant::now()) {
            self.hold = None;
        }
        self.hear_client();
        self.write_input();
        self.read_output();
        self.write_client();
        if self.tell_exit() {
            self.write_client();
        }
        if self.exit_told && self.client.as_ref().is_some_and(Client::is_flushed) {
            self.close_client(None);
        }
    }

    fn write_client(&mut self) {
        let Some(client) = &mut self.client else {
            return;
        };
        if client.write(&self.ring, self.input.written()).is_err() {
            self.lose_client();
        }
    }

    /// Returns how much output may be read from the PTY without overwriting what a client that is
    /// here, or was a moment ago, has not consumed.
    fn room(&self) -> usize {
        let kept_from = match (&self.client, self.hold) {
            (Some(client), _) => client.acked,
            (None, Some(hold)) => hold.from,
            (None, None) => return RING,
        };
        let kept = usize::try_from(self.ring.end() - kept_from).unwrap_or(RING);
        RING.saturating_sub(kept)
    }

    fn hear_client(&mut self) {
        while let Some(client) = &mut self.client {
            match client.hear() {
                Heard::Frame(frame) => self.obey(frame),
                Heard::Nothing => return,
                Heard::End => self.lose_client(),
                Heard::Nonsense(error) => {
                    self.refuse_client(RefusalCode::Protocol, &error.to_string());
                }
            }
        }
    }

    fn obey(&mut self, frame: ClientFrame) {
        let Some(client) = &mut self.client else {
            return;
        };
        match frame {
            ClientFrame::Input { in_off, bytes } => {
                client.input_told = None;
                if self.exit.is_some() {
                    return;
                }
                if let Err(code) = self.input.accept(in_off, &bytes) {
                    self.refuse_client(code, "input offset or amount is out of bounds");
                }
                // At once, so that the queue only holds what the PTY refuses.
                self.write_input();
            }
            ClientFrame::Resize(size) => {
                if let Some(shell) = &self.shell {
                    shell.resize(size);
                }
            }
            ClientFrame::Ack { out_off } => client.ack(out_off),
            ClientFrame::Ping { token } => client.say(&KeeperFrame::Pong { token }),
            ClientFrame::Open(_) => {
                self.refuse_client(RefusalCode::Protocol, "OPEN comes first and only once");
            }
        }
    }

    fn write_input(&mut self) {
        let Some(shell) = &self.shell else { return };
        while !self.input.pending().is_empty() {
            match shell.write(self.input.pending()) {
                Ok(count) => self.input.took(count),
                Err(Errno::AGAIN) => return,
                Err(_) => self.input.discard(),
            }
        }
    }

    /// Reads at most one ring per turn, so that a flood cannot keep input waiting.
    fn read_output(&mut self) {
        let mut budget = self.room().min(64 * 1024);
        while let Some(shell) = &mut self.shell {
            if budget == 0 {
                return;
            }
            let Some(output) = shell.read(budget) else {
                return;
            };
            budget -= output.len();
            self.ring.push(&output);
        }
    }

    /// Queues EXIT once the shell is reaped and all its output has been sent; returns whether it
    /// did so now.
    fn tell_exit(&mut self) -> bool {
        let (Some(exit), Some(client)) = (self.exit, &mut self.client) else {
            return false;
        };
        let drained = self.shell.as_ref().is_none_or(|shell| shell.drained);
        if !drained || self.exit_told || client.sent != self.ring.end() {
            return false;
        }
        client.say(&KeeperFrame::Exit(exit));
        self.exit_told = true;
        true
    }

    /// Reaps every child that has ended; returns whether any child is left.
    ///
    /// As process 1 (or subreaper) the keeper inherits every orphan of the environment.
    pub(super) fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note_end(pid, status),
                Ok(None) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn note_end(&mut self, pid: rustix::process::Pid, status: WaitStatus) {
        let Some(shell) = self
            .shell
            .as_mut()
            .filter(|shell| shell.pid() == pid && !shell.ended)
        else {
            return;
        };
        shell.ended = true;
        self.input.discard();
        self.exit = Some(Exit {
            shell_epoch: self.shell_epoch,
            code: status.exit_status(),
            signal: status.terminating_signal(),
        });
    }

    /// Lets go of a client that went away, and keeps what it has not consumed for a while.
    fn lose_client(&mut self) {
        if let Some(client) = &self.client {
            let until = Instant::now() + self.args.hold;
            self.hold = Some(Hold {
                from: client.acked,
                until,
            });
            // An EXIT it never got is told to the next.
            self.exit_told &= client.is_flushed();
        }
        self.close_client(None);
    }

    fn refuse_client(&mut self, code: RefusalCode, message: &str) {
        let refused = Refused {
            code,
            message: message.to_owned(),
        };
        self.close_client(Some(KeeperFrame::Refused(refused)));
    }

    fn close_client(&mut self, last: Option<KeeperFrame>) {
        if let Some(client) = self.client.take() {
            self.say_farewell(client.close(last));
        }
    }

    fn turn_away(&mut self, socket: tokio::net::UnixStream, code: RefusalCode, message: String) {
        self.say_farewell(async move { refuse(socket, code, &message).await });
    }

    fn say_farewell(&mut self, farewell: impl Future<Output = ()> + Send + 'static) {
        while self.farewells.try_join_next().is_some() {}
        self.farewells.spawn(farewell);
    }

    /// Closes everything, within `limit`.
    pub(super) async fn close(mut self, limit: Duration) {
        self.close_client(None);
        let all = async { while self.farewells.join_next().await.is_some() {} };
        // What did not get through in time is cut with the process.
        tokio::time::timeout(limit, all).await.ok();
    }
}
