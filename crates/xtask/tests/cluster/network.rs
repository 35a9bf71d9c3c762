//! A network namespace that lasts as long as this value.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Far more than a busy machine takes to start a process.
const LIMIT: Duration = Duration::from_secs(30);

/// The process that keeps it. When its input ends, and so however this process ends, it runs one
/// last command inside.
pub(crate) struct Network(Child);

impl Network {
    pub(crate) fn make(last: &Command) -> Self {
        let script = "ip link set lo up; cat > /dev/null; exec \"$0\" \"$@\"";
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", script])
            .arg(last.get_program())
            .args(last.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Whoever ends the test's group does not end this.
            .process_group(0)
            .spawn()
            .expect("unshare starts");
        let own = fs::read_link("/proc/self/ns/net").expect("we have a network namespace");
        let begun = Instant::now();
        // Before that, entering it would mean entering the machine's own.
        while fs::read_link(format!("/proc/{}/ns/net", holder.id())).is_ok_and(|it| it == own) {
            let ended = holder.try_wait().expect("our child can be waited for");
            assert_eq!(ended, None, "unshare ended: it needs root");
            assert!(begun.elapsed() < LIMIT, "no network namespace was made");
            std::thread::sleep(Duration::from_millis(10));
        }
        let network = Self(holder);
        while !network
            .ask("ip", &["link", "show", "lo"])
            .contains("LOWER_UP")
        {
            assert!(begun.elapsed() < LIMIT, "its loopback did not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        network
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.0.id()))
            .arg(program);
        command
    }

    /// Runs a command inside and returns what it printed.
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        let output = output.expect("nsenter starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}
