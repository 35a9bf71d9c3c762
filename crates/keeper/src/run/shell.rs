use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use carrel_keeper::frames::WindowSize;
use rustix::fs::{Access, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::registration::register;
use crate::args::{RunArgs, START_SHELL};

/// The most read from the PTY at once; the kernel hands out 4 KiB at a time.
const READ: usize = 4096;

/// A shell and the master side of its terminal.
#[derive(Debug)]
pub(super) struct Shell {
    pty: AsyncFd<OwnedFd>,
    pid: Pid,
    /// Whether the process was reaped.
    pub(super) ended: bool,
    /// Whether the PTY has nothing more to give.
    pub(super) drained: bool,
}

impl Shell {
    /// Starts the shell of `args` on a new terminal of `size`.
    pub(super) fn start(args: &RunArgs, size: WindowSize) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        set_size(&master, size)?;
        let terminal = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        rustix::fs::fcntl_setfl(
            &master,
            rustix::fs::fcntl_getfl(&master)? | OFlags::NONBLOCK,
        )?;
        let pty = register(master)?;
        // Dropping the handle is right: every child is reaped in one place, by its pid.
        let child = command(args, terminal)?.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default())
            .ok_or(io::ErrorKind::Other)?;
        Ok(Self {
            pty,
            pid,
            ended: false,
            drained: false,
        })
    }

    /// Returns the shell's process.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Tells the terminal its size; programs in it get SIGWINCH.
    pub(super) fn resize(&self, size: WindowSize) {
        // Only a closed terminal refuses, and that has no size to keep.
        set_size(self.pty.get_ref(), size).ok();
    }

    /// Waits until the PTY can do what is wanted; for ever when nothing is.
    pub(super) async fn ready(&self, read: bool, write: bool) {
        let interest = match (read && !self.drained, write && !self.ended) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return std::future::pending().await,
        };
        if self.pty.ready(interest).await.is_err() {
            // The runtime shuts down.
            std::future::pending::<()>().await;
        }
    }

    /// Reads some output without waiting; `None` when there is none now.
    pub(super) fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        if self.drained {
            return None;
        }
        let mut buffer = vec![0; most.min(READ)];
        let read = self.pty.try_io(Interest::READABLE, |pty| {
            rustix::io::retry_on_intr(|| rustix::io::read(pty, &mut buffer[..]))
                .map_err(io::Error::from)
        });
        match read {
            Ok(count) if count > 0 => {
                buffer.truncate(count);
                Some(buffer)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A terminal whose session leader is gone is hung up by the kernel before the
                // leader can be reaped: nothing can come any more.
                self.drained = self.ended;
                None
            }
            // EIO: every slave side is closed, so the shell gave its terminal up or is gone.
            _ => {
                self.drained = true;
                None
            }
        }
    }

    /// Gives input to the terminal without waiting; returns how much it took.
    pub(super) fn write(&self, input: &[u8]) -> Result<usize, Errno> {
        let written = self.pty.try_io(Interest::WRITABLE, |pty| {
            rustix::io::retry_on_intr(|| rustix::io::write(pty, input)).map_err(io::Error::from)
        });
        written.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Errno::AGAIN,
            _ => Errno::from_io_error(&error).unwrap_or(Errno::IO),
        })
    }
}

fn set_size(pty: &OwnedFd, size: WindowSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(pty, size)?)
}

fn command(args: &RunArgs, terminal: OwnedFd) -> io::Result<Command> {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg(START_SHELL)
        .args(&args.shell)
        .current_dir(&args.workdir)
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(Stdio::from(terminal))
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env("LANG", "C.UTF-8")
        .env("SHELL", &args.shell[0])
        .env("PWD", &args.workdir);
    for (name, value) in missing_environment(args) {
        command.env(name, value);
    }
    Ok(command)
}

/// Where programs are looked for when the image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the image may set and often does not.
fn missing_environment(args: &RunArgs) -> Vec<(&'static str, OsString)> {
    let mut missing = Vec::new();
    if std::env::var_os("PATH").is_none_or(|path| path.is_empty()) {
        missing.push(("PATH", PATH.into()));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if home.is_none_or(|home| rustix::fs::access(&home, Access::WRITE_OK).is_err()) {
        missing.push(("HOME", args.workdir.clone().into()));
    }
    if std::env::var_os("PS1").is_none() {
        let is_bash = Path::new(&args.shell[0])
            .file_name()
            .is_some_and(|name| name.as_bytes() == b"bash");
        // Other shells print bash's escapes as they are; all of them expand variables.
        missing.push((
            "PS1",
            if is_bash {
                r"\w\$ ".into()
            } else {
                "$PWD $ ".into()
            },
        ));
    }
    missing
}

/// Finds `program` as exec would; `None` when there is nothing to execute.
pub(super) fn find_program(program: &Path) -> Option<PathBuf> {
    let executable =
        |path: &PathBuf| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    if program.components().count() > 1 || program.is_absolute() {
        return Some(program.to_path_buf()).filter(executable);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(executable)
}
