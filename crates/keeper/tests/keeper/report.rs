//! What `verify` finds, and whom a keeper as process 1 lets in.

use std::process::{Command, Stdio};

use carrel_keeper::VerifyReport;
use carrel_keeper::frames::RefusalCode;
use carrel_keeper::report::ProbeOutcome;

use crate::fixture::{BINARY, Keeper, wait_until};
use crate::namespaces::unshare;

#[test]
fn verify_prints_one_report_even_where_nothing_is_reachable() {
    // Never in the machine's own network: the built-in targets are real addresses.
    let Some(mut command) = unshare(&["--map-root-user", "--net"]) else {
        return;
    };
    let output = command
        .args([BINARY, "verify", "--probe", "192.0.2.7:443"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let report: VerifyReport = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report.network.interfaces.len(),
        1,
        "{:?}",
        report.network.interfaces
    );
    let targets: Vec<&str> = report
        .network
        .reachable
        .iter()
        .map(|probe| probe.target.as_str())
        .collect();
    assert_eq!(targets, ["169.254.169.254:80", "192.0.2.7:443"]);
    assert!(report.network.reachable.iter().all(|probe| !probe.ok));
    assert_eq!(
        report.network.reachable[0].outcome,
        ProbeOutcome::Unreachable
    );
    assert!(report.capabilities.effective.is_some());
    assert!(report.namespaces.contains_key("net"));
    assert!(report.uid_map.is_some());
    assert!(!report.pid1_is_keeper);
}

#[test]
fn verify_refuses_names_because_it_cannot_resolve_them_safely() {
    let output = Command::new(BINARY)
        .args(["verify", "--probe", "host:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn as_process_one_it_turns_the_candidates_own_processes_away() {
    let flags = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let Some(mut command) = unshare(&flags) else {
        return;
    };
    command.arg(BINARY);
    // `spawn` waits for the socket from outside; that such a stream is refused is the point.
    let keeper = Keeper::spawn(command, &[]);
    let children = format!("/proc/{0}/task/{0}/children", keeper.pid());
    wait_until("the keeper", || {
        !std::fs::read_to_string(&children)
            .unwrap()
            .trim()
            .is_empty()
    });
    let inside = std::fs::read_to_string(&children)
        .unwrap()
        .trim()
        .to_owned();
    let enter = |script: &str| {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &inside, "--pid", "--mount"])
            .args(["sh", "-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    let socket = keeper.socket();
    let attach = format!(
        "exec {BINARY} attach --epoch 1 --socket {}",
        socket.display()
    );

    // Entered from outside: the parent is not visible in there.
    let mut relay = enter(&attach).spawn().unwrap();
    let mut client = RelayClient::new(&mut relay);
    client.open(1);
    client.type_text("echo pid1-$(cat /proc/1/cmdline | tr '\\0' ' ')\n");
    client.expect("run --socket");

    // From the shell itself: its child's parent is.
    let marker = keeper.folder.path().join("answer");
    let script = format!(
        "printf '\\000\\000\\000\\056\\001{{\"epoch\":9,\"cols\":80,\"rows\":24,\"resume\":null}}' | \
         {BINARY} attach --epoch 9 --socket {} > {}\n",
        socket.display(),
        marker.display()
    );
    client.type_text(&script);
    let code = serde_json::to_string(&RefusalCode::ForeignPeer).unwrap();
    wait_until("the refusal", || {
        let answer = std::fs::read(&marker).unwrap_or_default();
        String::from_utf8_lossy(&answer).contains(&code)
    });

    client.type_text("echo st''ill mine\n");
    client.expect("still mine");
    drop(client);
    relay.kill().unwrap();
    relay.wait().unwrap();
}

/// Frames over the pipes of a relay.
struct RelayClient {
    input: std::process::ChildStdin,
    chunks: std::sync::mpsc::Receiver<Vec<u8>>,
    decoder: carrel_keeper::Decoder<carrel_keeper::KeeperFrame>,
    seen: Vec<u8>,
    in_off: u64,
}

impl RelayClient {
    fn new(relay: &mut std::process::Child) -> Self {
        use std::io::Read as _;
        let (sender, chunks) = std::sync::mpsc::channel();
        let mut output = relay.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count) = output.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let decoder = carrel_keeper::Decoder::new();
        Self {
            input: relay.stdin.take().unwrap(),
            chunks,
            decoder,
            seen: Vec::new(),
            in_off: 0,
        }
    }

    fn send(&mut self, frame: &carrel_keeper::ClientFrame) {
        use carrel_keeper::Frame as _;
        use std::io::Write as _;
        self.input.write_all(&frame.to_bytes().unwrap()).unwrap();
    }

    fn open(&mut self, epoch: i64) {
        let open = carrel_keeper::frames::Open {
            epoch,
            cols: 200,
            rows: 24,
            resume: None,
        };
        self.send(&carrel_keeper::ClientFrame::Open(open));
    }

    fn type_text(&mut self, text: &str) {
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        let in_off = self.in_off;
        self.in_off += text.len() as u64;
        self.send(&carrel_keeper::ClientFrame::Input { in_off, bytes });
    }

    fn expect(&mut self, needle: &str) {
        while !self
            .seen
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
        {
            let chunk = self.chunks.recv_timeout(crate::fixture::PATIENCE);
            let text = String::from_utf8_lossy(&self.seen);
            self.decoder
                .push(&chunk.unwrap_or_else(|_| panic!("no {needle:?} in {text:?}")));
            while let Some(frame) = self.decoder.next_frame().unwrap() {
                if let carrel_keeper::KeeperFrame::Output { bytes, .. } = frame {
                    self.seen.extend_from_slice(&bytes);
                }
            }
        }
    }
}
